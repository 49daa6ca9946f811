"""Targets that are numbers: read from text, in units of the training rows, and measured."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfft.errors import DataError


def collect(column: pa.ChunkedArray) -> tuple[float, float]:
    """Return mean and standard deviation of the numbers in a column of texts, `[rows]`.

    Raises:
        DataError: A value is no number, or all are equal.
    """
    numbers = _all(column, "data.train")
    if numbers.min() == numbers.max():
        raise DataError(
            f"data.train: all rows have the number {numbers[0]:g}; there is nothing to learn. "
            "Check data.label_column."
        )
    return float(numbers.mean()), float(numbers.std())


def encode(column: pa.ChunkedArray, mean: float, scale: float, where: str) -> np.ndarray:
    """Return the numbers less `mean` and over `scale`, float32 `[rows]`, of texts `[rows]`.

    Raises:
        DataError: A value is no number; `where` tells the key or file that it comes from.
    """
    return ((_all(column, where) - mean) / scale).astype(np.float32)


def read(column: pa.ChunkedArray) -> np.ndarray:
    """Return the numbers in a column of texts, float64 `[rows]`, NaN for what is no finite number."""
    text = pc.utf8_trim_whitespace(column)
    pattern = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
    is_number = pc.match_substring_regex(text, pattern).to_numpy()
    numbers = np.full(len(column), np.nan)
    numbers[is_number] = pc.cast(text.filter(pa.array(is_number)), pa.float64()).to_numpy()
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _all(column: pa.ChunkedArray, where: str) -> np.ndarray:
    numbers = read(column)
    bad = np.flatnonzero(np.isnan(numbers))
    if len(bad):
        raise DataError(
            f"{where}: row {bad[0] + 1} has {column[int(bad[0])].as_py()!r} where a number is expected "
            f"({len(bad)} such rows). Correct them, or check data.label_column."
        )
    return numbers
