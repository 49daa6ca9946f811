"""L1: the sum of the absolute weights of the head, which drives useless ones to zero.

Source: Tibshirani 1996, "Regression Shrinkage and Selection via the Lasso", section 1.
https://doi.org/10.1111/j.2517-6161.1996.tb02080.x
"""

from typing import Annotated

from pydantic import Field

from tfft.regularizers import Parts, Regularizer, penalty


def build(parts: Parts, /, *, strength: Annotated[float, Field(gt=0)] = 1e-4) -> Regularizer:
    """Add `strength * sum |w|` over the kernels of the head to the loss.

    Args:
        strength: Factor on the sum.
    """
    import keras

    kernels = [variable for variable in parts.head if variable.name == "kernel"]
    regularizer = keras.regularizers.L1(strength)
    return penalty(lambda: sum(regularizer(kernel.value) for kernel in kernels))
