"""The steps of a learner on all replicas, traced.

In place of the train and test functions of Keras's trainer, which under a strategy averages a batch to
build the model, padding masks included, and cannot join the logs of several workers
(https://github.com/keras-team/keras/issues/20585); what it shows of several replicas is of one of them. Here
nothing of a step leaves the replicas; metrics are read after it, and count all rows of all replicas.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfft.learner import Learner


class Steps:
    """One optimizer step, and the measuring of one batch.

    Args:
        learner: Compiled and told what it learns by, its metrics built.
        strategy: In whose scope it was made.

    Attributes:
        train: An iterator over batches to the metrics so far, tensors by name, after a step on the next.
        test: The same, after measuring the next.
    """

    def __init__(self, learner: Learner, strategy: tf.distribute.Strategy) -> None:
        self.learner, self.strategy = learner, strategy
        self.trace()
        self.test = self._traced(learner.test_step)

    def trace(self) -> None:
        """Trace the optimizer step anew, for what trains is looked up at that time."""
        self.train = self._traced(self.learner.train_step)

    def _traced(self, step: Callable[[Any], Any]) -> Callable[[Any], dict[str, tf.Tensor]]:
        @tf.function(autograph=False, reduce_retracing=True)
        def on_all(iterator: Any) -> dict[str, tf.Tensor]:
            self.strategy.run(step, (next(iterator),))
            return self.learner.get_metrics_result()

        return on_all
