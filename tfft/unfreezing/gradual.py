"""Gradual unfreezing: the head first, then one more block from the top at a time.

Source: Howard & Ruder 2018, "Universal Language Model Fine-tuning for Text
Classification", section 3.3. https://arxiv.org/abs/1801.06146
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from tfft.unfreezing import Length, Stage


def build(
    groups: Sequence[str],
    learning_rate: float,
    /,
    *,
    every: Length = "1 epoch",
    groups_at_once: Annotated[int, Field(ge=1)] = 1,
) -> list[Stage]:
    """Thaw from the top down; one schedule runs through the whole.

    Args:
        every: How long each stage lasts; the last, in which all trains, has the rest of the run.
        groups_at_once: Blocks that thaw together. The embeddings count as one, and so does
            the pooler where it is used.
    """
    backbone = [name for name in groups if name != "head"]
    frozen = [backbone[:last] for last in range(len(backbone), 0, -groups_at_once)]
    return [*(Stage(every, part) for part in frozen), Stage(None)]
