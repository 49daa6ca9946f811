"""Cosine with warm restarts: half a cosine down, back up at once, and again over a longer cycle.

Source: Loshchilov & Hutter 2017, "SGDR", section 3, equation 5; the cycle lengths that grow
(T_mult) and the peak that may fall at each restart are at its end.
https://arxiv.org/abs/1608.03983
"""

import itertools
import math
from typing import Annotated, Any

from pydantic import Field

from tfft.schedules import Course


def build(
    *,
    cycles: Annotated[int, Field(ge=2, le=10)] = 3,
    growth: Annotated[float, Field(ge=1, le=4)] = 2.0,
    restart_factor: Annotated[float, Field(gt=0, le=1)] = 1.0,
    end: Annotated[float, Field(ge=0, le=1)] = 0.0,
) -> Course:
    """Fall along half a cosine, and start again at the peak learning rate.

    Only the first cycle follows a warmup. The weights worth keeping are those at the end of
    a cycle, and the last cycle ends with the run.

    Args:
        cycles: Number of falls. One alone is the schedule `cosine`.
        growth: Length of a cycle over that of the cycle before it. 2, as in the source, makes
            three cycles of 1/7, 2/7 and 4/7 of the steps after the warmup.
        restart_factor: Peak of a cycle over that of the cycle before it, both above `end`.
        end: Factor on the peak that each cycle falls to.
    """
    from keras import ops

    shares = [growth**cycle for cycle in range(cycles)]
    lengths = [share / sum(shares) for share in shares]
    starts = [0.0, *itertools.accumulate(lengths)][:cycles]

    def within(cycle: int, progress: Any) -> Any:
        height = (1.0 - end) * restart_factor**cycle
        position = (progress - starts[cycle]) / lengths[cycle]
        return end + height * 0.5 * (1.0 + ops.cos(math.pi * position))

    def fall(progress: Any) -> Any:
        factor = within(0, progress)
        for cycle in range(1, cycles):
            # Rounding in float32 must not leave the step of a restart at the bottom of the cycle before.
            factor = ops.where(progress < starts[cycle] - 1e-6, factor, within(cycle, progress))
        return factor

    return Course(fall)
