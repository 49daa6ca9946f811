"""Hash: each row's side follows from what it says, whatever other rows there are."""

import hashlib
import itertools
from collections.abc import Iterator

import numpy as np

from tfft.errors import DataError
from tfft.splitters import Basis, Splitter, filled

_BITS = 64


def build(*, column: str | None = None) -> Splitter:
    """By a hash of each row's text and the seed alone: stable when rows are added, removed or reordered.

    The same text never stands on both sides, or in two folds; texts are the same that are so to the
    letter. The share is met on average, not exactly.

    Args:
        column: Of the training file, to take the hash of instead of the text; null takes the text.
    """

    def set_aside(basis: Basis, fraction: float, seed: int, split: str) -> np.ndarray:
        # By the split's name, too, or validation would be cut out of what the test split left.
        hashes = _hashes(basis, f"{seed} {split}")
        edge = int(fraction * 2**_BITS)
        aside = np.array([row for row, found in enumerate(hashes) if found < edge], np.int64)
        if not 0 < len(aside) < basis.texts.num_rows:
            raise DataError(
                f"data.{split}: by their hash, {fraction} of {basis.texts.num_rows} rows are "
                f"{'all' if len(aside) else 'none'}. Add rows, take another training.seed, or name a file."
            )
        return aside

    def folds(basis: Basis, count: int, seed: int) -> np.ndarray:
        hashes = _hashes(basis, f"{seed} fold")
        return filled(np.array([(found * count) >> _BITS for found in hashes], np.int64), count)

    return Splitter(set_aside, folds, column)


def _hashes(basis: Basis, salt: str) -> Iterator[int]:
    """Yield a whole number below 2 to the power of 64 for each row."""
    start = hashlib.blake2b(salt.encode(), digest_size=_BITS // 8)
    columns = [basis.values] if basis.values is not None else basis.texts.columns
    for row in zip(*(_texts(column) for column in columns), strict=True):
        found = start.copy()
        for text in itertools.chain.from_iterable([part] if isinstance(part, str) else part for part in row):
            coded = text.encode()
            found.update(b"%d:" % len(coded))  # or a pair could be cut elsewhere and be the same
            found.update(coded)
        yield int.from_bytes(found.digest(), "big")


def _texts(column) -> Iterator[str | list[str]]:
    for chunk in column.chunks:
        yield from chunk.to_pylist()
