"""Cumulative cross entropy of labels in an order: for each step, whether the row is above it.

Source: Niu et al. 2016, "Ordinal Regression with Multiple Output CNN for Age
Estimation", section 3.2; the sum of Cao et al. 2020, equation 4,
https://arxiv.org/abs/1901.07884
"""

from collections.abc import Sequence

from tfft.losses import RowLoss

OF = "rank"


def build(counts: Sequence[float], /) -> RowLoss:
    """The sum of the binary cross entropies of all steps, so that a far miss costs more than a near one."""
    import tensorflow as tf

    def loss(ids, logits):
        is_above = tf.cast(ids[:, None] > tf.range(len(counts) - 1), tf.float32)
        return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(is_above, logits), axis=-1)

    return loss
