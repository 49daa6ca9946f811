"""Binary cross entropy: each label is a question of its own, whether the row has it."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from tfft.losses import RowLoss

OF = "labels"


def build(
    counts: Sequence[float],
    /,
    *,
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    positive_weight: Annotated[float, Field(gt=0)] = 1.0,
) -> RowLoss:
    """Sigmoid cross entropy, the mean over the labels.

    Args:
        label_smoothing: Share of each answer that is moved to one half.
        positive_weight: Weight of the labels that a row has against those that it has not; above 1 where
            rows have few of many labels and too little is answered.
    """
    import tensorflow as tf

    def loss(has, logits):
        target = has * (1 - label_smoothing) + label_smoothing / 2
        # Not tf.nn.weighted_cross_entropy_with_logits, whose gradient is wrong at a logit of 0, where a
        # head of zeros begins.
        each = positive_weight * target * tf.nn.softplus(-logits) + (1 - target) * tf.nn.softplus(logits)
        return tf.reduce_mean(each, axis=-1)

    return loss
