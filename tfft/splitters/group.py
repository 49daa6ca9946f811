"""Group: rows of one user, document or session stay together."""

import warnings
from typing import Any

import numpy as np
import pyarrow.compute as pc

from tfft.errors import DataError
from tfft.splitters import Basis, Splitter, check_folds, filled, fold_of_each, numbered


def build(*, column: str) -> Splitter:
    """Rows with the same value in a column never stand on both sides, or in two folds.

    The share is as close as whole groups come to it. Folds have the same mix of labels, as far as
    groups let them, where a row has one label; else about the same number of rows.

    Args:
        column: Of the training file, with the name of each row's group.
    """

    def set_aside(basis: Basis, fraction: float, seed: int, split: str) -> np.ndarray:
        groups, names = numbered(basis.values)
        if len(names) < 2:
            raise DataError(
                f"data.{split}: all rows have the value {names[0].as_py()!r} in the column {column!r}, and a "
                "group stays together. Name another column, or name a file."
            )
        is_aside = _chosen(np.bincount(groups), fraction, seed)
        return np.flatnonzero(is_aside[groups])

    def folds(basis: Basis, count: int, seed: int) -> np.ndarray:
        from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

        groups, names = numbered(basis.values)
        check_folds(len(names), count, f"groups of the column {column!r}")
        if basis.kind not in ("label", "rank"):
            return fold_of_each(len(groups), GroupKFold(count).split(groups, groups=groups))
        ids, _ = numbered(basis.targets)
        check_folds(np.bincount(ids).max(), count, "rows of the most frequent label")
        with warnings.catch_warnings():
            # Of a label with fewer rows than folds, some folds have none, and its figures tell.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            parts = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(ids, ids, groups)
            return filled(fold_of_each(len(groups), parts), count)

    def tell(basis: Basis) -> dict[str, Any]:
        return {"groups": len(pc.unique(basis.values))}

    return Splitter(set_aside, folds, column, tell)


def _chosen(sizes: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return which groups are set aside, bool `[groups]`.

    Groups come in random order until the share is reached; then one group at a time changes sides,
    the one that brings the share closest, for as long as it comes closer. Neither side is left empty.

    Args:
        sizes: Rows of each group, `[groups]`.
        fraction: Share of the rows.
        seed: Of the order.
    """
    # The draw of numpy's legacy generator, which must not change between versions.
    order = np.random.RandomState(seed).permutation(len(sizes))
    rows = sizes[order]
    goal = fraction * rows.sum()
    is_aside = np.cumsum(rows) <= goal
    while True:
        missing = goal - rows[is_aside].sum()
        after = np.abs(missing - np.where(is_aside, -rows, rows))
        # Whoever is alone on a side stays, or the side would be empty.
        for side in (is_aside, ~is_aside):
            if side.sum() == 1:
                after[side] = np.inf
        best = int(after.argmin())
        if is_aside.any() and after[best] >= abs(missing):
            break
        is_aside[best] = not is_aside[best]
    chosen = np.empty_like(is_aside)
    chosen[order] = is_aside
    return chosen
