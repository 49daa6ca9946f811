"""Tests of tfft/labels.py."""

import numpy as np
import pyarrow as pa
import pytest

from tfft import labels
from tfft.errors import DataError


def column(*chunks):
    return pa.chunked_array(chunks, pa.string())


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["spam", "ham", "spam"], ("ham", "spam")),
        (["10", "2", "1", "2"], ("1", "2", "10")),
        (["1", "-1", "0", "-10"], ("-10", "-1", "0", "1")),
        (["10", "2", "x"], ("10", "2", "x")),  # one is no number: all are text
        (["1.5", "10", "2"], ("1.5", "10", "2")),
        (["7", "007", "6"], ("6", "007", "7")),
        (["007", "7", "6"], ("6", "007", "7")),
        (["-", "1"], ("-", "1")),
        (["b", "B", "é", "a"], ("B", "a", "b", "é")),
        (["no", "yes", " no"], (" no", "no", "yes")),
    ],
)
def test_labels_are_ordered_as_numbers_or_else_as_text(given, ordered):
    assert labels.collect(column(given)) == ordered


def test_labels_are_collected_over_all_chunks():
    assert labels.collect(column(["b", "b"], ["a"], ["c", "a"])) == ("a", "b", "c")


def test_a_single_label_is_an_error_that_names_it():
    with pytest.raises(DataError) as caught:
        labels.collect(column(["x"], ["x"]))
    assert str(caught.value) == (
        "data.train: all rows have the label 'x'; a classifier needs at least two. Check data.label_column."
    )


def test_encode_gives_int32_positions_in_the_known_order():
    ids = labels.encode(column(["x", "z"], ["y", "x"]), ("z", "x", "y"), "data.train")
    assert ids.dtype == np.int32
    assert ids.tolist() == [1, 0, 2, 1]


def test_known_labels_that_a_split_lacks_keep_their_ids():
    assert labels.encode(column(["c"]), ("a", "b", "c"), "data.test").tolist() == [2]


def test_one_unknown_label_is_an_error_that_names_split_and_label():
    with pytest.raises(DataError) as caught:
        labels.encode(column(["a", "A"]), ("a", "b"), "data.test")
    assert str(caught.value) == (
        "data.test: 1 row has a label that no training row has: 'A'. "
        "Correct them, or move such rows to the training file."
    )


@pytest.mark.parametrize(
    ("strange", "shown"),
    [
        (["c", "d", "c"], "3 rows have labels that no training row has: 'c', 'd'."),
        (list("cdefg"), "5 rows have labels that no training row has: 'c', 'd', 'e', 'f', 'g'."),
        (list("cdefgh"), "6 rows have labels that no training row has: 'c', 'd', 'e', 'f', 'g', …."),
    ],
)
def test_many_unknown_labels_are_counted_and_cut_after_five(strange, shown):
    with pytest.raises(DataError) as caught:
        labels.encode(column(["a"], strange), ("a", "b"), "data.validation")
    assert str(caught.value).startswith(f"data.validation: {shown} Correct them")


def test_labels_of_very_many_digits_are_ordered_as_text():
    assert labels.collect(pa.chunked_array([["9" * 5000, "10"]])) == ("10", "9" * 5000)


def test_rates_are_those_of_the_encoded_sets():
    sets = pa.chunked_array([pa.array([["a", "b", "a"], [], ["b"]], pa.list_(pa.string())), [["c", "b"]]])
    found = labels.rates(sets, ["a", "b", "c"], "x")
    assert found.tolist() == [0.25, 0.75, 0.25]
    np.testing.assert_array_equal(found, labels.encode_sets(sets, ["a", "b", "c"], "x").mean(axis=0))
