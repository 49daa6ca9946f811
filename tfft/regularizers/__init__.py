"""Regularizers: each file changes the loss of a batch, or its gradients, against overfitting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tfft.errors import SettingError
from tfft.losses import RowLoss


class Batch(NamedTuple):
    """Rows whose gradient is taken in one piece.

    Attributes:
        inputs: Tensors by name, or one tensor; the first dimension counts rows.
        labels: Targets, such as label ids, int32 `[N]`.
        weights: Each row's share in the loss of the optimizer step, float32 `[N]`; its
            weight over the rows of the step.
        share: The rows of this batch over those of the step, a float32 scalar, by which
            a term that does not depend on the rows is scaled.
    """

    inputs: Any
    labels: Any
    weights: Any
    share: Any


Loss = Callable[[Batch], tuple[Any, Any]]
"""A batch to its loss, a float32 scalar, and its logits `[N, …]`."""

Gradients = Callable[[Batch], tuple[Any, Any, list[Any]]]
"""A batch to its loss, its logits and the gradient of every variable that trains now."""


@dataclass(frozen=True)
class Parts:
    """What a regularizer may look at.

    Attributes:
        backbone: Variables of the backbone that ever train and were not re-initialised.
        head: Variables of the head.
        token_embedding: The table of token vectors.
        learned: The variables whose gradients `Gradients` returns, in their order;
            asked anew whenever the step is traced.
        kind: What a target is, as the task has it: `label`, `labels`, `rank`, `number` or `tags`.
        step: Steps so far, an integer variable.
        seed: Of the run.
        encode: Inputs of a batch to the vector of each row, `[N, width]`, as in training.
        classify: Those to logits `[N, …]`, as in training.
        row_loss: Targets and logits to the loss of each row.
        rows: Of a batch at most.
        chosen: Names of all regularizers of the run; the first is innermost.
    """

    backbone: Sequence[Any]
    head: Sequence[Any]
    token_embedding: Any
    learned: Callable[[], Sequence[Any]]
    kind: str
    step: Any
    seed: int
    encode: Callable[[Any], Any]
    classify: Callable[[Any], Any]
    row_loss: RowLoss
    rows: int
    chosen: Sequence[str]

    def pretrained(self, name: str) -> Mapping[str, Any]:
        """Return a copy of the pretrained variables that ever train, by path.

        Args:
            name: Of the regularizer that asks.

        Raises:
            SettingError: There are none.
        """
        import tensorflow as tf

        if not self.backbone:
            raise SettingError(
                "regularizers",
                name,
                "must not be set where nothing pretrained trains",
                fix="Train some of the backbone, or remove it.",
            )

        return {v.path: tf.Variable(v.value, trainable=False) for v in self.backbone}


def _same_loss(inner: Loss) -> Loss:
    return inner


def _same_gradients(inner: Gradients) -> Gradients:
    return inner


@dataclass(frozen=True)
class Regularizer:
    """What is laid around the loss, and around the gradients."""

    loss: Callable[[Loss], Loss] = _same_loss
    gradients: Callable[[Gradients], Gradients] = _same_gradients


def penalty(term: Callable[[], Any]) -> Regularizer:
    """Return a regularizer that adds a term of the weights alone to the loss.

    Args:
        term: Gives a float32 scalar.
    """

    def around(inner: Loss) -> Loss:
        def penalised(batch: Batch) -> tuple[Any, Any]:
            loss, logits = inner(batch)
            return loss + batch.share * term(), logits

        return penalised

    return Regularizer(loss=around)
