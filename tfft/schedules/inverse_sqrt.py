"""Inverse square root: as one over the root of the steps, which never arrives at zero.

Sources: Vaswani et al. 2017, "Attention Is All You Need", section 5.3, equation 3.
https://arxiv.org/abs/1706.03762 Raffel et al. 2020, "T5", section 3.1.2.
https://arxiv.org/abs/1910.10683
"""

from typing import Annotated

from pydantic import Field

from tfft.schedules import Course


def build(*, timescale: Annotated[float, Field(gt=0)] = 0.1) -> Course:
    """Fall as one over the square root of the steps.

    With the timescale s, the factor on the peak after the share p of the steps that follow the
    warmup is sqrt(s / (s + p)). Vaswani's form, where s is the length of the warmup, is
    `timescale: 0.1111` for a warmup of 0.1: warmup / (1 - warmup). Unlike the other
    schedules it does not need to know where the run ends, and ends high: at 0.3 with
    the default.

    Args:
        timescale: As a share of the steps after the warmup. After three times as many steps
            the rate has halved.
    """
    from keras import ops

    return Course(lambda progress: ops.sqrt(timescale / (timescale + progress)))
