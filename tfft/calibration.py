"""Probabilities that mean what they say, and a score of how unlike the known texts a text is.

A fine-tuned model is surer than it is right. One number, the temperature, by which all
logits are divided, mends most of it and changes no likeliest label; it is the one that makes
the loss of the validation rows lowest (Guo et al. 2017, "On Calibration of Modern Neural
Networks", section 4.2).

The labels of a classifier are a closed world: of a text about something else, too, the
probabilities are one in all. What such a text lacks is evidence for any label, and that is the free energy
of its logits (Liu et al. 2020, "Energy-based Out-of-distribution Detection", section 3.1), here in standard
deviations from the mean of the validation rows.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy import optimize

from tfft.tasks import Outputs

_WIDEST = 20.0
"""Temperatures are looked for between this and one by this."""


def fit(logits: np.ndarray, targets: np.ndarray, outputs: Outputs) -> tuple[dict[str, Any], str]:
    """Return what the validation rows tell, ready for JSON, and a line about it.

    Args:
        logits: float32 `[rows, size]`, of the plain model.
        targets: As `outputs.loss` compares them with logits.
        outputs: Of the task.

    Returns:
        `temperature`; it is 1 where no other is better, or none is best: all rows are answered right, and the
        surer the better.
        With a task that has an `energy`, also `energy_mean` and `energy_deviation` at that temperature.
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
    fitted = {"temperature": temperature}
    if outputs.energy is not None:
        energies = outputs.energy(tf.constant(logits / np.float32(temperature))).numpy().astype(np.float64)
        # Of a sure model all energies are nearly one; what is left of their differences is rounding.
        deviation = max(float(energies.std()), 1e-3)
        fitted |= {"energy_mean": float(energies.mean()), "energy_deviation": deviation}
    return fitted, f"Temperature of the logits, by {len(logits)} validation answers: {told}"


def apply(head: keras.Model, fitted: Mapping[str, float]) -> keras.Model:
    """Return a head whose logits are divided by the temperature.

    Args:
        head: Vectors to logits.
        fitted: What `fit` returned.
    """
    cooled = keras.layers.Rescaling(1 / fitted["temperature"], dtype="float32", name="temperature")
    return keras.Model(head.input, cooled(head.output), name=head.name)


def scored(
    answer: Callable[..., dict[str, tf.Tensor]],
    energy: Callable[[tf.Tensor], tf.Tensor],
    fitted: Mapping[str, float],
) -> Callable[..., dict[str, tf.Tensor]]:
    """Return a function to an answer with `ood_score`, float32 `[N]`.

    Args:
        answer: Logits, at the temperature, to named outputs.
        energy: Of the task.
        fitted: What `fit` returned.
    """

    def scoring(logits: tf.Tensor) -> dict[str, tf.Tensor]:
        score = (energy(logits) - fitted["energy_mean"]) / fitted["energy_deviation"]
        return answer(logits) | {"ood_score": score}

    return scoring
