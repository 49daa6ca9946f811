"""One cycle: half a cosine up, half a cosine down to far below where it began.

Source: Smith & Topin 2018, "Super-Convergence", the policy 1cycle. https://arxiv.org/abs/1708.07120
It has three phases of straight lines; the two cosines, the divisors and the share of the
rise are those of fastai 1 and of PyTorch's OneCycleLR.
https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html
"""

import math
from typing import Annotated

from pydantic import Field

from tfft.schedules import Course


def build(
    *,
    start_divisor: Annotated[float, Field(ge=1)] = 25.0,
    end_divisor: Annotated[float, Field(ge=1)] = 2.5e5,
) -> Course:
    """Rise along half a cosine during the warmup, then fall along another.

    The rise lasts for `schedule.warmup`, which is 0.3 in fastai 1 and PyTorch; with a warmup
    of 0 there is none. Only the learning rate has a cycle here, not the momentum.

    Args:
        start_divisor: The peak over the rate that the rise sets out from; the first step is
            already the first one up.
        end_divisor: The peak over the rate that is reached after the last step. PyTorch
            counts its own, 1e4, from the start: 25 x 1e4 is the default here.
    """
    from keras import ops

    start, end = 1.0 / start_divisor, 1.0 / end_divisor
    return Course(
        fall=lambda progress: end + (1.0 - end) * 0.5 * (1.0 + ops.cos(math.pi * progress)),
        rise=lambda progress: start + (1.0 - start) * 0.5 * (1.0 - ops.cos(math.pi * progress)),
    )
