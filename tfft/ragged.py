"""Rows of different lengths in two flat arrays, which may lie in memory or in a file."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths.

    Attributes:
        flat: The values of all rows, one row after the other, `[values]`.
        offsets: Where each row begins, and where the last one ends, int64 `[rows + 1]`.
    """

    flat: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Values of each row, int64 `[rows]`."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> np.ndarray:
        """Number of the row of each value, int64 `[values]`."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of some rows, one after the other, and the length of each."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
        return self.flat[places], lengths
