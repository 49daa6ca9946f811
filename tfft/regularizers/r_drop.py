"""R-Drop: two passes with different dropout must agree.

Source: Liang et al. 2021, "R-Drop: Regularized Dropout for Neural Networks",
section 2.2. https://arxiv.org/abs/2106.14448
"""

from typing import Annotated

from pydantic import Field

from tfft.losses import mean_of_words
from tfft.regularizers import Batch, Loss, Parts, Regularizer


def build(parts: Parts, /, *, alpha: Annotated[float, Field(gt=0)] = 1.0) -> Regularizer:
    """Run every row twice and add the divergence of the two answers; a step costs twice as much.

    The loss is the mean of the two passes' losses plus alpha / 4 times the sum of the
    two Kullback-Leibler divergences: half of the paper's, which sums the two losses,
    so that the gradient has the size that it has without R-Drop. Where each logit answers
    a question of its own, the divergences are those of all questions; of numbers it is
    the squared difference, as in the paper's regression. Without dropout the passes are
    equal and there is nothing to agree on.

    Args:
        alpha: Weight of the divergence; the paper has 1 to 5.
    """
    import tensorflow as tf

    def around(inner: Loss) -> Loss:
        def twice(batch: Batch):
            both = tf.nest.map_structure(lambda x: tf.concat([x, x], axis=0), batch.inputs)
            labels, weights = (tf.concat([x, x], axis=0) for x in (batch.labels, batch.weights))
            loss, logits = inner(Batch(both, labels, weights / 2, batch.share))
            first, second = tf.split(logits, 2, axis=0)
            apart = tf.reduce_sum(difference(first, second), axis=-1)
            if parts.kind == "tags":
                apart = mean_of_words(apart, batch.labels)
            return loss + alpha / 4 * tf.reduce_sum(batch.weights * apart), first

        return twice

    def of_softmax(first, second):
        # KL(p|q) + KL(q|p) = sum (p - q) (log p - log q)
        logs = tf.nn.log_softmax(first) - tf.nn.log_softmax(second)
        return (tf.nn.softmax(first) - tf.nn.softmax(second)) * logs

    def of_sigmoids(first, second):
        # For p and 1 - p the same sum is (p - q) (logit p - logit q).
        return (tf.nn.sigmoid(first) - tf.nn.sigmoid(second)) * (first - second)

    def of_numbers(first, second):
        return tf.square(first - second)

    difference = {
        "label": of_softmax, "tags": of_softmax, "labels": of_sigmoids, "rank": of_sigmoids,
        "number": of_numbers,
    }[parts.kind]  # fmt: skip

    return Regularizer(loss=around)
