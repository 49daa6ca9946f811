"""Stages written out one by one."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from tfft.errors import SettingError
from tfft.plugins import Settings
from tfft.unfreezing import Length, Stage


class Written(Settings):
    """One stage."""

    length: Length | None = None
    """How long it lasts, as in `1 epoch`; only the last stage has none and lasts to the end."""
    frozen: list[str] = []
    """Groups of layers that are frozen now: `embeddings`, `block 0`, …, `pooler`, `head`."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Peak of a schedule of this stage's own, warmup included; null goes on with the one before."""
    head_learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Peak of the head's rate in this stage; null for `optimizer.head_learning_rate`."""


def build(
    groups: Sequence[str],
    learning_rate: float,
    /,
    *,
    stages: Annotated[list[Written], Field(min_length=1)],
) -> list[Stage]:
    """Freeze and thaw as the list says.

    Args:
        stages: In order; `length`, `frozen`, `learning_rate` and `head_learning_rate` of each.
    """
    for index, stage in enumerate(stages):
        key = f"unfreezing.stages.{index}"
        if (stage.length is None) != (index == len(stages) - 1):
            raise SettingError(
                f"{key}.length",
                stage.length,
                "must be set for every stage but the last, which lasts to the end",
                fix="Write a length such as 1 epoch, or remove it from the last.",
            )
        if unknown := [name for name in stage.frozen if name not in groups]:
            raise SettingError(
                f"{key}.frozen",
                unknown[0],
                "must be a group of layers that freeze leaves to train",
                fix=f"They are {', '.join(groups)}.",
            )
    return [Stage(**dict(stage)) for stage in stages]
