"""Tasks: each file says what the model answers: outputs, metrics, and logits to an answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """What the pipeline needs to know of a task.

    Attributes:
        outputs: Number of logits.
        loss: Keras loss of (ids, logits) that validation shows, whatever training minimises.
        metrics: Makes the Keras metrics that are shown during training.
        modes: For each metric and `loss`, whether the higher (`max`) or the lower (`min`) is better.
        answer: Logits `[N, outputs]` to the named outputs of the exported model, in
            TensorFlow operations.
    """

    outputs: int
    loss: Any
    metrics: Callable[[], list[Any]]
    modes: Mapping[str, str]
    answer: Callable[[Any], dict[str, Any]]
