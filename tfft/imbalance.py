"""Weights and odds of rows, against labels of which there are many and few."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from tfft import numbers
from tfft.errors import DataError, SettingError


def drawn(ids: np.ndarray, exponent: float | None) -> np.ndarray:
    """Return how many rows of each label an epoch draws on average, float64 `[labels]`.

    A label with n rows is drawn in proportion to n to the power of `exponent` (Kang et al.
    2020, equation 1, https://arxiv.org/abs/1910.09217), and its rows alike; None takes each
    row once.
    """
    counts = np.bincount(ids).astype(np.float64)
    if exponent is None:
        return counts
    powers = np.where(counts > 0, counts**exponent, 0.0)
    return powers / powers.sum() * counts.sum()


def odds(ids: np.ndarray, exponent: float | None) -> np.ndarray | None:
    """Return the probability of drawing each row, float64 `[rows]`, or None to take each once."""
    if exponent is None:
        return None
    return drawn(ids, exponent)[ids] / np.bincount(ids)[ids] / len(ids)


def class_weights(
    chosen: str | Mapping[str, float] | None, counts: np.ndarray, labels: Sequence[str]
) -> np.ndarray:
    """Return the weight of each label's rows in the loss, float64 `[labels]`.

    Args:
        chosen: `balanced` for rows / (labels * rows of the label), which has the mean 1
            over the rows (King & Zeng 2001, https://doi.org/10.1093/oxfordjournals.pan.a004868);
            a mapping, in which a missing label has 1; or None for 1.
        counts: What `drawn` returned.
        labels: Names in the order of their ids.

    Raises:
        SettingError: The mapping names an unknown label.
    """
    if isinstance(chosen, str):
        return counts.sum() / (len(counts) * counts)
    given = dict(chosen or {})
    if unknown := [name for name in given if name not in labels]:
        raise SettingError(
            f"training.class_weights.{unknown[0]}",
            given[unknown[0]],
            "must be the weight of a label of the training rows",
            fix=f"They are {', '.join(labels)}.",
        )
    return np.array([given.get(name, 1.0) for name in labels])


def row_weights(column: pa.ChunkedArray, where: str) -> np.ndarray:
    """Return the weight of each row, float64 `[rows]`, from a column of numbers in text.

    Args:
        column: Texts, `[rows]`.
        where: The file or key that they come from, for the error's text.

    Raises:
        DataError: A weight is not a finite number above 0.
    """
    weights = numbers.read(column)
    bad = np.flatnonzero(~(weights > 0))
    if len(bad):
        raise DataError(
            f"{where}: row {bad[0] + 1} has the weight {column[int(bad[0])].as_py()!r}, "
            f"expected a number above 0 ({len(bad)} such rows). Correct the column, or leave out "
            "data.weight_column."
        )
    return weights
