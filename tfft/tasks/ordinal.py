"""One label of several that have an order, for one text or for two.

Source: Niu et al. 2016, "Ordinal Regression with Multiple Output CNN for Age
Estimation", section 3: a question for each step of the order, whether the row is
above it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfft.errors import SettingError
from tfft.tasks import Facts, Outputs, Report, Task, likeliest_first, share_right, undecided


def build(*, order: list[str] | None = None) -> Task:
    """One of several labels that have an order, such as stars: a near miss is less wrong than a far one.

    Args:
        order: The labels from the lowest to the highest; null takes that of numbers.

    Returns:
        A task whose answer is `label` (string `[N]`), its probability `score` (float32 `[N]`),
        `probabilities` (float32 `[N, labels]`, in their order), and `rank` (float32 `[N]`), the
        expected place in the order, from 0.
    """
    return Task(
        columns=("text", "label"),
        kind="rank",
        loss="cumulative",
        monitor="val_mae",
        collect=lambda column: Facts(_ordered(column, order)),
        encode=_encode,
        outputs=_outputs,
        check=undecided("ordinal"),
        tune=lambda *_: (None, ""),
        report=_report,
        judge=share_right,
    )


def _ordered(column: Any, order: Sequence[str] | None) -> tuple[str, ...]:
    from tfft import labels

    found = labels.collect(column)
    if order is None:
        if not labels.are_numbers(found):
            raise SettingError(
                "task.order",
                None,
                f"must be set, for these labels are no numbers: {', '.join(found)}",
                fix="List them from the lowest to the highest.",
            )
        return found
    if sorted(order) != sorted(found):
        raise SettingError(
            "task.order",
            list(order),
            f"must list each label of the training rows once: {', '.join(found)}",
            fix="List them from the lowest to the highest.",
        )
    return tuple(order)


def _encode(column: Any, facts: Facts, where: str) -> Any:
    from tfft import labels

    return labels.encode(column, facts.labels, where)


def _outputs(facts: Facts, decision: Any) -> Outputs:
    import keras
    import tensorflow as tf

    names = tf.constant([*facts.labels])
    steps = len(facts.labels) - 1

    def above(logits: Any) -> Any:
        """Return the probability of being above each step, `[N, steps]`.

        Each question is asked by itself, and the answers may contradict one another: to be above
        a step, a row must be above all those below it.
        """
        falling = [tf.nn.sigmoid(logits[:, 0])]
        for step in range(1, steps):
            falling.append(tf.minimum(falling[-1], tf.nn.sigmoid(logits[:, step])))
        return tf.stack(falling, axis=1)

    def answered(logits: Any) -> Any:
        is_above = tf.cast(logits >= 0, tf.int32)
        passed = [is_above[:, 0]]
        for step in range(1, steps):  # not by a cumulative product, which LiteRT does not have
            passed.append(passed[-1] * is_above[:, step])
        return tf.reduce_sum(tf.stack(passed, axis=1), axis=1)

    def of_each(passed: Any) -> Any:
        """Return the probability of each label, `[N, labels]`, from that of being above each step."""
        edge = tf.ones_like(passed[:, :1])
        return tf.concat([edge, passed], axis=1) - tf.concat([passed, 0 * edge], axis=1)

    def answer(logits: Any) -> dict[str, Any]:
        passed = above(logits)
        probabilities = of_each(passed)
        chosen = answered(logits)
        return {
            "label": tf.gather(names, chosen),
            "score": tf.gather(probabilities, chosen, batch_dims=1),
            "probabilities": probabilities,
            "rank": tf.reduce_sum(passed, axis=1),
        }

    def loss(ids: Any, logits: Any) -> Any:
        is_above = tf.cast(tf.cast(tf.reshape(ids, [-1, 1]), tf.int32) > tf.range(steps), tf.float32)
        return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(is_above, logits), axis=1)

    class Mae(keras.metrics.Mean):
        """Mean distance of the answer from the truth, in places of the order."""

        def update_state(self, ids, logits, sample_weight=None):
            return super().update_state(tf.abs(answered(logits) - tf.cast(tf.reshape(ids, [-1]), tf.int32)))

    class Accuracy(keras.metrics.Mean):
        """Share of the rows with the right answer."""

        def update_state(self, ids, logits, sample_weight=None):
            return super().update_state(answered(logits) == tf.cast(tf.reshape(ids, [-1]), tf.int32))

    return Outputs(
        size=steps,
        loss=loss,
        metrics=lambda: [Accuracy(name="accuracy"), Mae(name="mae")],
        modes={"accuracy": "max", "mae": "min", "loss": "min"},
        answer=answer,
        of_examples={"classify": lambda logits: likeliest_first(facts.labels, of_each(above(logits)))},
    )


def _report(logits: Any, ids: Any, facts: Facts, decision: Any, texts: Any, title: str) -> Report:
    from tfft import evaluation_of_numbers

    # Above a step is who is above all those below it, as in the answer.
    predicted = np.cumprod(logits >= 0, axis=1).sum(axis=1)
    return evaluation_of_numbers.report_ranks(predicted, ids, texts, facts.labels, title)
