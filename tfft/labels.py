"""Label text to id and back; the order is fixed by the training rows and saved with the model."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfft.errors import DataError


def collect(labels: pa.ChunkedArray) -> tuple[str, ...]:
    """Return the distinct labels in the order of their ids.

    Whole numbers are ordered as numbers, so that the label `2` stands before
    `10`; all else is ordered as text.

    Raises:
        DataError: There are fewer than two.
    """
    distinct = pc.unique(labels).to_pylist()
    if len(distinct) < 2:
        raise DataError(
            f"data.train: all rows have the label {distinct[0]!r}; a classifier needs at least two. "
            "Check data.label_column."
        )
    in_numbers = are_numbers(distinct)
    # The text decides between `7` and `007`, so that the order of the rows does not.
    return tuple(sorted(distinct, key=lambda label: (int(label), label) if in_numbers else label))


def are_numbers(labels: Sequence[str]) -> bool:
    """Return whether all labels are whole numbers."""
    return all(label.removeprefix("-").isdecimal() and len(label) < 20 for label in labels)


def encode(labels: pa.ChunkedArray, known: Sequence[str], where: str) -> np.ndarray:
    """Return int32 ids `[rows]`.

    Args:
        labels: Texts, `[rows]`.
        known: Names in the order of their ids.
        where: The key or file that the rows come from, for the error's text.

    Raises:
        DataError: A label does not occur in the training rows.
    """
    ids = pc.index_in(labels, value_set=pa.array(known, pa.string()))
    if ids.null_count:
        strange = pc.unique(labels.filter(pc.is_null(ids))).to_pylist()
        shown = ", ".join(map(repr, strange[:5])) + (", …" if len(strange) > 5 else "")
        count = "1 row has a label" if ids.null_count == 1 else f"{ids.null_count} rows have labels"
        raise DataError(
            f"{where}: {count} that no training row has: {shown}. "
            "Correct them, or move such rows to the training file."
        )
    return ids.to_numpy().astype(np.int32)


def flat(sets: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the labels of all rows in one column, of lists of labels `[rows]`."""
    return pa.chunked_array([pc.list_flatten(chunk) for chunk in sets.chunks], pa.string())


def encode_sets(sets: pa.ChunkedArray, known: Sequence[str], where: str) -> np.ndarray:
    """Return for each row and label whether it has it, 0 or 1, float32 `[rows, labels]`.

    Args:
        sets: Lists of texts, `[rows]`; a list may be empty.
        known: Names in the order of their ids.
        where: The key or file that the rows come from, for the error's text.

    Raises:
        DataError: A label does not occur in the training rows.
    """
    has = np.zeros((len(sets), len(known)), np.float32)
    rows, ids = _members(sets, known, where)
    has[rows, ids] = 1
    return has


def rates(sets: pa.ChunkedArray, known: Sequence[str], where: str) -> np.ndarray:
    """Return the share of the rows that have each label, float64 `[labels]`, without an array of all pairs.

    Args:
        sets: As in `encode_sets`, as are the others.
        known: As in `encode_sets`.
        where: As in `encode_sets`.
    """
    rows, ids = _members(sets, known, where)
    each_once = np.unique(rows * len(known) + ids)  # a row may name a label twice
    return np.bincount(each_once % len(known), minlength=len(known)) / len(sets)


def _members(sets: pa.ChunkedArray, known: Sequence[str], where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and the id of each label of all rows."""
    lengths = pc.list_value_length(sets).to_numpy()
    return np.repeat(np.arange(len(sets)), lengths), encode(flat(sets), known, where)
