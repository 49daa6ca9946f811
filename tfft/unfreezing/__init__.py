"""Unfreezing: each file gives the stages of a run, in each of which other layers train."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError


def _some_time(length: str) -> str:
    if not float(length.rstrip(" %epochst")):
        raise PydanticCustomError("length", "must be longer than nothing")
    return length


Length = Annotated[
    str,
    Field(pattern=r"^(\d+ steps?|\d+(\.\d+)? epochs?|\d+(\.\d+)? ?%)$"),
    AfterValidator(_some_time),
]
"""How long a stage lasts: `200 steps`, `1 epoch`, `0.5 epochs`, or `20 %` of the whole run."""


@dataclass(frozen=True)
class Stage:
    """What trains for a while.

    Attributes:
        length: A `Length`; None for the last stage, which lasts to the end.
        frozen: Names of the groups of layers that are frozen now, whatever the config's `freeze` leaves free.
        learning_rate: Peak of a schedule of this stage's own, warmup included; None
            to go on with the schedule of the stage before.
        head_learning_rate: Peak of the head's rate; None for the config's.
    """

    length: str | None
    frozen: Sequence[str] = ()
    learning_rate: float | None = None
    head_learning_rate: float | None = None
