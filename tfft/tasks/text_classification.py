"""One label for one text."""

from collections.abc import Sequence
from typing import Any

from tfft.tasks import Task


def build(labels: Sequence[str], /) -> Task:
    """Exactly one of the labels for each text, by softmax cross entropy.

    Returns:
        A task whose answer is `label` (string `[N]`), its probability `score`
        (float32 `[N]`), and `probabilities` (float32 `[N, labels]`, in the order
        of the labels).
    """
    import keras
    import tensorflow as tf

    def answer(logits: Any) -> dict[str, Any]:
        probabilities = tf.nn.softmax(logits)
        return {
            "label": tf.gather(tf.constant(list(labels)), tf.argmax(logits, axis=-1)),
            "score": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
        }

    return Task(
        outputs=len(labels),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=lambda: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        answer=answer,
    )
