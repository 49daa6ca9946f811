"""Asymmetric loss: binary cross entropy in which easy rows without a label count little or nothing.

Source: Ridnik et al. 2021, "Asymmetric Loss For Multi-Label Classification", section 2,
equations 4 to 7. https://arxiv.org/abs/2009.14119
"""

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from tfft.losses import RowLoss

OF = "labels"


def build(
    counts: Sequence[float],
    /,
    *,
    gamma_positive: Annotated[float, Field(ge=0)] = 0.0,
    gamma_negative: Annotated[float, Field(ge=0)] = 4.0,
    clip: Annotated[float, Field(ge=0, lt=1)] = 0.05,
) -> RowLoss:
    """Mean over the labels of cross entropy that is focused on either side by a power of its own.

    With p the probability of a label, a row that has it costs -(1 - p)^gamma_positive log p, and one
    that has not -q^gamma_negative log(1 - q), where q is p less `clip`, at least 0. The paper
    sums over the labels, so its rates are for a loss that is larger by their number.

    Args:
        gamma_positive: How fast a row that surely has a label loses weight; 0 is cross entropy.
        gamma_negative: The same for a row that surely has not; best above `gamma_positive`,
            for most rows lack most labels.
        clip: Rows without a label that are given a probability up to this cost nothing; 0 lets
            all cost something.
    """
    import tensorflow as tf

    def loss(targets, logits):
        # In logarithms to the end: a probability of one has no logarithm of its rest.
        yes, no = tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits)
        positive = tf.exp(gamma_positive * no) * yes
        # log(1 - q) = log(1 - p + clip), at most 0.
        rest = tf.minimum(math.log(clip) + tf.math.softplus(no - math.log(clip)), 0.0) if clip else no
        # Zero to a power below one has no gradient, and what is clipped has a q of zero.
        shifted = tf.maximum(tf.sigmoid(logits) - clip, 1e-30)
        negative = shifted**gamma_negative * rest
        return -tf.reduce_mean(targets * positive + (1 - targets) * negative, axis=-1)

    return loss
