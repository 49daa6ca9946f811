"""LP-FT: train the head alone, then everything from there.

A random head sends gradients through the backbone that distort its features before
the head has learned to use them; a head that is trained first does not.

Source: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and
Underperform Out-of-Distribution", section 3.4. https://arxiv.org/abs/2202.10054
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
    probe: Length = "1 epoch",
    probe_learning_rate: Annotated[float, Field(gt=0)] = 1e-3,
) -> list[Stage]:
    """Linear probing, then fine-tuning, each with a warmup and a decay of its own.

    Args:
        probe: How long the head trains alone.
        probe_learning_rate: Peak learning rate of the head while it trains alone.
    """
    backbone = [name for name in groups if name != "head"]
    return [
        Stage(probe, backbone, probe_learning_rate, probe_learning_rate),
        Stage(None, (), learning_rate),
    ]
