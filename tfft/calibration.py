"""Probabilities that mean what they say.

A fine-tuned model is surer than it is right. One number, the temperature, by which all
logits are divided, mends most of it and changes no likeliest label; it is the one that makes
the loss of the validation rows lowest (Guo et al. 2017, "On Calibration of Modern Neural
Networks", section 4.2).
"""

import math

import keras
import numpy as np
import tensorflow as tf
from scipy import optimize

from tfft.tasks import Outputs

_WIDEST = 20.0
"""Temperatures are looked for between this and one by this."""


def fit(logits: np.ndarray, targets: np.ndarray, outputs: Outputs) -> tuple[float, str]:
    """Return the temperature that validation rows tell, and a line about it.

    Args:
        logits: float32 `[rows, size]`, of the plain model.
        targets: As `outputs.loss` compares them with logits.
        outputs: Of the task.

    Returns:
        1 where no other is better, or none is best: all rows are answered right, and the surer the better.
    """

    def loss(temperature: float) -> float:
        return float(tf.reduce_mean(outputs.loss(targets, logits / np.float32(temperature))))

    edge = math.log(_WIDEST)
    found = optimize.minimize_scalar(lambda x: loss(math.exp(x)), bounds=(-edge, edge), method="bounded")
    temperature, before, after = math.exp(found.x), loss(1.0), float(found.fun)
    if loss(1 / _WIDEST) <= after + 1e-6:
        temperature, told = 1.0, "1, for none is best where the answers leave no doubt"
    elif after >= before:
        temperature, told = 1.0, "1, and no other is better"
    else:
        told = f"{temperature:.3f}, which brings the loss from {before:.4f} to {after:.4f}"
    return temperature, f"Temperature of the logits, by {len(logits)} validation answers: {told}"


def apply(head: keras.Model, temperature: float) -> keras.Model:
    """Return a head whose logits are divided by the temperature.

    Args:
        head: Vectors to logits.
        temperature: What `fit` returned.
    """
    cooled = keras.layers.Rescaling(1 / temperature, dtype="float32", name="temperature")
    return keras.Model(head.input, cooled(head.output), name=head.name)
