"""EMA: validate, keep and export an exponential moving average of the weights.

Source: Polyak & Juditsky 1992, "Acceleration of Stochastic Approximation by
Averaging" (https://doi.org/10.1137/0330046), in the exponential form; the ramp at the
start is that of tf.train.ExponentialMovingAverage's `num_updates`.
"""

from typing import Annotated, Any

from pydantic import Field

from tfft.callbacks import Fitting

RUNS_ON = "every worker"


def build(fitting: Fitting, /, *, decay: Annotated[float, Field(gt=0, lt=1)] = 0.999) -> Any:
    """Average the weights after every step; training itself goes on from the plain weights.

    Args:
        decay: Share of the old average that is kept each step; 0.999 looks back about
            1000 steps. Early on it is lower, (1 + n) / (10 + n) after n steps, so that
            the first weights do not weigh on a short run.
    """
    import tensorflow as tf

    from tfft.weight_average import WeightAverage

    return WeightAverage(lambda n: 1.0 - tf.minimum(decay, (1.0 + n) / (10.0 + n)), start=0, every=1)
