"""Tests of tfft/preprocessor.py."""

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import VOCABULARY, bert_preprocessor
from tfft import inputs, preprocessor
from tfft.errors import PresetError
from tfft.preprocessor import Frame, Preprocessor

BERT = bert_preprocessor(16).frame
TOKENIZER = bert_preprocessor(16).tokenizer


def make(sequence_length=16, frame=BERT, read="text", **settings):
    return Preprocessor(inputs.read(read), TOKENIZER, frame, sequence_length, **settings)


def packed(made, *columns):
    """Return the inputs of columns `text`, or of `text_a` and `text_b`."""
    names = ["text"] if len(columns) == 1 else ["text_a", "text_b"]
    return made({name: tf.constant(column, tf.string) for name, column in zip(names, columns, strict=True)})


def test_pack_frames_cuts_and_pads():
    found = packed(make(4), ["good good good good", "", "bad"])
    good, bad, cls, sep = map(VOCABULARY.index, ("good", "bad", "[CLS]", "[SEP]"))
    assert found["token_ids"].numpy().tolist() == [
        [cls, good, good, sep],
        [cls, sep, 0, 0],
        [cls, bad, sep, 0],
    ]
    assert found["padding_mask"].numpy().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]]
    assert found["segment_ids"].numpy().tolist() == [[0] * 4] * 3
    assert {tensor.dtype for tensor in found.values()} == {tf.int32}


def test_no_rows_give_no_rows():
    assert packed(make(), [])["token_ids"].shape == (0, 0)


def ids(made, texts):
    return packed(made, texts)["token_ids"].numpy().tolist()


GOOD, BAD = map(VOCABULARY.index, ("good", "bad"))


def test_a_frame_of_one_token_leaves_room_for_one_more():
    made = make(3, Frame(start=9, end=None, middle=(), blank=None, pad=0))
    assert ids(made, ["good good good", "bad", ""]) == [[9, GOOD, GOOD], [9, BAD, 0], [9, 0, 0]]


def test_without_a_frame_a_blank_stands_for_a_text_without_tokens():
    made = make(3, Frame(start=None, end=None, middle=(), blank=7, pad=0))
    assert ids(made, ["good good good good", "", "bad"]) == [[GOOD] * 3, [7, 0, 0], [BAD, 0, 0]]
    assert packed(made, ["", "bad bad"])["padding_mask"].numpy().tolist() == [[1, 0], [1, 1]]


A, B, CLS, SEP = (VOCABULARY.index(piece) for piece in ("good", "bad", "[CLS]", "[SEP]"))


def pairs(sequence_length, frame=BERT, **settings):
    return make(sequence_length, frame, ["a", "b"], **settings)


def test_a_pair_has_two_segments():
    found = packed(pairs(16), ["good good", ""], ["bad", "bad bad bad"])
    assert found["token_ids"].numpy().tolist() == [[CLS, A, A, SEP, B, SEP], [CLS, SEP, B, B, B, SEP]]
    assert found["segment_ids"].numpy().tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 1, 1]]
    assert found["padding_mask"].numpy().tolist() == [[1] * 6] * 2


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (1, 9, (1, 4)),  # the longer gives way
        (9, 1, (4, 1)),
        (9, 9, (3, 2)),  # until both are equally long; the odd token is the first's
        (2, 3, (2, 3)),
        (3, 3, (3, 2)),
        (0, 9, (0, 5)),
    ],
)
def test_of_a_pair_the_longer_is_cut(first, second, kept):
    found = packed(pairs(8), ["good " * first], ["bad " * second])["token_ids"].numpy()[0].tolist()
    assert found == [CLS, *[A] * kept[0], SEP, *[B] * kept[1], SEP]


@given(first=st.integers(0, 12), second=st.integers(0, 12), length=st.integers(3, 14))
def test_a_pair_is_cut_one_token_at_a_time_from_the_longer(first, second, length):
    # The rule as Hugging Face's tokenizers have it, `longest_first`, said step by step.
    left, right = first, second
    while left + right > length - 3:
        left, right = (left - 1, right) if left > right else (left, right - 1)
    found = packed(pairs(length), ["good " * first], ["bad " * second])["token_ids"].numpy()[0].tolist()
    assert found == [CLS, *[A] * left, SEP, *[B] * right, SEP]


@pytest.mark.parametrize(
    ("tokens", "doubles", "frame"),
    [
        ({"start": "[CLS]", "end": "[SEP]"}, True, [CLS, A, SEP, SEP, B, SEP]),
        ({"start": "[CLS]", "end": None}, False, [CLS, A, CLS, B]),
        ({"start": None, "end": None, "blank": "[MASK]"}, False, [A, VOCABULARY.index("[MASK]"), B]),
    ],
)
def test_what_stands_between_two_texts_is_the_familys(tokens, doubles, frame):
    kind = preprocessor.frame(TOKENIZER, **{"blank": None, "pad": None} | tokens, doubles_end=doubles)
    assert packed(pairs(9, kind), ["good"], ["bad"])["token_ids"].numpy()[0].tolist() == frame


@pytest.mark.parametrize(
    ("truncation", "kept"),
    [("head", "the a was is film plot"), ("tail", "scene good great fine bad awful"),
     ("head_and_tail", "the good great fine bad awful")],
)  # fmt: skip
def test_which_tokens_of_a_long_text_stay(truncation, kept):
    text = "the a was is film plot actor scene good great fine bad awful"
    made = make(8, truncation=truncation)
    rows = packed(made, [text, "the a", kept])["token_ids"].numpy().tolist()
    assert [VOCABULARY[i] for i in rows[0]] == ["[CLS]", *kept.split(), "[SEP]"]
    assert [VOCABULARY[i] for i in rows[1][:4]] == ["[CLS]", "the", "a", "[SEP]"]
    assert rows[2] == rows[0], "what fits is not cut"


def test_a_full_row_is_padded_to_the_sequence_length():
    found = packed(make(6, is_full=True), ["good", ""])
    assert {tuple(value.shape) for value in found.values()} == {(2, 6)}
    assert found["padding_mask"].numpy().sum(1).tolist() == [3, 2]


def test_only_what_the_model_takes_is_made():
    assert list(packed(make(inputs=["token_ids"]), ["good"])) == ["token_ids"]


def test_a_vocabulary_without_a_token_of_the_frame_is_refused():
    with pytest.raises(PresetError, match=r"lacks <s>, </s>, with which this kind of model was trained"):
        preprocessor.frame(TOKENIZER, start="<s>", end="</s>", blank=None, pad="[PAD]")


def test_no_token_for_padding_is_token_0():
    assert preprocessor.frame(TOKENIZER, start=None, end=None, blank="good", pad=None) == Frame(
        start=None, end=None, middle=(GOOD,), blank=GOOD, pad=0
    )
