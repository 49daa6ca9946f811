"""Focal loss: cross entropy in which rows that are answered well count little.

Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", section 3,
equation 4. https://arxiv.org/abs/1708.02002
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from tfft.losses import RowLoss

OF = "label"


def build(counts: Sequence[int], /, *, gamma: Annotated[float, Field(ge=0)] = 2.0) -> RowLoss:
    """Cross entropy times (1 - p)^gamma, p being the probability of the true label.

    The paper's balancing factor alpha is `training.class_weights` here.

    Args:
        gamma: How fast a well-answered row loses weight; 0 is cross entropy.
    """
    import tensorflow as tf

    def loss(labels, logits):
        # In logarithms to the end: Keras's own clips probabilities, and with them the gradient.
        log_probability = tf.gather(tf.nn.log_softmax(logits), labels, batch_dims=1)
        # Zero to a power below one has no gradient, and a sure row has a probability of one.
        wrong = tf.maximum(-tf.math.expm1(log_probability), 1e-30)
        return -(wrong**gamma) * log_probability

    return loss
