"""The learning rate: its course over the steps, and its share for each variable.

Layers near the input hold general knowledge of the language and should move
little; the head starts from random weights and must move most. The rate falls
by one constant factor with every layer below the head (Howard & Ruder 2018,
"Universal Language Model Fine-tuning for Text Classification", section 3.2,
https://arxiv.org/abs/1801.06146).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfft.layer_groups import HEAD, Group, first_match, refuse_idle
from tfft.schedules import Course


@dataclass(frozen=True)
class Segment:
    """Steps over which the course is run through once.

    Attributes:
        start: Its first step.
        steps: Their number.
        warmup: Those of them over which the rate rises.
        peak: Highest rate.
    """

    start: int
    steps: int
    warmup: int
    peak: float


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A rise to the peak, then a fall to the segment's last step; the same anew in the next segment.

    Step t, from 0, of the warmup has the progress (t + 1) / warmup of the rise, so that
    the first step already learns; the step after it starts the fall at progress 0.

    Args:
        segments: In order, the first one from step 0.
        course: Shape of rise and fall.
    """

    def __init__(self, segments: Sequence[Segment], course: Course) -> None:
        self.segments, self.course = tuple(segments), course

    def __call__(self, step):
        """Return the rate, a float32 scalar, of a step that counts from 0."""
        step = ops.cast(step, "float32")
        rate = self._within(self.segments[0], step)
        for segment in self.segments[1:]:
            rate = ops.where(step < segment.start, rate, self._within(segment, step))
        return rate

    def _within(self, segment: Segment, step: Any) -> Any:
        step = step - segment.start
        risen = ops.clip((step + 1.0) / max(segment.warmup, 1), 0.0, 1.0)
        rest = max(segment.steps - segment.warmup, 1)
        fallen = ops.clip((step - segment.warmup) / rest, 0.0, 1.0)
        return segment.peak * ops.where(
            step < segment.warmup, self.course.rise(risen), self.course.fall(fallen)
        )


def multipliers(
    groups: Sequence[Group],
    *,
    learning_rate: float,
    head_learning_rate: float | None,
    layer_decay: float,
    rules: Sequence[tuple[str, float]],
    ever: Collection[str],
) -> dict[str, float]:
    """Return the factor on the learning rate of each variable, by its path.

    Args:
        groups: All layers from the input upward; the last is the head.
        learning_rate: Peak rate that the factors refer to.
        head_learning_rate: Peak rate of the head; None for the common one.
        layer_decay: Rate of a layer over the rate of the layer above it. The head's factor
            is 1, and so is that of BERT's pooler, which like the head reads what the top
            block gives.
        rules: Selectors with the peak rate of what they select, which neither decay nor
            the head's rate touches. The first that matches decides.
        ever: Paths of the variables that train in some phase.

    Raises:
        ValueError: Two variables have one path, so that one would get the other's rate.
        SettingError: A selector is not understood, or a rule decides the rate of nothing that ever trains.
    """
    keys = [f"optimizer.rates.{index}.layers" for index in range(len(rules))]
    texts = [text for text, _ in rules]
    ruled = first_match(keys, texts, groups)
    refuse_idle(keys, texts, {path: index for path, index in ruled.items() if path in ever}, groups)
    found: dict[str, float] = {}
    for group in groups:
        if group.name == HEAD:
            usual = (head_learning_rate or learning_rate) / learning_rate
        else:
            usual = layer_decay ** (groups[-1].depth - group.depth)
        for variable in group.variables:
            if variable.path in found:
                raise ValueError(f"two variables have the path {variable.path}")
            rule = ruled.get(variable.path)
            found[variable.path] = usual if rule is None else rules[rule][1] / learning_rate
    return found


def layerwise(optimizer_class: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    """Return the optimizer class with a learning rate for every variable, in phases.

    A multiplier for each variable scales both the update and the decoupled weight
    decay, which Keras applies at the global rate. One optimizer for all, unlike one
    for each group, also keeps one step count and one norm for clipping.

    Build it with all variables that ever train, then call `enter` at the start of
    each phase, before its step is traced, and once its own variables are restored when a
    run goes on. Slots, step count and schedule go on. Where several replicas train, `apply` takes the
    gradients summed over all of them.

    Args:
        optimizer_class: Any Keras optimizer that updates one variable at a time.
    """

    class Layerwise(optimizer_class):
        def build(self, variables):
            super().build(variables)
            # All rates are lowered by it: on a plateau, or after a step that went wrong.
            self.rate_scale = self.add_variable((), "ones", name="rate_scale")
            # Steps that each variable spent frozen, up to the step of the last phase change.
            self.idle = self.add_variable([len(variables)], "zeros", "int64", name="idle")
            self.entered = self.add_variable((), "zeros", "int64", name="entered")
            # Which variables train in the phase; kept, since a restored optimizer must not count
            # the steps of the phase as idle ones.
            self.active = self.add_variable([len(variables)], "zeros", "bool", name="active")
            self._multipliers = (0.0,) * len(variables)
            self._idle, self._idle_now = (0,) * len(variables), 0
            self._decays = tuple(decays(variable) for variable in variables)

        def enter(self, variables: Iterable[keras.Variable], multiplier_of: Mapping[str, float]) -> None:
            """Begin a phase in which `variables` train, each at its multiple of the rate.

            Raises:
                ValueError: A variable has no multiplier, or was not there when the optimizer was built.
            """
            variables = list(variables)
            absent = [variable.path for variable in variables if variable.path not in multiplier_of]
            if absent:
                raise ValueError(f"no learning rate for {', '.join(absent)}")
            self._check_variables_are_known(variables)
            # numpy(), since int() does not know the variables of a strategy with several replicas.
            now, idle, active = self._iterations.numpy(), self.idle.numpy(), self.active.numpy()
            indices = [self._get_variable_index(variable) for variable in variables]
            train = np.isin(np.arange(len(idle)), indices)
            if not np.array_equal(train, active):  # else it is a phase that goes on, as after a resume
                idle = idle + np.where(active, 0, now - self.entered.numpy())
                self.idle.assign(idle)
                self.entered.assign(now)
                self.active.assign(train)
            factors = [0.0] * len(idle)
            for index, variable in zip(indices, variables, strict=True):
                factors[index] = multiplier_of[variable.path]
            self._multipliers, self._idle = tuple(factors), tuple(map(int, idle))

        @property
        def iterations(self):
            """Steps so far; inside a variable's update, those in which it took part.

            Adam's bias correction is of each variable's own running means: one that
            thaws at step 1000 has means of no step yet.
            """
            return self._iterations - self._idle_now if self._idle_now else self._iterations

        def _get_current_learning_rate(self):
            rate = super()._get_current_learning_rate()
            return rate * ops.cast(self.rate_scale, rate.dtype) if self.built else rate

        def apply(self, grads, trainable_variables=None):
            # The gradient of an embedding holds a token's row once for each of its places. Keras
            # squares such rows one by one, for the norm and for the running means, where their
            # sum is to be squared. The running means are dense anyway.
            dense = [None if grad is None else tf.convert_to_tensor(grad) for grad in grads]
            super().apply(dense, trainable_variables)

        def _all_reduce_sum_gradients(self, grads_and_vars):
            # They come summed: Keras sums after clipping, by the norm of each replica's part, and after
            # the loss's scale is judged, by the part of the first replica.
            return list(grads_and_vars)

        def update_step(self, gradient, variable, learning_rate):
            index = self._get_variable_index(variable)
            rate = ops.cast(learning_rate, variable.dtype) * self._multipliers[index]
            if self.weight_decay and self._decays[index]:
                self.assign_sub(variable, variable * (rate * self.weight_decay))
            self._idle_now = self._idle[index]
            super().update_step(gradient, variable, rate)
            self._idle_now = 0

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
