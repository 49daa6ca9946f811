"""Weights and odds of rows, against labels of which there are many and few."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.utils.class_weight import compute_class_weight

from tfft.errors import DataError, SettingError


def class_weights(
    chosen: str | Mapping[str, float] | None, ids: np.ndarray, labels: Sequence[str]
) -> np.ndarray:
    """Return the weight of each label's rows in the loss, float64 `[labels]`.

    Args:
        chosen: `balanced` for rows / (labels * rows of the label), which has the mean 1
            over the rows (King & Zeng 2001, https://doi.org/10.1093/oxfordjournals.pan.a004868);
            a mapping, in which a missing label has 1; or None for 1.
        ids: Label ids of the training rows.
        labels: Names in the order of their ids.

    Raises:
        SettingError: The mapping names an unknown label.
    """
    if isinstance(chosen, str):
        return compute_class_weight(chosen, classes=np.arange(len(labels)), y=ids)
    given = dict(chosen or {})
    if unknown := [name for name in given if name not in labels]:
        raise SettingError(
            f"training.class_weights.{unknown[0]}",
            given[unknown[0]],
            "must be the weight of a label of the training rows",
            fix=f"They are {', '.join(labels)}.",
        )
    return np.array([given.get(name, 1.0) for name in labels])


def row_weights(column: pa.ChunkedArray | None, rows: int) -> np.ndarray:
    """Return the weight of each row, float64 `[rows]`, from a column of numbers in text.

    Raises:
        DataError: A weight is not a finite number above 0.
    """
    if column is None:
        return np.ones(rows)
    text = pc.utf8_trim_whitespace(column)
    is_number = pc.match_substring_regex(text, r"^[+]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$").to_numpy()
    weights = np.zeros(rows)
    weights[is_number] = pc.cast(text.filter(pa.array(is_number)), pa.float64()).to_numpy()
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights > 0)))
    if len(bad):
        raise DataError(
            f"data.weight_column: row {bad[0] + 1} of the training rows has {column[int(bad[0])].as_py()!r}, "
            f"expected a number above 0 ({len(bad)} such rows). Correct the column, or leave the key out."
        )
    return weights


def odds(ids: np.ndarray, exponent: float | None) -> np.ndarray | None:
    """Return the probability of drawing each row, float64 `[rows]`, or None to take each once.

    A label with n rows is drawn in proportion to n to the power of `exponent` (Kang et al.
    2020, equation 1, https://arxiv.org/abs/1910.09217), and its rows alike.
    """
    if exponent is None:
        return None
    counts = np.bincount(ids)
    each = np.power(counts, exponent - 1.0, where=counts > 0, out=np.zeros(len(counts)))[ids]
    return each / each.sum()
