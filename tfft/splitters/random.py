"""Random: any rows, each as likely as any other."""

import numpy as np

from tfft.splitters import Basis, Splitter, check_folds, fold_of_each, wanted


def build() -> Splitter:
    """Any rows, drawn by the seed."""
    return Splitter(_set_aside, _folds)


def _set_aside(basis: Basis, fraction: float, seed: int, split: str) -> np.ndarray:
    from sklearn.model_selection import train_test_split

    rows = basis.texts.num_rows
    _, aside = train_test_split(np.arange(rows), test_size=wanted(rows, fraction, split), random_state=seed)
    return aside


def _folds(basis: Basis, folds: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import KFold

    rows = basis.texts.num_rows
    check_folds(rows, folds, "rows")
    return fold_of_each(rows, KFold(folds, shuffle=True, random_state=seed).split(np.arange(rows)))
