"""Step: the learning rate drops by a factor at each milestone, and stays between them.

Source: He et al. 2016, "Deep Residual Learning", section 4.2: a tenth at 32 thousand and
again at 48 thousand of 64 thousand steps. https://arxiv.org/abs/1512.03385
"""

from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from tfft.schedules import Course


def _rising(milestones: list[float]) -> list[float]:
    if any(later <= earlier for earlier, later in pairwise(milestones)):
        raise PydanticCustomError("rising", "must rise from each milestone to the next")
    return milestones


def build(
    *,
    milestones: Annotated[
        list[Annotated[float, Field(gt=0, lt=1)]],
        Field(min_length=1),
        AfterValidator(_rising),
    ] = [0.5, 0.75],  # noqa: B006  (only read)
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1,
) -> Course:
    """Stay at one learning rate from each milestone to the next.

    Args:
        milestones: Where the rate drops, as rising shares of the steps after the warmup.
        factor: Rate after a milestone over the rate before it.
    """
    from keras import ops

    def fall(progress: Any) -> Any:
        found = progress * 0.0 + 1.0
        for milestone in milestones:
            # Rounding in float32 must not put off the drop by a step.
            found = ops.where(progress < milestone - 1e-6, found, found * factor)
        return found

    return Course(fall)
