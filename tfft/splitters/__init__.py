"""Splitters: each file says which rows are set aside for a split, and how rows are cut into folds.

What a splitter does depends on the rows, the seed and its settings alone, so that
whoever reads the data of a run again finds the same rows in each split.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfft.errors import DataError


@dataclass(frozen=True)
class Basis:
    """What rows are divided by.

    Attributes:
        texts: Their columns of text.
        targets: What is to be answered: texts, or lists of texts.
        kind: What a target is, as in `tasks.Task`.
        values: Of the column that the splitter reads, a chunked array of texts; None where it reads none.
    """

    texts: pa.Table
    targets: pa.ChunkedArray
    kind: str
    values: Any = None


def _nothing(basis: Basis) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Splitter:
    """A way to divide rows.

    Attributes:
        set_aside: The rows, the share of them that is wanted, the seed, and the split that it is for, to the
            places of the rows to set aside, int `[rows set aside]`, neither none nor all. Raises DataError.
        folds: The rows, the number of folds and the seed to the fold of each row, from 0, int `[rows]`.
            Raises DataError and SettingError.
        column: Name of the column in the file that it reads besides texts and targets, None for none.
        tell: The rows of one side to what a person wants to know of them, ready for JSON.
    """

    set_aside: Callable[[Basis, float, int, str], np.ndarray]
    folds: Callable[[Basis, int, int], np.ndarray]
    column: str | None = None
    tell: Callable[[Basis], dict[str, Any]] = _nothing


def wanted(rows: int, fraction: float, split: str) -> int:
    """Return how many rows a share is.

    Raises:
        DataError: It is none of them, or all.
    """
    count = round(fraction * rows)
    if not 0 < count < rows:
        raise DataError(f"data.{split}: {fraction} of {rows} rows leaves one side empty. Name a file.")
    return count


def check_folds(count: int, folds: int, of: str) -> None:
    """Raise a DataError where there are more folds than there is to put into them, `of` being its name."""
    if count < folds:
        raise DataError(
            f"data.train: {count} {of} cannot be cut into {folds} folds. Ask for fewer, or add rows."
        )


def numbered(values: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Return the number of each value among the distinct ones, int `[rows]`, and those, sorted."""
    distinct = pc.unique(values)
    names = distinct.take(pc.sort_indices(distinct))
    return pc.index_in(values, value_set=names).to_numpy(), names


def filled(fold_of: np.ndarray, folds: int) -> np.ndarray:
    """Return the fold of each row as it is.

    Raises:
        DataError: A fold has no row.
    """
    empty = np.flatnonzero(np.bincount(fold_of, minlength=folds) == 0)
    if len(empty):
        raise DataError(
            f"data.train: fold {empty[0] + 1} of {folds} would have none of {len(fold_of)} rows. Ask for "
            "fewer folds, or add rows."
        )
    return fold_of


def fold_of_each(rows: int, folds: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the fold of each row, int `[rows]`, from the pairs that scikit-learn's splitters give."""
    found = np.full(rows, -1)
    for number, (_, places) in enumerate(folds):
        found[places] = number
    return found
