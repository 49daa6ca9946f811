"""One label for one text."""

from collections.abc import Sequence
from typing import Any

from tfft.tasks import Task


def build(labels: Sequence[str], threshold: tuple[int, float] | None, /) -> Task:
    """Exactly one of the labels for each text, by softmax.

    Returns:
        A task whose answer is `label` (string `[N]`), its probability `score`
        (float32 `[N]`), and `probabilities` (float32 `[N, labels]`, in the order
        of the labels). The label is the likeliest one or, where there is a threshold
        (id of the positive one of two, and the lowest margin of its logit), what that decides.
    """
    import keras
    import tensorflow as tf

    class F1Macro(keras.metrics.F1Score):
        """Mean of the F1 of the labels that occur, or are answered, among the rows so far."""

        def update_state(self, ids, logits, sample_weight=None):
            answers = tf.argmax(logits, axis=-1)
            return super().update_state(
                tf.one_hot(tf.reshape(ids, [-1]), len(labels)), tf.one_hot(answers, len(labels))
            )

        def result(self):
            wrong = self.false_positives + self.false_negatives
            seen = tf.cast(self.true_positives + wrong > 0, tf.float32)
            f1 = tf.math.divide_no_nan(2 * self.true_positives, 2 * self.true_positives + wrong)
            return tf.math.divide_no_nan(tf.reduce_sum(f1), tf.reduce_sum(seen))

    def answer(logits: Any) -> dict[str, Any]:
        probabilities = tf.nn.softmax(logits)
        if threshold is None:
            chosen = tf.argmax(logits, axis=-1)
        else:
            positive, lowest = threshold
            margins = logits[:, positive] - logits[:, 1 - positive]
            chosen = tf.where(margins >= lowest, positive, 1 - positive)
        return {
            "label": tf.gather(tf.constant(list(labels)), chosen),
            "score": tf.gather(probabilities, chosen, batch_dims=1),
            "probabilities": probabilities,
        }

    return Task(
        outputs=len(labels),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=lambda: [
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            F1Macro(name="f1_macro"),
        ],
        modes={"accuracy": "max", "f1_macro": "max", "loss": "min"},
        answer=answer,
    )
