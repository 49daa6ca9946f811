"""Huber loss of a number: squared near the truth, linear far from it, so that outliers count less.

Source: Huber 1964, "Robust Estimation of a Location Parameter", section 4.
https://doi.org/10.1214/aoms/1177703732
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from tfft.losses import RowLoss

OF = "number"


def build(counts: Sequence[float], /, *, delta: Annotated[float, Field(gt=0)] = 1.0) -> RowLoss:
    """Half the squared difference up to delta, and linear beyond.

    Args:
        delta: Where the line begins, in units of the training rows' standard deviation.
    """
    import keras

    return lambda numbers, logits: keras.losses.huber(numbers[:, None], logits, delta=delta)
