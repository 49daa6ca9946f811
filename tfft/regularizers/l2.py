"""L2: the sum of the squared weights of the head, which keeps its answers moderate.

Unlike the optimizer's weight decay it is part of the loss, so that an adaptive
optimizer rescales it with the gradient (Loshchilov & Hutter 2019, section 2,
https://arxiv.org/abs/1711.05101).

Source: Hoerl & Kennard 1970, "Ridge Regression", section 2.
https://doi.org/10.1080/00401706.1970.10488634
"""

from typing import Annotated

from pydantic import Field

from tfft.regularizers import Parts, Regularizer, penalty


def build(parts: Parts, /, *, strength: Annotated[float, Field(gt=0)] = 1e-3) -> Regularizer:
    """Add `strength * sum w²` over the kernels of the head to the loss.

    Args:
        strength: Factor on the sum.
    """
    import keras

    kernels = [variable for variable in parts.head if variable.name == "kernel"]
    regularizer = keras.regularizers.L2(strength)
    return penalty(lambda: sum(regularizer(kernel.value) for kernel in kernels))
