"""One label for one text, or for two."""

from typing import Any

from tfft.tasks import Facts, Outputs, Report, Task, likeliest_first, share_right


def build() -> Task:
    """Exactly one of the labels for each row, by softmax.

    Returns:
        A task whose answer is `label` (string `[N]`), its probability `score`
        (float32 `[N]`), and `probabilities` (float32 `[N, labels]`, in the order
        of the labels). The label is the likeliest one or, of two, what a threshold decides.
    """
    return Task(
        columns=("text", "label"),
        kind="label",
        loss="cross_entropy",
        monitor="val_accuracy",
        collect=_collect,
        encode=_encode,
        outputs=_outputs,
        check=_check,
        tune=_tune,
        report=_report,
        judge=share_right,
    )


def _collect(column: Any) -> Facts:
    from tfft import labels

    return Facts(labels.collect(column))


def _encode(column: Any, facts: Facts, where: str) -> Any:
    from tfft import labels

    return labels.encode(column, facts.labels, where)


def _outputs(facts: Facts, decision: Any) -> Outputs:
    import keras
    import tensorflow as tf

    labels = list(facts.labels)

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
        if decision is None:
            chosen = tf.argmax(logits, axis=-1)
        else:
            positive = decision["positive"]
            margins = logits[:, positive] - logits[:, 1 - positive]
            chosen = tf.where(margins >= decision["margin"], positive, 1 - positive)
        return {
            "label": tf.gather(tf.constant(labels), chosen),
            "score": tf.gather(probabilities, chosen, batch_dims=1),
            "probabilities": probabilities,
        }

    return Outputs(
        size=len(labels),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=lambda: [
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            F1Macro(name="f1_macro"),
        ],
        modes={"accuracy": "max", "f1_macro": "max", "loss": "min"},
        answer=answer,
        of_examples={"classify": lambda logits: likeliest_first(labels, tf.nn.softmax(logits))},
    )


def _check(facts: Facts, ids: Any, positive: str | None) -> None:
    from tfft import threshold

    threshold.check(positive, facts.labels, ids)


def _tune(
    logits: Any, ids: Any, facts: Facts, positive: str | None, metric: str
) -> tuple[dict[str, Any], str]:
    from dataclasses import asdict

    from tfft import threshold

    found, reached = threshold.tune(logits, ids, positive=facts.labels.index(str(positive)), metric=metric)
    return asdict(found), (
        f"{positive!r} is answered from a probability of {found.probability:.4f} on: "
        f"{metric} {reached:.4f} on the validation rows, which it was tuned on"
    )


def _report(logits: Any, ids: Any, facts: Facts, decision: Any, texts: Any, title: str) -> Report:
    from tfft import evaluation
    from tfft.threshold import Threshold

    decide = {} if decision is None else {"decide": Threshold(**decision).decide}
    return evaluation.report(logits, ids, texts, facts.labels, title, **decide)
