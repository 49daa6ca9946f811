"""F1 of all rows together, counted batch by batch during training."""

from typing import Any

import keras
import tensorflow as tf


class MicroF1(keras.metrics.Metric):
    """F1 over all that is to be found; what that is, `update_state` of a task's own says by `count`."""

    def __init__(self, name):
        super().__init__(name=name)
        self.right, self.answers, self.truths = (
            self.add_weight(name=part, initializer="zeros") for part in ("right", "answers", "truths")
        )

    def count(self, *, right: Any, answers: Any, truths: Any) -> None:
        """Count what is answered rightly, what is answered, and what is there, booleans of any shape."""
        for total, which in ((self.right, right), (self.answers, answers), (self.truths, truths)):
            total.assign_add(tf.reduce_sum(tf.cast(which, tf.float32)))

    def result(self):
        return tf.math.divide_no_nan(2 * self.right, self.answers + self.truths)
