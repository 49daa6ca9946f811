"""Tasks: each file says what a row's target is, what the model answers, and how answers are measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfft.errors import SettingError


@dataclass(frozen=True)
class Facts:
    """What the training rows tell of the target; it is kept with the model.

    Attributes:
        labels: Names in the order of their ids; none where the target is a number.
        rates: Share of the rows that have each label, where a row may have several.
        scheme: How tags tell entities, as `entities.scheme` has it, where each word has a tag.
        mean: Of a number over the training rows.
        scale: Standard deviation of a number over the training rows.
    """

    labels: tuple[str, ...] = ()
    rates: tuple[float, ...] = ()
    scheme: str = ""
    mean: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Outputs:
    """What a task needs of the model, and makes of its logits.

    Attributes:
        size: Number of logits.
        loss: Keras loss of (targets, logits) that validation shows, whatever training minimises.
        metrics: Makes the Keras metrics that are shown during training.
        modes: For each metric and `loss`, whether the higher (`max`) or the lower (`min`) is better.
        answer: Logits `[N, size]` to the named outputs of the exported model, in TensorFlow
            operations; where each word has a tag, logits `[N, words, size]`, the `Words` and the texts.
        bias: What the logits begin with in training, `[size]`; none begins with zeros.
        of_examples: What TensorFlow Serving's calls Classify and Regress answer, by the name of the
            signature: logits to `classes` (string `[N, labels]`) and `scores` (float32 `[N, labels]`), or
            to `outputs` (float32 `[N]`).
        of_words: Where each word has a tag, logits to what of the answer needs no text.
    """

    size: int
    loss: Any
    metrics: Callable[[], list[Any]]
    modes: Mapping[str, str]
    answer: Callable[..., dict[str, Any]]
    bias: Sequence[float] = ()
    of_examples: Mapping[str, Callable[[Any], dict[str, Any]]] = field(default_factory=dict)
    of_words: Callable[[Any], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Report:
    """What a model did on one split.

    Attributes:
        figures: Ready for JSON; the first is `rows`.
        headline: The figures that matter most, in one line.
        tables: For people, as of rich.
        wrong: Arrow table of the rows that are answered worst, the worst first: `row` counts
            from 1, the header excluded.
    """

    figures: dict[str, Any]
    headline: str
    tables: Sequence[Any]
    wrong: Any


@dataclass(frozen=True)
class Task:
    """What the pipeline needs to know of a task.

    Attributes:
        columns: Names that the columns of the text and of the target have, unless the config says otherwise.
        kind: What a target is: `label`, one of several names; `labels`, any number of them; `rank`, a name
            among names in an order; `number`; `tags`, a name for each word. A loss says which it compares
            with; one of a label compares tags, too.
        loss: Name of the loss that is trained by, unless the config says otherwise.
        monitor: The value that chooses the best epoch, unless the config says otherwise.
        collect: The training rows' column of targets to their facts. Raises DataError.
        encode: A column of targets, the facts, and the key or file that the rows come from, for the text of
            an error, to an array whose first dimension counts rows: ids int32 `[rows]`, 0 or 1 float32
            `[rows, labels]`, or float32 `[rows]`; of tags, `Ragged` int32. Raises DataError.
        outputs: The facts and a decision, None for the plain one, to what the model needs.
        check: Refuses to tune a decision that cannot be tuned, by SettingError: the facts, the targets to
            tune on, and the positive label that the config names, if any.
        tune: Logits, float32 `[rows, size]`, targets, the facts, the positive label and the name of a metric
            to a decision, ready for JSON, and a line that tells it.
        report: Logits, targets, the facts, a decision, a table of the rows' texts and a title to a report.
        judge: What the exported model answers, lists by the names of the outputs, encoded targets and the
            facts to the name of a figure of the report and its value; None where an answer cannot be laid
            beside the target, for the export finds the words of a text itself.
        split: Raw texts to their words, where a row is words; None where it is a text.
    """

    columns: tuple[str, str]
    kind: str
    loss: str
    monitor: str
    collect: Callable[[Any], Facts]
    encode: Callable[[Any, Facts, str], Any]
    outputs: Callable[[Facts, Any], Outputs]
    check: Callable[[Facts, Any, str | None], None]
    tune: Callable[[Any, Any, Facts, str | None, str], tuple[Any, str]]
    report: Callable[..., Report]
    judge: Callable[[Mapping[str, Sequence[Any]], Any, Facts], tuple[str, float]] | None = None
    split: Callable[[Any], Any] | None = None


def undecided(name: str) -> Callable[[Facts, Any, str | None], None]:
    """Return the `check` of a task that has no decision to tune."""

    def check(facts: Facts, targets: Any, positive: str | None) -> None:
        raise SettingError(
            "threshold", name, "must not be set with a task that decides nothing", fix="Remove the section."
        )

    return check


def share_right(answers: Mapping[str, Sequence[Any]], ids: Any, facts: Facts) -> tuple[str, float]:
    """Return the share of the rows whose `label` is the true one: the `judge` of a task with one label."""
    right = [name == facts.labels[index] for name, index in zip(answers["label"], ids, strict=True)]
    return "accuracy", sum(right) / len(right)


def likeliest_first(names: Sequence[str], probabilities: Any) -> dict[str, Any]:
    """Return all labels of each row, the likeliest first, as TensorFlow Serving's call Classify gives them.

    Args:
        names: Of the labels.
        probabilities: float32 `[N, labels]`, in the order of the names.
    """
    import tensorflow as tf

    order = tf.argsort(probabilities, direction="DESCENDING", stable=True)
    return {
        "classes": tf.gather(tf.constant([*names]), order),
        "scores": tf.gather(probabilities, order, batch_dims=1),
    }
