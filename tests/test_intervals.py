"""Tests of tfft/intervals.py."""

import math

import numpy as np
import pytest

from tfft import intervals


@pytest.mark.parametrize(
    ("right", "rows", "low", "high"),
    [(8, 10, 0.4901625, 0.9433178), (0, 10, 0.0, 0.2775328), (10, 10, 0.7224672, 1.0)],
)
def test_share_is_wilsons(right, rows, low, high):
    # With z = 1.959964: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    assert intervals.share(right, rows) == pytest.approx((low, high), abs=1e-6)


def test_micro_f1_is_that_of_drawing_rows():
    dice = np.random.default_rng(1)
    true, predicted = dice.integers(0, 4, (2, 200))
    right = np.minimum(true, predicted) * dice.integers(0, 2, 200)
    low, high = intervals.micro_f1(right, true, predicted)
    drawn = dice.integers(0, 200, (4000, 200))
    plain = 2 * right[drawn].sum(axis=1) / (true[drawn].sum(axis=1) + predicted[drawn].sum(axis=1))
    assert [low, high] == pytest.approx(np.percentile(plain, [2.5, 97.5]), abs=0.01)
    assert low < 2 * right.sum() / (true.sum() + predicted.sum()) < high


def test_micro_f1_of_two_rows_is_all_that_can_be_drawn():
    # One row all right, one all wrong: F1 is 0, 1/2 or 1, the ends a quarter of the draws each.
    assert intervals.micro_f1(np.array([1, 0]), np.array([1, 1]), np.array([1, 1])) == (0.0, 1.0)


def test_micro_f1_with_nothing_to_find_is_zero():
    assert intervals.micro_f1(np.zeros(5, int), np.zeros(5, int), np.zeros(5, int)) == (0.0, 0.0)


def test_root_mean_agrees_with_theory():
    # The mean of n squares of normal errors has the standard error √(2/n), so its root half of it.
    squares = np.random.default_rng(2).normal(0, 1, 20_000) ** 2
    low, high = intervals.root_mean(squares)
    assert low < math.sqrt(squares.mean()) < high
    assert (high - low) / 2 == pytest.approx(1.96 * math.sqrt(1 / (2 * 20_000)), rel=0.15)


def test_root_mean_of_equal_errors_is_sure():
    assert intervals.root_mean(np.full(7, 4.0)) == (2.0, 2.0)


def test_intervals_are_the_same_each_time():
    squares = np.arange(50.0)
    assert intervals.root_mean(squares) == intervals.root_mean(squares)
    counts = np.arange(50) % 3
    assert intervals.micro_f1(counts, counts + 1, counts + 2) == intervals.micro_f1(
        counts, counts + 1, counts + 2
    )
