"""Tasks: each file says what the model answers: outputs, loss, metrics, and logits to an answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """What the pipeline needs to know of a task.

    Attributes:
        outputs: Number of logits.
        loss: Keras loss of (ids, logits).
        metrics: Makes the Keras metrics that are shown during training.
        answer: Logits `[N, outputs]` to the named outputs of the exported model, in
            TensorFlow operations.
    """

    outputs: int
    loss: Any
    metrics: Callable[[], list[Any]]
    answer: Callable[[Any], dict[str, Any]]
