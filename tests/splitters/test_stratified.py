"""Tests of tfft/splitters/stratified.py."""

import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold, train_test_split

from tests.splitters.toys import basis, check_folds, labels
from tfft.errors import DataError, SettingError
from tfft.splitters import stratified

SPLITTER = stratified.build()


def mix(rows, places):
    return Counter(rows.targets.take(places).to_pylist())


def test_the_share_has_the_mix_of_labels_of_the_whole():
    rows = basis(labels({"a": 60, "b": 30, "c": 10}))
    assert mix(rows, SPLITTER.set_aside(rows, 0.2, 1, "validation")) == {"a": 12, "b": 6, "c": 2}


@pytest.mark.parametrize("kind", ["label", "rank"])
def test_the_rows_are_those_of_scikit_learn(kind):
    rows = basis(labels({"a": 30, "b": 20}), kind=kind)
    ids = np.array([label == "b" for label in rows.targets.to_pylist()], int)
    for seed in (0, 1, 2):
        _, expected = train_test_split(np.arange(50), test_size=15, random_state=seed, stratify=ids)
        assert np.array_equal(SPLITTER.set_aside(rows, 0.3, seed, "test"), expected)
    # The draw of numpy's legacy generator, which must not change between versions.
    assert sorted(SPLITTER.set_aside(rows, 0.3, 1, "test"))[:5] == [0, 1, 9, 10, 13]


@pytest.mark.parametrize(
    ("counts", "fraction", "rarest", "rare"),
    [
        ({"a": 50, "b": 1}, 0.2, "b", 1),  # b cannot stand on two sides
        ({"a": 5, "b": 4, "c": 3}, 0.1, "c", 3),  # one row cannot hold three labels
        ({"a": 5, "b": 4, "c": 3}, 0.9, "c", 3),
        ({"a": 197, "b": 3}, 0.05, "b", 3),  # ten rows could, but b's share is 0.15 rows
        ({"a": 197, "b": 3}, 0.95, "b", 3),
    ],
)
def test_share_that_cannot_hold_each_label_is_an_error_with_the_rarest(counts, fraction, rarest, rare):
    with pytest.raises(DataError) as caught:
        SPLITTER.set_aside(basis(labels(counts)), fraction, 0, "validation")
    assert str(caught.value) == (
        f"data.validation: {fraction} of {sum(counts.values())} rows cannot hold each of {len(counts)} "
        f"labels on both sides (the rarest, {rarest!r}, has {rare}). Raise the fraction, add rows, "
        "or name a file."
    )


def test_folds_are_those_of_scikit_learn_and_have_the_mix():
    rows = basis(labels({"a": 12, "b": 6}))
    found = SPLITTER.folds(rows, 3, 4)
    ids = [label == "b" for label in rows.targets.to_pylist()]
    parts = StratifiedKFold(3, shuffle=True, random_state=4).split(ids, ids)
    for number, (_, places) in enumerate(parts):
        assert np.array_equal(np.flatnonzero(found == number), places)
        assert mix(rows, places) == {"a": 4, "b": 2}


def test_a_label_with_fewer_rows_than_folds_is_no_warning_and_stands_in_as_many():
    rows = basis(labels({"a": 9, "b": 2}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = SPLITTER.folds(rows, 3, 0)
    is_b = np.array([label == "b" for label in rows.targets.to_pylist()])
    assert len(set(found[is_b].tolist())) == 2


def test_folds_need_a_label_that_can_stand_in_each():
    with pytest.raises(DataError) as caught:
        SPLITTER.folds(basis(labels({"a": 2, "b": 2})), 3, 0)
    assert str(caught.value) == (
        "data.train: 2 rows of the most frequent label cannot be cut into 3 folds. Ask for fewer, or "
        "add rows."
    )


def test_of_several_labels_the_rarest_counts():
    # By hand: c has 10 rows, b 30, a 80; a row of all three is one of c.
    sets = [["a", "b", "c"]] * 10 + [["b", "a"]] * 20 + [["a"]] * 50 + [[]] * 20
    rows = basis(sets, kind="labels")
    aside = SPLITTER.set_aside(rows, 0.2, 0, "test")
    found = Counter("".join(row) for row in rows.targets.take(aside).to_pylist())
    assert found == {"abc": 2, "ba": 4, "a": 10, "": 4}
    folds = SPLITTER.folds(rows, 5, 0)
    for number in range(5):
        places = np.flatnonzero(folds == number)
        assert Counter("".join(row) for row in rows.targets.take(places).to_pylist()) == found


def test_labels_that_are_too_rare_are_drawn_together():
    # Five labels of two rows each: a fifth of all ten is two rows, which any of them may be.
    sets = [[label] for label in "abcde" for _ in range(2)] + [["z"]] * 90
    rows = basis(sets, kind="labels")
    aside = SPLITTER.set_aside(rows, 0.2, 0, "test")
    assert Counter(row[0] == "z" for row in rows.targets.take(aside).to_pylist()) == {True: 18, False: 2}


def test_of_numbers_each_tenth_gives_its_share():
    numbers = np.random.RandomState(0).permutation(100)
    rows = basis([str(number) for number in numbers], kind="number")
    aside = SPLITTER.set_aside(rows, 0.2, 0, "test")
    assert Counter(numbers[aside] // 10) == dict.fromkeys(range(10), 2)
    folds = SPLITTER.folds(rows, 5, 0)
    assert all(Counter(numbers[folds == fold] // 10) == dict.fromkeys(range(10), 2) for fold in range(5))


def test_what_is_no_number_is_left_to_whoever_reads_the_targets():
    rows = basis(["1", "2", "x", "4"], kind="number")
    assert len(SPLITTER.set_aside(rows, 0.5, 0, "test")) == 2


@settings(deadline=None, max_examples=60)
@given(
    sets=st.lists(st.lists(st.sampled_from("abcdef"), unique=True), min_size=4, max_size=60),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 100),
    folds=st.integers(2, 4),
)
def test_any_sets_of_labels_can_be_split(sets, fraction, seed, folds):
    rows = basis(sets, kind="labels")
    count = round(fraction * len(sets))
    if 0 < count < len(sets):
        assert len(SPLITTER.set_aside(rows, fraction, seed, "test")) == count
    check_folds(SPLITTER.folds(rows, folds, seed), len(sets), folds)


def test_rows_without_labels_and_numbers_cannot_be_stratified():
    with pytest.raises(SettingError) as caught:
        SPLITTER.set_aside(basis(["a", "b"], kind="entities"), 0.5, 0, "test")
    assert str(caught.value) == (
        "data.splitter: must not be set with a task whose rows have neither labels nor a number, got "
        "'stratified'. Take random, group, time or hash."
    )
