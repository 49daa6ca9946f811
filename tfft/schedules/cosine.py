"""Cosine: half a period of a cosine from the peak learning rate down.

Source: Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts.
https://arxiv.org/abs/1608.03983
"""

import math
from typing import Annotated

from pydantic import Field

from tfft.schedules import Course


def build(*, end: Annotated[float, Field(ge=0, le=1)] = 0.0) -> Course:
    """Fall along half a cosine from the peak learning rate.

    Args:
        end: Factor on the peak that is reached after the last step.
    """
    from keras import ops

    return Course(lambda progress: end + (1.0 - end) * 0.5 * (1.0 + ops.cos(math.pi * progress)))
