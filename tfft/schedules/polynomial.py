"""Polynomial: a power of the share of the steps that are left.

Source: Chen et al. 2018, "DeepLab", the learning rate policy "poly" of the experiments, with
power 0.9. https://arxiv.org/abs/1606.00915
"""

from typing import Annotated

from pydantic import Field

from tfft.schedules import Course


def build(
    *,
    power: Annotated[float, Field(gt=0, le=100)] = 0.9,
    end: Annotated[float, Field(ge=0, le=1)] = 0.0,
) -> Course:
    """Fall along a power of the share of the steps that are left.

    Args:
        power: Above 1 most of the fall comes early, below 1 late. 1 is the schedule `linear`.
        end: Factor on the peak that is reached after the last step.
    """
    from keras import ops

    return Course(lambda progress: end + (1.0 - end) * ops.power(1.0 - progress, power))
