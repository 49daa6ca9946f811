"""Losses: each file compares logits with targets, row by row.

A loss names the kind of target that it is a loss `OF`, as a task does: `label`, ids int32
`[N]` by softmax; `labels`, 0 or 1 float32 `[N, labels]`; `rank`, ids int32 `[N]` against a
logit for each step of the order; `number`, float32 `[N]` against one logit. A loss of a
`label` is also one of `tags`, by way of `of_words`.
"""

from collections.abc import Callable
from typing import Any

RowLoss = Callable[[Any, Any], Any]
"""Targets, whose first dimension is `[N]`, and logits, float32 `[N, …]`, to losses, float32 `[N]`."""


def of_words(loss: RowLoss) -> RowLoss:
    """Return a loss of tags, ids int32 `[N, words]`, -1 after the last word, and logits `[N, words, tags]`.

    Args:
        loss: Of one label.

    Returns:
        The mean loss of the words of each row; 0 for a row without.
    """
    import tensorflow as tf

    def of_rows(ids, logits):
        flat = loss(tf.reshape(tf.maximum(ids, 0), [-1]), tf.reshape(logits, [-1, logits.shape[-1]]))
        return mean_of_words(tf.reshape(flat, tf.shape(ids)), ids)

    return of_rows


def mean_of_words(values: Any, ids: Any) -> Any:
    """Return the mean of each row's values, float32 `[N, words]`, where its ids are not below 0."""
    import tensorflow as tf

    is_word = tf.cast(ids >= 0, tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(values * is_word, axis=1), tf.reduce_sum(is_word, axis=1))
