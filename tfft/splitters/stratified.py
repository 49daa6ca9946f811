"""Stratified: each side, and each fold, gets the same mix of what is to be answered."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfft import labels, numbers
from tfft.errors import DataError, SettingError
from tfft.splitters import Basis, Splitter, check_folds, fold_of_each, numbered, wanted

_PARTS = 10  # of numbers


def build() -> Splitter:
    """The same mix of labels on each side. Of several labels a row's rarest counts, of numbers its decile."""
    return Splitter(_set_aside, _folds)


def _set_aside(basis: Basis, fraction: float, seed: int, split: str) -> np.ndarray:
    if basis.kind in ("label", "rank"):
        return _of_labels(basis.targets, fraction, seed, split)
    from sklearn.model_selection import train_test_split

    rows = basis.texts.num_rows
    count = wanted(rows, fraction, split)
    # Of each stratum at least one row must belong to either side.
    strata = _merged(_strata(basis), 1 / min(fraction, 1 - fraction))
    _, aside = train_test_split(np.arange(rows), test_size=count, random_state=seed, stratify=strata)
    return aside


def _of_labels(targets: pa.ChunkedArray, fraction: float, seed: int, split: str) -> np.ndarray:
    from sklearn.model_selection import train_test_split

    ids, names = numbered(targets)
    count = round(fraction * len(ids))
    counts = np.bincount(ids)
    if counts.min() >= 2 and min(count, len(ids) - count) >= len(names):
        sides = train_test_split(np.arange(len(ids)), test_size=count, random_state=seed, stratify=ids)
        if all(len(np.unique(ids[side])) == len(names) for side in sides):
            return sides[1]
    rarest = names[int(counts.argmin())].as_py()
    raise DataError(
        f"data.{split}: {fraction} of {len(ids)} rows cannot hold each of {len(names)} labels "
        f"on both sides (the rarest, {rarest!r}, has {counts.min()}). Raise the fraction, add rows, "
        f"or name a file."
    )


def _folds(basis: Basis, folds: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import StratifiedKFold

    rows = basis.texts.num_rows
    check_folds(rows, folds, "rows")
    if basis.kind in ("label", "rank"):
        strata, _ = numbered(basis.targets)
        check_folds(np.bincount(strata).max(), folds, "rows of the most frequent label")
    else:
        strata = _merged(_strata(basis), folds)
    with warnings.catch_warnings():
        # Of a label with fewer rows than folds, some folds have none, and its figures tell.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = StratifiedKFold(folds, shuffle=True, random_state=seed).split(strata, strata)
        return fold_of_each(rows, parts)


def _strata(basis: Basis) -> np.ndarray:
    """Return the stratum of each row, int `[rows]`, where a row has not one label.

    Raises:
        SettingError: There is nothing to go by.
    """
    if basis.kind == "labels":
        return _rarest(basis.targets)
    if basis.kind == "number":
        # What is no number is told when the targets are read, with its row.
        values = np.nan_to_num(numbers.read(basis.targets))
        edges = np.quantile(values, np.arange(1, _PARTS) / _PARTS)
        return np.searchsorted(edges, values, side="right")
    raise SettingError(
        "data.splitter",
        "stratified",
        "must not be set with a task whose rows have neither labels nor a number",
        fix="Take random, group, time or hash.",
    )


def _rarest(sets: pa.ChunkedArray) -> np.ndarray:
    """Return for each row the place of its rarest label in the order of their rarity.

    Args:
        sets: Lists of labels, `[rows]`; the rows without one share the last place.
    """
    ids, names = numbered(labels.flat(sets))
    place = np.argsort(np.argsort(np.bincount(ids, minlength=len(names)), kind="stable"))
    lengths = pc.list_value_length(sets).to_numpy()
    rarest = np.full(len(sets), len(names))
    np.minimum.at(rarest, np.repeat(np.arange(len(sets)), lengths), place[ids])
    return rarest


def _merged(strata: np.ndarray, fewest: float) -> np.ndarray:
    """Return strata of at least `fewest` rows each, the smaller ones joined.

    Where all of the smaller ones together are too few, they join the largest.
    """
    counts = np.bincount(strata)
    is_small = counts < fewest
    joined = np.where(is_small[strata], -1, strata)
    if counts[is_small].sum() < fewest:
        joined[joined == -1] = counts.argmax()
    return np.unique(joined, return_inverse=True)[1]
