"""Tests of tfft/looks.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfft.looks import look, tokens
from tfft.sample import Nested


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", "b c"], "text"),
        (["1", " -2.5", "3e4", None], "number"),
        (["1", "2", "three"], "text"),
        (["nan", "inf"], "text"),  # no number that can be learned
        (["2024-01-31", "2024-02-01 10:30", "1/2/2024"], "date"),
        (["2024-01-31", "yesterday"], "text"),
        ([["a"], []], "list"),
        ([["a"], "b"], "other"),
        ([Nested(), "b"], "other"),
        ([None, None], "empty"),
        ([], "empty"),
    ],
)
def test_the_kind_is_that_of_all_values(values, kind):
    assert look("c", values).kind == kind


def test_missing_values_do_not_count_and_distinct_ones_keep_their_order():
    seen = look("c", ["b", None, "a", "b"])
    assert (seen.values, seen.distinct) == (["b", "a", "b"], ["b", "a"])


def test_the_distinct_values_of_lists_are_their_members():
    assert look("c", [["b", "a"], [], ["a"]]).distinct == ["b", "a"]


def test_numbers_are_read():
    np.testing.assert_array_equal(look("c", ["1", "0.5"]).numbers, [1.0, 0.5])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0.0),
        ("one two  three", 4.2),  # 3 words at 1.4
        ("房间很大", 4.0),  # a character each
        ("房间 very big。", 5.8),  # 3 characters and 2 words
        ("สวัสดี", 6.0),
        ("안녕 하세요", 2.8),  # Korean has spaces
        (["a", "b"], 2.8),
    ],
)
def test_tokens_are_estimated_from_words_or_characters(text, expected):
    assert tokens(text) == pytest.approx(expected)


@given(st.text(), st.text())
def test_two_texts_with_a_space_between_have_the_tokens_of_both(first, second):
    assert tokens(f"{first} {second}") == pytest.approx(tokens(first) + tokens(second))


@pytest.mark.parametrize(
    ("values", "is_prose"),
    [
        (["so good a film", "not for me", "fine"], True),  # two of three have several words
        (["good", "bad", "fine film"], False),
        (["房间很大", "很好吃的"], True),
        (["not for me"] * 6, False),  # repeats: a label of several words
        (["not for me"] * 4, True),
        (["0.1 0.2", "5"], False),
    ],
)
def test_prose_is_several_words_that_rarely_repeat(values, is_prose):
    assert look("c", values).is_prose is is_prose
