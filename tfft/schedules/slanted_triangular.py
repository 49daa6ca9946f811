"""Slanted triangular: a short straight rise and a long straight fall, ULMFiT's schedule.

Source: Howard & Ruder 2018, "Universal Language Model Fine-tuning for Text
Classification", section 3.2, equation 3. https://arxiv.org/abs/1801.06146
"""

from typing import Annotated, Any

from pydantic import Field

from tfft.schedules import Course


def build(*, ratio: Annotated[float, Field(ge=1)] = 32.0) -> Course:
    """Rise in a straight line during the warmup, then fall back in another.

    The source's cut_frac is `schedule.warmup`, 0.1 there too.

    Args:
        ratio: The peak over the lowest rate, which the rise sets out from and the fall comes
            back to; the first step is already the first one up.
    """
    lowest = 1.0 / ratio

    def rise(progress: Any) -> Any:
        return lowest + (1.0 - lowest) * progress

    return Course(fall=lambda progress: rise(1.0 - progress), rise=rise)
