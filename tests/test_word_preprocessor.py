"""Tests of tfft/word_preprocessor.py."""

import re

import pytest
import tensorflow as tf

from tests.conftest import VOCABULARY, bert_preprocessor
from tfft import words
from tfft.word_preprocessor import WordPreprocessor, before_word


def word_preprocessor(sequence_length):
    base = bert_preprocessor(sequence_length)
    return WordPreprocessor(
        split=words.by_punctuation,
        read=base.read,
        tokenizer=base.tokenizer,
        frame=base.frame,
        sequence_length=sequence_length,
    )


def test_the_place_of_a_word_is_that_of_its_first_piece():
    sentences = tf.ragged.constant([["Unable", "un", "watching", "films", "!"], ["café"], []])
    preprocessor = word_preprocessor(16)
    ids, counts = preprocessor.tokenize({"text": sentences})
    assert counts.to_list() == [[2, 1, 2, 2, 1], [1], []]
    inputs = preprocessor.pack(ids, counts)
    first = [VOCABULARY[i] for i in inputs["token_ids"][0].numpy()]
    assert first == ["[CLS]", "un", "##able", "un", "watch", "##ing", "film", "##s", "!", "[SEP]"]
    assert inputs["word_places"].numpy().tolist() == [[1, 3, 4, 6, 8], [1, -1, -1, -1, -1], [-1] * 5]
    assert inputs["word_places"].dtype == tf.int32


def test_a_word_that_is_cut_off_has_no_place_and_one_that_begins_inside_has():
    sentences = tf.ragged.constant([["films", "watching", "good"]])
    inputs = word_preprocessor(5).pack(*word_preprocessor(5).tokenize({"text": sentences}))
    assert [VOCABULARY[i] for i in inputs["token_ids"][0].numpy()] == [
        "[CLS]",
        "film",
        "##s",
        "watch",
        "[SEP]",
    ]
    assert inputs["word_places"].numpy().tolist() == [[1, 3, -1]]


def test_a_word_that_the_tokenizer_sees_nothing_of_has_no_place():
    sentences = tf.ragged.constant([["\u200b", "good", "\u200b", "film"]])
    inputs = word_preprocessor(16).pack(*word_preprocessor(16).tokenize({"text": sentences}))
    assert inputs["word_places"].numpy().tolist() == [[-1, 1, -1, 2]]


def test_raw_text_is_cut_into_words_first():
    preprocessor = word_preprocessor(16)
    by_text = preprocessor({"text": tf.constant(["Good films, naive."])})
    sentences = tf.ragged.constant([["Good", "films", ",", "naive", "."]])
    by_words = preprocessor.pack(*preprocessor.tokenize({"text": sentences}))
    assert by_text.keys() == by_words.keys() == {
        "token_ids", "segment_ids", "padding_mask", "word_places"
    }  # fmt: skip
    for name, tensor in by_text.items():
        assert tensor.numpy().tolist() == by_words[name].numpy().tolist()


class Spaces:
    """Says whether a space stands before a word, as a byte-pair tokenizer does."""

    def tokenize(self, text):
        return tf.ragged.constant([[1 + word.startswith(" ") for word in re.findall(" ?a", t)] for t in
            (one.decode() for one in text.numpy())])  # fmt: skip


@pytest.mark.parametrize(("tokenizer", "expected"), [(bert_preprocessor(8).tokenizer, ""), (Spaces(), " ")])
def test_a_word_alone_is_tokenised_as_after_another(tokenizer, expected):
    assert before_word(tokenizer) == expected
