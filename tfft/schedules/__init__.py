"""Schedules: each file builds the course of the learning rate, as shares of its peak."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def straight(progress: Any) -> Any:
    """Rise in equal parts from nothing."""
    return progress


@dataclass(frozen=True)
class Course:
    """The two shapes of a schedule.

    Each is a function from progress in [0, 1] (a number, an array or a tensor) to the
    factor on the peak learning rate, of the same shape.

    Attributes:
        fall: After the warmup; 1 at progress 0.
        rise: During the warmup; 1 at progress 1.
    """

    fall: Callable[[Any], Any]
    rise: Callable[[Any], Any] = straight
