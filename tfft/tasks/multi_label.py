"""Any number of labels for one text, or for two."""

import math
from typing import Any

from tfft.errors import SettingError
from tfft.tasks import Facts, Outputs, Report, Task, likeliest_first


def build() -> Task:
    """Any number of the labels for each row, none included; a sigmoid decides on each label by itself.

    The head starts at the log-odds of each label's share of the training rows, so that the first steps are
    not spent on learning that most labels are rare (Lin et al. 2017, "Focal Loss for Dense Object
    Detection", sections 3.3 and 4.1). The best epoch has the lowest loss: before thresholds are tuned, F1 at
    one half may be 0 while the model gets better.

    Returns:
        A task whose answer is `labels` (string `[N, labels]`), those from their threshold on, the
        likeliest first, filled up with empty strings; their probabilities `scores` (float32
        `[N, labels]`), filled up with 0; and `probabilities` (float32 `[N, labels]`, in the order of
        the labels). A threshold is one half or, by the section `threshold`, tuned for each label.
    """
    return Task(
        columns=("text", "labels"),
        kind="labels",
        loss="binary_cross_entropy",
        monitor="val_loss",
        collect=_collect,
        encode=_encode,
        outputs=_outputs,
        check=_check,
        tune=_tune,
        report=_report,
        judge=_judge,
    )


def _collect(column: Any) -> Facts:
    from tfft import labels

    names = labels.collect(labels.flat(column))
    return Facts(names, rates=tuple(labels.rates(column, names, "data.train").tolist()))


def _encode(column: Any, facts: Facts, where: str) -> Any:
    from tfft import labels

    return labels.encode_sets(column, facts.labels, where)


def _outputs(facts: Facts, decision: Any) -> Outputs:
    import keras
    import tensorflow as tf

    from tfft.micro_f1 import MicroF1

    names = tf.constant([*facts.labels, ""])
    # A label that all rows have would begin, and stay, at infinity.
    rates = [min(rate, 0.999) for rate in facts.rates]
    lowest = tf.constant(decision or [0.0] * len(facts.labels), tf.float32)  # margins: logits

    class F1Micro(MicroF1):
        """F1 of all pairs of a row and a label together, at one half."""

        def update_state(self, targets, logits, sample_weight=None):
            answers, truths = logits >= 0, targets > 0
            self.count(right=answers & truths, answers=answers, truths=truths)

    def answer(logits: Any) -> dict[str, Any]:
        probabilities = tf.nn.sigmoid(logits)
        is_answered = logits >= lowest
        # Those that are answered first, and of them the likeliest first.
        order = tf.argsort(tf.where(is_answered, logits, -float("inf")), direction="DESCENDING", stable=True)
        is_answered = tf.gather(is_answered, order, batch_dims=1)
        return {
            # Numbers are chosen, not names: LiteRT chooses between no others.
            "labels": tf.gather(names, tf.where(is_answered, order, len(facts.labels))),
            "scores": tf.where(is_answered, tf.gather(probabilities, order, batch_dims=1), 0.0),
            "probabilities": probabilities,
        }

    return Outputs(
        size=len(facts.labels),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=lambda: [F1Micro(name="f1_micro")],
        modes={"f1_micro": "max", "loss": "min"},
        answer=answer,
        of_examples={"classify": lambda logits: likeliest_first(facts.labels, tf.nn.sigmoid(logits))},
        bias=[math.log(rate / (1 - rate)) for rate in rates],
    )


def _check(facts: Facts, targets: Any, positive: str | None) -> None:
    if positive is not None:
        raise SettingError(
            "threshold.positive",
            positive,
            "must not be set with the task multi_label, which has a threshold for each label",
            fix="Leave the key out.",
        )


def _tune(
    logits: Any, targets: Any, facts: Facts, positive: str | None, metric: str
) -> tuple[list[float], str]:
    from tfft import evaluation_of_label_sets

    margins = evaluation_of_label_sets.tune(logits, targets)
    shifted = sum(margin != 0 for margin in margins)
    return margins, f"Thresholds: {shifted} of {len(margins)} labels have one of their own, the rest one half"


def _judge(answers: Any, targets: Any, facts: Facts) -> tuple[str, float]:
    right = [
        {*filter(None, given)} == {name for name, has in zip(facts.labels, row, strict=True) if has}
        for given, row in zip(answers["labels"], targets, strict=True)
    ]
    return "subset_accuracy", sum(right) / len(right)


def _report(logits: Any, targets: Any, facts: Facts, decision: Any, texts: Any, title: str) -> Report:
    from tfft import evaluation_of_label_sets

    return evaluation_of_label_sets.report(logits, targets, texts, facts.labels, decision, title)
