"""What all splitters have in common."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.splitters.toys import basis, check_folds
from tfft import plugins
from tfft.errors import DataError

SETTINGS = {"group": {"column": "c"}, "time": {"column": "c"}}
NAMES = plugins.names("splitters")


def load(name):
    return plugins.load("splitters", name)(**SETTINGS.get(name, {}))


def rows_of(name, values):
    """Return rows with the values that the splitter reads, if it reads any; the texts are numbered."""
    words = [str(value) for value in values] if load(name).column else None
    return basis(["ab"[value % 2] for value in values], words)


@settings(deadline=None, max_examples=30)
@given(
    values=st.lists(st.integers(0, 5), min_size=60, max_size=80),
    fraction=st.floats(0.2, 0.8),
    seed=st.integers(0, 2**31 - 1),
    name=st.sampled_from(NAMES),
)
def test_some_rows_are_set_aside_once_each_and_the_same_again(values, fraction, seed, name):
    values[:40] = [0, 1] * 20
    rows = rows_of(name, values)
    aside = load(name).set_aside(rows, fraction, seed, "test")
    assert 0 < len(aside) < len(values)
    assert len(set(aside.tolist())) == len(aside)
    assert set(aside.tolist()) <= set(range(len(values)))
    assert np.array_equal(aside, load(name).set_aside(rows, fraction, seed, "test"))


@settings(deadline=None, max_examples=20)
@given(
    values=st.lists(st.integers(0, 30), min_size=60, max_size=80),
    folds=st.integers(2, 4),
    seed=st.integers(0, 2**31 - 1),
    name=st.sampled_from([name for name in NAMES if name != "time"]),
)
def test_folds_hold_each_row_once_and_are_the_same_again(values, folds, seed, name):
    values[:12] = range(12)
    rows = rows_of(name, values)
    found = load(name).folds(rows, folds, seed)
    check_folds(found, len(values), folds)
    assert np.array_equal(found, load(name).folds(rows, folds, seed))


@pytest.mark.parametrize("name", ["random", "stratified", "time"])
def test_a_share_of_too_few_rows_is_an_error(name):
    rows = basis(["1", "2", "3"], ["1", "2", "3"], "number")
    for fraction, seed in ((0.1, 0), (0.9, 2)):
        with pytest.raises(DataError) as caught:
            load(name).set_aside(rows, fraction, seed, "validation")
        assert str(caught.value) == (
            f"data.validation: {fraction} of 3 rows leaves one side empty. Name a file."
        )


@pytest.mark.parametrize("name", ["random", "stratified"])
def test_more_folds_than_rows_are_an_error(name):
    with pytest.raises(DataError) as caught:
        load(name).folds(basis(["a", "b"]), 3, 0)
    assert str(caught.value) == ("data.train: 2 rows cannot be cut into 3 folds. Ask for fewer, or add rows.")


def test_only_what_reads_a_column_has_one():
    assert {name: load(name).column for name in NAMES} == {
        "group": "c", "hash": None, "random": None, "stratified": None, "time": "c",
    }  # fmt: skip
    assert plugins.load("splitters", "hash")(column="d").column == "d"
