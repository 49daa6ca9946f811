"""How sure a figure is: 95 % intervals, by formula where there is one, else by the bootstrap.

A bootstrap draws as many rows as there are, with replacement, 1,000 times over, and takes the
figure's 2.5th and 97.5th percentile (Efron & Tibshirani 1993, "An Introduction to the
Bootstrap", section 13.3). Rows are what is independent: a sentence, not a token of it. The
draws are seeded, so that equal answers have equal intervals.
"""

import numpy as np
from scipy import stats

_DRAWS = 1000
_SEED = 0


def share(right: int, rows: int) -> tuple[float, float]:
    """Return Wilson's interval of a share such as accuracy (Wilson 1927, https://doi.org/10.2307/2276774).

    Args:
        right: Rows that count, from 0 to `rows`.
        rows: All rows, at least 1.
    """
    interval = stats.binomtest(right, rows).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def micro_f1(right: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Return the bootstrap interval of F1 over all that is found in all rows.

    Args:
        right: How many finds of each row are right, int `[rows]`.
        true: How many there are to find, int `[rows]`.
        predicted: How many are answered, int `[rows]`.
    """
    # Rows of equal counts are alike: what matters is how often each triple is drawn, and there are few.
    triples, times = np.unique(np.stack([right, true, predicted], axis=1), axis=0, return_counts=True)
    draws = np.random.default_rng(_SEED).multinomial(len(right), times / len(right), size=_DRAWS)
    right, true, predicted = (draws @ triples).T
    return _middle(2 * right / np.maximum(true + predicted, 1))


def root_mean(squares: np.ndarray) -> tuple[float, float]:
    """Return the bootstrap interval of the root of the mean of squared errors, float `[rows]`."""
    dice, rows = np.random.default_rng(_SEED), len(squares)
    # One draw at a time: all at once would take 1,000 numbers for each row.
    return _middle(np.sqrt([squares[dice.integers(0, rows, rows)].mean() for _ in range(_DRAWS)]))


def _middle(figures: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(figures, [2.5, 97.5])
    return float(low), float(high)
