"""Cosine: half a period of a cosine from the peak learning rate down.

Source: Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts.
https://arxiv.org/abs/1608.03983
"""

import math
from typing import Annotated, Any

from pydantic import Field


def factor(progress: Any, /, *, end: Annotated[float, Field(ge=0, le=1)] = 0.0) -> Any:
    """Fall along half a cosine from the peak learning rate.

    Args:
        progress: Share of the steps after the warmup that are done, in [0, 1];
            a number, an array or a tensor.
        end: Factor on the peak that is reached after the last step.

    Returns:
        The factor on the peak learning rate, of the shape of `progress`.
    """
    from keras import ops

    return end + (1.0 - end) * 0.5 * (1.0 + ops.cos(math.pi * progress))
