"""An average of the weights along the training, by which it is validated, kept and exported.

The weights that train are put aside before each validation and back before the next
epoch; in between, whoever looks at the model sees the average.
"""

import logging
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfft.callbacks import trained_variables

_log = logging.getLogger("tfft")


class WeightAverage(keras.callbacks.Callback):
    """Keep an average of all that trains.

    Args:
        share: Number of the update, from 0, to the share of the present weights in the
            new average, a float32 scalar.
        start: Steps before the first update; up to it the weights themselves are validated.
        every: Steps between two updates.
    """

    def __init__(self, share: Callable[[tf.Tensor], tf.Tensor], *, start: int, every: int) -> None:
        super().__init__()
        self.share, self.start, self.every = share, start, every
        self.step = 0

    def on_train_begin(self, logs=None):
        # All that ever trains, so that layers which thaw later are in it from the start.
        self.variables = [variable.value for variable in trained_variables(self.model)]
        self.averages = [tf.Variable(v, trainable=False) for v in self.variables]
        self.updates = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.aside: list[tf.Tensor] | None = None
        self._update = tf.function(self._one_update, autograph=False)

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step > self.start and (self.step - self.start) % self.every == 0:
            self._update()

    def on_test_begin(self, logs=None):
        if self.aside is None and int(self.updates):
            self.aside = [tf.identity(v) for v in self.variables]
            for variable, average in zip(self.variables, self.averages, strict=True):
                variable.assign(average)

    def on_epoch_begin(self, epoch, logs=None):
        if self.aside is not None:
            for variable, value in zip(self.variables, self.aside, strict=True):
                variable.assign(value)
            self.aside = None

    def state(self):
        return {
            "step": self.step,
            "updates": int(self.updates),
            "averages": [np.asarray(average) for average in self.averages],
            "aside": None if self.aside is None else [np.asarray(value) for value in self.aside],
        }

    def restore(self, state):
        self.step = state["step"]
        self.updates.assign(state["updates"])
        for average, value in zip(self.averages, state["averages"], strict=True):
            average.assign(value)
        self.aside = None if state["aside"] is None else [tf.constant(value) for value in state["aside"]]

    def on_train_end(self, logs=None):
        _log.info(f"The average holds the weights after {int(self.updates)} steps")

    def _one_update(self) -> None:
        share = self.share(tf.cast(self.updates, tf.float32))
        # A spoilt step, which may yet be undone, must not spoil the average for good.
        is_good = tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in self.variables])
        for variable, average in zip(self.variables, self.averages, strict=True):
            average.assign(tf.where(is_good, average + share * (variable - average), average))
        self.updates.assign_add(tf.cast(is_good, tf.int64))
