"""Tests of tfft/preprocessor.py."""

import pytest
import tensorflow as tf

from tests.conftest import VOCABULARY, bert_preprocessor
from tfft import preprocessor
from tfft.errors import PresetError
from tfft.preprocessor import Frame, Preprocessor

BERT = bert_preprocessor(16).frame
TOKENIZER = bert_preprocessor(16).tokenizer


def make(sequence_length=16, frame=BERT, **settings):
    return Preprocessor(TOKENIZER, frame, sequence_length, **settings)


def test_pack_frames_cuts_and_pads():
    packed = make(4)(tf.constant(["good good good good", "", "bad"]))
    good, bad, cls, sep = map(VOCABULARY.index, ("good", "bad", "[CLS]", "[SEP]"))
    assert packed["token_ids"].numpy().tolist() == [
        [cls, good, good, sep],
        [cls, sep, 0, 0],
        [cls, bad, sep, 0],
    ]
    assert packed["padding_mask"].numpy().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]]
    assert packed["segment_ids"].numpy().tolist() == [[0] * 4] * 3
    assert {tensor.dtype for tensor in packed.values()} == {tf.int32}


def test_no_rows_give_no_rows():
    assert make()(tf.constant([], tf.string))["token_ids"].shape == (0, 0)


def ids(made, texts):
    return made(tf.constant(texts))["token_ids"].numpy().tolist()


GOOD, BAD = map(VOCABULARY.index, ("good", "bad"))


def test_a_frame_of_one_token_leaves_room_for_one_more():
    made = make(3, Frame(start=9, end=None, blank=None, pad=0))
    assert ids(made, ["good good good", "bad", ""]) == [[9, GOOD, GOOD], [9, BAD, 0], [9, 0, 0]]


def test_without_a_frame_a_blank_stands_for_a_text_without_tokens():
    made = make(3, Frame(start=None, end=None, blank=7, pad=0))
    assert ids(made, ["good good good good", "", "bad"]) == [[GOOD] * 3, [7, 0, 0], [BAD, 0, 0]]
    assert made(tf.constant(["", "bad bad"]))["padding_mask"].numpy().tolist() == [[1, 0], [1, 1]]


def test_a_full_row_is_padded_to_the_sequence_length():
    packed = make(6, is_full=True)(tf.constant(["good", ""]))
    assert {tuple(value.shape) for value in packed.values()} == {(2, 6)}
    assert packed["padding_mask"].numpy().sum(1).tolist() == [3, 2]


def test_only_what_the_model_takes_is_made():
    assert list(make(inputs=["token_ids"])(tf.constant(["good"]))) == ["token_ids"]


def test_a_vocabulary_without_a_token_of_the_frame_is_refused():
    with pytest.raises(PresetError, match=r"lacks <s>, </s>, with which this kind of model was trained"):
        preprocessor.frame(TOKENIZER, start="<s>", end="</s>", blank=None, pad="[PAD]")


def test_no_token_for_padding_is_token_0():
    assert preprocessor.frame(TOKENIZER, start=None, end=None, blank="good", pad=None) == Frame(
        start=None, end=None, blank=GOOD, pad=0
    )
