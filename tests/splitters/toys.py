"""Rows for the tests of splitters."""

import numpy as np
import pyarrow as pa

from tfft.splitters import Basis


def basis(targets, values=None, kind="label", texts=None):
    """Return rows with these targets; their texts are numbered where none are given."""
    texts = texts or [f"text {number}" for number in range(len(targets))]
    target = pa.list_(pa.string()) if kind == "labels" else pa.string()
    halves = [targets[: len(targets) // 2], targets[len(targets) // 2 :]]  # as from two files
    return Basis(
        pa.table({"text": texts}),
        pa.chunked_array(halves, target),
        kind,
        None if values is None else pa.chunked_array([values], pa.string()),
    )


def labels(counts):
    """Return labels, so many of each, the labels taking turns."""
    left, found = dict(counts), []
    while any(left.values()):
        for label in sorted(left):
            if left[label]:
                found.append(label)
                left[label] -= 1
    return found


def check_folds(fold_of, rows, folds):
    """Check that each row is in one fold, and that no fold is empty."""
    assert fold_of.shape == (rows,)
    assert sorted(np.unique(fold_of)) == list(range(folds))
