"""Tests of tfft/window_preprocessor.py."""

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import bert_preprocessor
from tfft import inputs
from tfft.errors import SettingError
from tfft.window_preprocessor import WindowPreprocessor

START, END = 2, 3


def windows(sequence_length, at_most, overlap, read=None, **named):
    base = bert_preprocessor(sequence_length)
    return WindowPreprocessor(
        at_most=at_most,
        overlap=overlap,
        read=read or base.read,
        tokenizer=base.tokenizer,
        frame=base.frame,
        sequence_length=sequence_length,
        **named,
    )


def packed(preprocessor, rows):
    """Return the tokens of each window of each row, without special tokens and padding."""
    found = preprocessor.pack(tf.ragged.constant(rows, tf.int32))
    ids, mask, is_window = (found[name].numpy() for name in ("token_ids", "padding_mask", "window_mask"))
    assert ids.shape == mask.shape == found["segment_ids"].shape
    result = []
    for row, row_mask, there in zip(ids, mask, is_window, strict=True):
        tokens = [list(one[on > 0]) for one, on in zip(row, row_mask, strict=True)]
        assert all(one[0] == START and one[-1] == END for one in tokens)
        # A window that a row has not is an empty text, which the mask leaves out.
        assert [one for one, is_there in zip(tokens, there, strict=True) if not is_there] == (
            [[START, END]] * int((there == 0).sum())
        )
        result.append([one[1:-1] for one, is_there in zip(tokens, there, strict=True) if is_there])
    return result


def test_by_hand():
    preprocessor = windows(6, at_most=3, overlap=1)
    assert preprocessor.room() == 4 + 2 * 3
    rows = [list(range(10, 19)), [10, 11], [], list(range(10, 14)), list(range(10, 30))]
    assert packed(preprocessor, rows) == [
        [[10, 11, 12, 13], [13, 14, 15, 16], [16, 17, 18]],
        [[10, 11]],
        [[]],
        [[10, 11, 12, 13]],
        [[10, 11, 12, 13], [13, 14, 15, 16], [16, 17, 18, 19]],
    ]


def test_what_the_windows_do_not_hold_is_cut_as_truncation_says():
    preprocessor = windows(6, at_most=2, overlap=0, truncation="tail")
    assert packed(preprocessor, [list(range(10, 30))]) == [[[22, 23, 24, 25], [26, 27, 28, 29]]]


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_windows_hold_all_tokens_and_overlap_as_told(data):
    inside, at_most = data.draw(st.integers(1, 6)), data.draw(st.integers(2, 4))
    overlap = data.draw(st.integers(0, inside - 1))
    preprocessor = windows(inside + 2, at_most, overlap)
    lengths = data.draw(st.lists(st.integers(0, preprocessor.room() + 3), min_size=1, max_size=4))
    rows = [list(range(100, 100 + length)) for length in lengths]
    for row, found in zip(rows, packed(preprocessor, rows), strict=True):
        assert len(found) <= at_most
        assert all(len(one) == inside for one in found[:-1])
        merged = found[0]
        for one in found[1:]:
            assert merged[len(merged) - overlap :] == one[:overlap]
            assert len(one) > overlap
            merged = merged + one[overlap:]
        assert merged == row[: preprocessor.room()]


def test_a_pair_and_an_overlap_that_fills_a_window_are_refused():
    with pytest.raises(SettingError, match="must not be set for a pair of texts"):
        windows(8, 2, 1, read=inputs.read(["a", "b"]))
    with pytest.raises(SettingError, match="must be below 4, the tokens of text in a window"):
        windows(6, 2, 4)
