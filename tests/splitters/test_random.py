"""Tests of tfft/splitters/random.py."""

import numpy as np
from sklearn.model_selection import KFold, train_test_split

from tests.splitters.toys import basis
from tfft.splitters import random

ROWS = basis(["a", "b"] * 25)


def test_the_rows_are_those_of_scikit_learn():
    for seed in (0, 7):
        _, expected = train_test_split(np.arange(50), test_size=15, random_state=seed)
        assert np.array_equal(random.build().set_aside(ROWS, 0.3, seed, "test"), expected)


def test_folds_are_those_of_scikit_learn():
    found = random.build().folds(ROWS, 3, 5)
    for number, (_, places) in enumerate(KFold(3, shuffle=True, random_state=5).split(np.arange(50))):
        assert np.array_equal(np.flatnonzero(found == number), places)


def test_another_seed_draws_others():
    first, other = (random.build().set_aside(ROWS, 0.3, seed, "test") for seed in (0, 1))
    assert set(first) != set(other)
