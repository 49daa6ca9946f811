"""How far two answers to the same requests are apart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

TOLERANCE = 1e-5
"""Largest difference of a number, relative to it where it is above 1, that passes as the same in float32."""


_WIDTHS = {"ood_score": 5.0}
"""Numbers that are wider than a probability, and by how much: five deviations are as far as matters."""


@dataclass(frozen=True)
class Difference:
    """Between answers.

    Attributes:
        largest: Of two numbers at one place, relative to that expected where it is above 1, of `ood_score` a
            fifth; NaN where one of them is.
        unlike: Names of the outputs whose texts or shapes differ, or that one side lacks.
        refused: Errors that stand in place of an answer.
    """

    largest: float
    unlike: tuple[str, ...]
    refused: tuple[str, ...] = ()

    @property
    def is_small(self) -> bool:
        """Whether the answers pass as the same."""
        return self.largest <= TOLERANCE and not self.unlike and not self.refused

    def __str__(self) -> str:
        told = [f"numbers differ by up to {self.largest:.2e} (allowed {TOLERANCE})"]
        told.append(f"these texts differ: {', '.join(self.unlike) or 'none'}")
        if self.refused:
            told.append(f"{len(self.refused)} requests were refused, the first by {self.refused[0]}")
        return ", and ".join(told)


def difference(pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any] | str]]) -> Difference:
    """Return how far answers are from those expected.

    Args:
        pairs: What was expected, and what came: outputs by their names, lists of numbers or texts, or
            the text of an error in place of what came.
    """
    largest, unlike, refused = 0.0, set[str](), []
    for expected, found in pairs:
        if isinstance(found, str):
            refused.append(found)
            continue
        unlike |= expected.keys() ^ found.keys()
        for name in expected.keys() & found.keys():
            if expected[name] == found[name]:
                continue
            one, other = _numbers(expected[name]), _numbers(found[name])
            if one is None or other is None or one.shape != other.shape:
                unlike.add(name)
            else:
                # Not `max`, which passes over NaN.
                apart = np.abs(one - other) / np.maximum(np.abs(one), 1.0) / _WIDTHS.get(name, 1.0)
                largest = float(np.maximum(largest, apart.max(initial=0.0)))
    return Difference(largest, tuple(sorted(unlike)), tuple(refused))


def _numbers(value: Any) -> np.ndarray | None:
    """Return values as an array of numbers, None if they are none."""
    try:
        array = np.array(value)
    except ValueError:  # lists of several lengths
        return None
    return array.astype(float) if array.dtype.kind in "fiub" else None
