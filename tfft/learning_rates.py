"""The learning rate: its course over the steps, and its share at each depth of the model.

Layers near the input hold general knowledge of the language and should move
little; the head starts from random weights and must move most. The rate falls
by one constant factor with every layer below the head (Howard & Ruder 2018,
"Universal Language Model Fine-tuning for Text Classification", section 3.2,
https://arxiv.org/abs/1801.06146).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import ops


class WarmupThenDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A straight rise to the peak, then a schedule to the last step.

    Step t, from 0, of the warmup has the rate peak (t + 1) / warmup_steps, so that the
    first step already learns; the step after it starts the schedule at progress 0.

    Args:
        peak: Highest rate.
        warmup_steps: Steps of the rise; 0 for none.
        total_steps: Steps of the whole run.
        factor: Progress in [0, 1] to the factor on the peak.
    """

    def __init__(
        self, peak: float, warmup_steps: int, total_steps: int, factor: Callable[[Any], Any]
    ) -> None:
        self.peak, self.warmup_steps, self.total_steps = peak, warmup_steps, total_steps
        self.factor = factor

    def __call__(self, step):
        """Return the rate, a float32 scalar, of a step that counts from 0."""
        step = ops.cast(step, "float32")
        rise = (step + 1.0) / max(self.warmup_steps, 1)
        rest = max(self.total_steps - self.warmup_steps, 1)
        progress = ops.clip((step - self.warmup_steps) / rest, 0.0, 1.0)
        return self.peak * ops.where(step < self.warmup_steps, rise, self.factor(progress))


def multipliers(
    variables_at: Iterable[tuple[int, Iterable[keras.Variable]]],
    *,
    layer_decay: float,
    top: int,
    head_factor: float,
    head: Iterable[keras.Variable],
) -> dict[str, float]:
    """Return the factor on the learning rate of each variable, by its path.

    Args:
        variables_at: (depth, variables) of the backbone, depth 0 being the embeddings.
        layer_decay: Rate of a layer over the rate of the layer above it.
        top: Depth of the head. BERT's pooler has that depth too: like
            the head it reads what the top block gives.
        head_factor: Factor of the head, 1 if it has no rate of its own.
        head: Variables of the head.

    Raises:
        ValueError: Two variables have one path, so that one would get the other's rate.
    """
    found: dict[str, float] = {}
    for depth, variables in variables_at:
        for variable in variables:
            _add(found, variable, layer_decay ** (top - depth))
    for variable in head:
        _add(found, variable, head_factor)
    return found


def _add(found: dict[str, float], variable: keras.Variable, factor: float) -> None:
    if variable.path in found:
        raise ValueError(f"two variables have the path {variable.path}")
    found[variable.path] = factor


def layerwise(
    multiplier_of: Mapping[str, float], optimizer_class: type[keras.optimizers.Optimizer]
) -> type[keras.optimizers.Optimizer]:
    """Return the optimizer class with a multiplier for every variable.

    The multiplier scales both the update and the decoupled weight decay, which Keras
    applies at the global rate. One optimizer for all, unlike one for each group, also
    keeps one step count and one norm for clipping.

    Args:
        multiplier_of: Factor on the learning rate by variable path. A trainable variable
            that is not in it is an error when the optimizer is built.
        optimizer_class: Any Keras optimizer that updates one variable at a time.
    """

    class Layerwise(optimizer_class):
        def build(self, variables):
            super().build(variables)
            absent = [variable.path for variable in variables if variable.path not in multiplier_of]
            if absent:
                raise ValueError(f"no learning rate for {', '.join(absent)}")
            self._multipliers = tuple(multiplier_of[variable.path] for variable in variables)
            self._decays = tuple(decays(variable) for variable in variables)

        def update_step(self, gradient, variable, learning_rate):
            index = self._get_variable_index(variable)
            rate = ops.cast(learning_rate, variable.dtype) * self._multipliers[index]
            if self.weight_decay and self._decays[index]:
                self.assign_sub(variable, variable * (rate * self.weight_decay))
            super().update_step(gradient, variable, rate)

        def _apply_weight_decay(self, variables):
            """Done in `update_step`, where the rate of the variable is known."""

    Layerwise.__name__ = f"Layerwise{optimizer_class.__name__}"
    return Layerwise


def decays(variable: keras.Variable) -> bool:
    """Return whether weight decay applies: to kernels and embeddings, not to biases and norms.

    Keras's attention keeps its biases in two dimensions, [heads, width], so that the
    number of dimensions alone does not tell.
    """
    return len(variable.shape) > 1 and variable.name != "bias"
