"""Tests of tfft/splitters/group.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from tests.splitters.toys import basis, check_folds, labels
from tfft.errors import DataError
from tfft.splitters import group

SPLITTER = group.build(column="user")
GROUPS = st.lists(st.integers(1, 9), min_size=2, max_size=12)  # rows of each


def rows_of(sizes, kind="label", seed=0):
    """Return rows of groups of these sizes, mixed."""
    users = [f"user {number}" for number, size in enumerate(sizes) for _ in range(size)]
    users = np.random.RandomState(seed).permutation(users).tolist()
    targets = ["ab"[place % 2] for place in range(len(users))]
    return basis(["1"] * len(users) if kind == "number" else targets, users, kind)


def users_of(rows, places):
    return set(rows.values.take(places).to_pylist())


@settings(deadline=None)
@given(sizes=GROUPS, fraction=st.floats(0.01, 0.99), seed=st.integers(0, 1000))
def test_no_group_stands_on_both_sides_and_no_other_group_would_bring_the_share_closer(sizes, fraction, seed):
    rows = rows_of(sizes)
    aside = SPLITTER.set_aside(rows, fraction, seed, "test")
    stay = np.setdiff1d(np.arange(sum(sizes)), aside)
    assert not users_of(rows, aside) & users_of(rows, stay)
    assert len(aside)
    assert len(stay)
    off = abs(len(aside) - fraction * sum(sizes))
    for number, size in enumerate(sizes):
        is_aside = f"user {number}" in users_of(rows, aside)
        moved = len(aside) + (-size if is_aside else size)
        if 0 < moved < sum(sizes):
            assert abs(moved - fraction * sum(sizes)) >= off - 1e-9


@settings(deadline=None)
@given(count=st.integers(2, 40), fraction=st.floats(0.05, 0.95), seed=st.integers(0, 1000))
def test_groups_of_one_row_meet_the_share(count, fraction, seed):
    aside = SPLITTER.set_aside(rows_of([1] * count), fraction, seed, "test")
    assert abs(len(aside) - min(max(fraction * count, 1), count - 1)) <= 0.5


def test_the_order_of_the_rows_does_not_matter_and_the_seed_does():
    sizes = [3, 1, 4, 1, 5, 9, 2, 6]
    found = [
        users_of(rows := rows_of(sizes, seed=order), SPLITTER.set_aside(rows, 0.3, seed, "test"))
        for order, seed in ((0, 0), (1, 0), (0, 1))
    ]
    assert found[0] == found[1] != found[2]
    # The draw of numpy's legacy generator, which must not change between versions: 9 rows of 9.3.
    assert sorted(found[0]) == ["user 0", "user 2", "user 6"]


def test_a_giant_group_leaves_a_share_that_is_off():
    rows = rows_of([90, 10])
    assert users_of(rows, SPLITTER.set_aside(rows, 0.5, 0, "test")) in ({"user 0"}, {"user 1"})


def test_one_group_cannot_stand_on_two_sides():
    with pytest.raises(DataError) as caught:
        SPLITTER.set_aside(rows_of([5]), 0.2, 0, "validation")
    assert str(caught.value) == (
        "data.validation: all rows have the value 'user 0' in the column 'user', and a group stays together. "
        "Name another column, or name a file."
    )


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(1, 9), min_size=6, max_size=14), folds=st.integers(2, 3))
def test_no_group_stands_in_two_folds(sizes, folds):
    for kind in ("label", "number"):
        rows = rows_of(sizes, kind)
        found = SPLITTER.folds(rows, folds, 0)
        check_folds(found, sum(sizes), folds)
        users = [users_of(rows, np.flatnonzero(found == number)) for number in range(folds)]
        assert sum(map(len, users)) == len(sizes)


def test_folds_are_those_of_scikit_learn():
    rows = rows_of([4, 3, 3, 2, 2, 2], "number")
    users = rows.values.to_pylist()
    for number, (_, places) in enumerate(GroupKFold(3).split(users, groups=users)):
        assert np.array_equal(np.flatnonzero(SPLITTER.folds(rows, 3, 0) == number), places)
    rows = rows_of([4, 3, 3, 2, 2, 2])
    ids, groups = (
        np.unique(part.to_pylist(), return_inverse=True)[1] for part in (rows.targets, rows.values)
    )
    parts = StratifiedGroupKFold(3, shuffle=True, random_state=6).split(ids, ids, groups)
    for number, (_, places) in enumerate(parts):
        assert np.array_equal(np.flatnonzero(SPLITTER.folds(rows, 3, 6) == number), places)


def test_folds_of_groups_have_the_mix_of_labels():
    # By hand: six users of two labels each way; each fold gets one user of a and one of b.
    users = [f"user {place // 4}" for place in range(24)]
    rows = basis(["ab"[place // 12] for place in range(24)], users)
    found = SPLITTER.folds(rows, 3, 0)
    for number in range(3):
        assert sorted(rows.targets.take(np.flatnonzero(found == number)).to_pylist()) == list("aaaabbbb")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (rows_of([5, 5]), "2 groups of the column 'user'"),
        (basis(labels({"a": 2, "b": 2}), list("wxyz")), "2 rows of the most frequent label"),
    ],
)
def test_too_few_for_the_folds(rows, problem):
    with pytest.raises(DataError) as caught:
        SPLITTER.folds(rows, 3, 0)
    assert str(caught.value) == (
        f"data.train: {problem} cannot be cut into 3 folds. Ask for fewer, or add rows."
    )


def test_it_tells_the_number_of_groups():
    assert SPLITTER.tell(rows_of([2, 3, 1])) == {"groups": 3}
