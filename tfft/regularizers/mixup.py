"""Mixup: train on mixtures of the rows of a batch, of their vectors and of their losses.

Source: Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", section 2.
https://arxiv.org/abs/1710.09412. Of a text's vector right before the classifier: Guo et al. 2019,
"Augmenting Data with Mixup for Sentence Classification: An Empirical Study", section 3 (senMixup).
https://arxiv.org/abs/1905.08941
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from tfft.errors import SettingError
from tfft.regularizers import Batch, Loss, Parts, Regularizer

_QUANTILES = 4096


def build(parts: Parts, /, *, alpha: Annotated[float, Field(gt=0)] = 0.2) -> Regularizer:
    """Mix the vector of each row with that of another of its batch, before the head.

    Of a batch that several replicas share, or that is taken in micro-batches, the other row is of the
    same part.

    A share from Beta(alpha, alpha), drawn for each row, weighs the two vectors and, in the
    loss, their targets, each with the weight that its row has. The row itself has the larger
    share, which changes nothing on average, for each pair is as likely either way around; so
    the metrics of training compare mixtures with the target that prevails in them.

    Args:
        alpha: The larger, the nearer to halves the shares are. The paper has 0.1 to 0.4 for
            ImageNet, and 1 draws all shares alike.

    Raises:
        SettingError: It is not the first of the regularizers, or stands beside r_drop; each
            word has a target; or a batch has one row.
    """
    import tensorflow as tf
    from scipy import stats

    _check(parts)
    seed = tf.constant(parts.seed, tf.int64)
    # Quantiles, for XLA compiles no draws from a Beta or a Gamma distribution.
    upper = 0.5 + (np.arange(_QUANTILES) + 0.5) / (2 * _QUANTILES)
    shares = tf.constant(stats.beta(alpha, alpha).ppf(upper), tf.float32)

    def around(_: Loss) -> Loss:
        def mixed(batch: Batch):
            rows = tf.shape(batch.labels)[0]
            replica = tf.distribute.get_replica_context()
            number = tf.cast(parts.step, tf.int64) * replica.num_replicas_in_sync
            number += tf.cast(replica.replica_id_in_sync_group, tf.int64)
            seeds = tf.random.split(tf.stack([seed, number]), 2)
            drawn = tf.random.stateless_uniform([rows], seeds[0], maxval=_QUANTILES, dtype=tf.int32)
            share = tf.gather(shares, drawn)
            # Each row with the one so many places further on, around the end: never with itself.
            further = tf.random.stateless_uniform([], seeds[1])
            further = 1 + tf.cast(further * tf.cast(rows - 1, tf.float32), tf.int32)
            other = (tf.range(rows) + further) % rows

            vectors = parts.encode(batch.inputs)
            own = tf.cast(share, vectors.dtype)[:, tf.newaxis]
            logits = parts.classify(own * vectors + (1 - own) * tf.gather(vectors, other))
            losses = share * batch.weights * parts.row_loss(batch.labels, logits)
            of_others = parts.row_loss(tf.gather(batch.labels, other), logits)
            losses += (1 - share) * tf.gather(batch.weights, other) * of_others
            return tf.reduce_sum(losses), logits

        return mixed

    return Regularizer(loss=around)


def _check(parts: Parts) -> None:
    for is_wrong, problem, fix in (
        (
            parts.chosen[0] != "mixup",
            "must stand before all others, for they are laid around the loss that it makes",
            "Move it to the front.",
        ),
        (
            "r_drop" in parts.chosen,
            "must not be set with r_drop, whose two passes over a row would be two mixtures",
            "Remove one of them.",
        ),
        (
            parts.kind == "tags",
            "must not be set where each word has a tag, for words of two rows do not stand side by side",
            "Remove it.",
        ),
        (
            parts.rows < 2,
            "must not be set where a batch, or a micro-batch, has one row: there is none to mix it with",
            "Raise training.micro_batch_size or training.batch_size, or remove it.",
        ),
    ):
        if is_wrong:
            raise SettingError("regularizers", "mixup", problem, fix=fix)
