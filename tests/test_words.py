"""Tests of tfft/words.py."""

import re
import unicodedata

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft import words

TEXTS = tf.TensorSpec([None], tf.string)
BY = {
    name: tf.function(getattr(words, name), input_signature=[TEXTS])
    for name in ("by_punctuation", "by_white_space")
}


def split(name, texts):
    """Return the words of each text, and check that they stand where they are said to."""
    found = BY[name](tf.constant(texts, tf.string))
    lists = [[word.decode() for word in row] for row in found.texts.to_list()]
    places = zip(found.starts.to_list(), found.ends.to_list(), strict=True)
    for text, row, (starts, ends) in zip(texts, lists, places, strict=True):
        whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        assert [whole[a:b] for a, b in zip(starts, ends, strict=True)] == row
    return lists


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Paris, France.", ["Paris", ",", "France", "."]),
        ('("Hi")', ["(", '"', "Hi", '"', ")"]),
        ("don't 3.14 a@b.org U.S.A.", ["don't", "3.14", "a@b.org", "U.S.A", "."]),
        ("@user #tag! @ # ##x", ["@user", "#tag", "!", "@", "#", "#", "#x"]),
        ("wait... what?! --", ["wait", "...", "what", "?", "!", "--"]),
        ("$5 50% café-bar", ["$", "5", "50", "%", "café-bar"]),
        ("我爱x北京。", ["我", "爱", "x", "北", "京", "。"]),
        ("x\x00y\tz\u00a0ü", ["x\x00y", "z", "ü"]),
        ("👍 👍👍ok", ["👍", "👍👍", "ok"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_by_punctuation(text, expected):
    assert split("by_punctuation", [text, "a", text]) == [expected, ["a"], expected]


def test_by_white_space_is_pythons():
    texts = ["Paris, France.", "", " a\u2003b\x0bc\x1cd ", "don't"]
    assert split("by_white_space", texts) == [text.split() for text in texts]


def test_bytes_that_are_no_utf_8_are_replaced():
    assert split("by_white_space", [b"\xff a\xc3"]) == [["\ufffd", "a\ufffd"]]


def test_no_texts():
    for function in BY.values():
        assert function(tf.constant([], tf.string)).texts.to_list() == []


def alike(marks):
    """Return the runs of equal characters."""
    return [match[0] for match in re.finditer(r"(.)\1*", marks, re.DOTALL)]


def by_hand(text):
    """Return the words of a text, chunk by chunk."""
    found = []
    for chunk in text.split():
        is_mark = [unicodedata.category(character)[0] in "PS" for character in chunk]
        plain = [place for place, mark in enumerate(is_mark) if not mark]
        first, last = (plain[0], plain[-1]) if plain else (len(chunk), len(chunk))
        if plain and first and chunk[first - 1] in "@#":
            first -= 1
        head, body, tail = chunk[:first], chunk[first : last + 1], chunk[last + 1 :]
        found += alike(head)
        found += re.findall(r"[\u4e00-\u9fff]|[^\u4e00-\u9fff]+", body)
        found += alike(tail)
    return found


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(alphabet="aé1.,!@#-'\"( )\t\n我北👍\x00", max_size=12), min_size=1, max_size=4))
def test_every_text_is_cut_as_by_hand(texts):
    assert split("by_punctuation", texts) == [by_hand(text) for text in texts]
