"""One optimizer step: the loss of a batch, what is laid around it, and the update.

A step may take its batch in several micro-batches, so that a large batch fits into
memory. Their gradients are summed with each row's own share, so that the update is
that of the large batch, whatever the rows' lengths and however few the last one has;
the schedule and the optimizer count updates. Where several replicas take a part of the
batch each, the gradients are summed over them in the same way.
"""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfft.losses import RowLoss
from tfft.regularizers import Batch, Gradients, Loss, Regularizer


class Learner(keras.Model):
    """A model that trains by a loss of its own and validates by the one it is compiled with.

    A shell around shared layers, so that the optimizer's slots are not saved with the
    weights.

    Args:
        model: From inputs to logits `[N, labels]`.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(model.input, model.output)

    def compile(self, *positional: Any, metrics: Sequence[keras.Metric] = (), **named: Any) -> None:
        super().compile(*positional, metrics=list(metrics), **named)
        self._measuring = tuple(metrics)

    @property
    def measures(self) -> list[keras.Variable]:
        """What loss and metrics have counted so far; some metrics have no variables before the first step."""
        return [
            variable for metric in (self._loss_tracker, *self._measuring) for variable in metric.variables
        ]

    def learn_by(
        self,
        row_loss: RowLoss,
        regularizers: Sequence[Regularizer],
        micro_batch_size: int | None,
        *,
        compiles: bool = False,
    ) -> None:
        """Set what a training step minimises.

        Args:
            row_loss: Of each row.
            regularizers: The first is innermost.
            micro_batch_size: Rows whose gradient is taken at a time; None for all at once.
            compiles: XLA compiles the update, the metrics left out. Not Keras's `jit_compile`, which
                Keras turns off where operations are deterministic, and they always are here.
        """
        self._micro_batch_size = micro_batch_size
        self._compiles = compiles

        def loss(batch: Batch) -> tuple[Any, Any]:
            logits = self(batch.inputs, training=True)
            return tf.reduce_sum(batch.weights * row_loss(batch.labels, logits)), logits

        def gradients(batch: Batch) -> tuple[Any, Any, list[Any]]:
            with tf.GradientTape() as tape:
                value, logits = whole_loss(batch)
                scaled = self.optimizer.scale_loss(value)
            return value, logits, tape.gradient(scaled, [v.value for v in self.trainable_variables])

        whole_loss: Loss = loss
        self._gradients: Gradients = gradients
        for regularizer in regularizers:
            whole_loss = regularizer.loss(whole_loss)
            self._gradients = regularizer.gradients(self._gradients)

    def train_step(self, data):
        """Take one optimizer step on (inputs, labels, weights, counts); return the metrics so far.

        Args:
            data: `counts` are how many of the rows are real, the others standing in for rows that are
                missing, and how many rows the batches of all replicas have together, int32 `[2]`.
        """
        inputs, labels, weights, counts = data
        real, rows = tf.unstack(counts)
        # A replica may have no row at all, of an epoch's last batch.
        is_real = tf.cast(tf.range(tf.shape(weights)[0]) < real, tf.float32)
        real_rows, all_rows = tf.cast(real, tf.float32), tf.cast(rows, tf.float32)
        batch = Batch(inputs, labels, weights * is_real / all_rows, real_rows / all_rows)
        loss, logits = self._update(batch)
        self._loss_tracker.update_state(loss * all_rows / tf.maximum(real_rows, 1.0), real_rows)
        return self.compute_metrics(inputs, labels[:real], logits[:real])

    def test_step(self, data):
        """Measure (inputs, labels, counts), counts as for a training step; return the metrics so far."""
        inputs, labels, counts = data
        real = counts[0]
        labels, logits = labels[:real], self(inputs, training=False)[:real]
        # Keras divides a mean by the number of replicas, as if they had no means of their own.
        loss = self.compute_loss(inputs, labels, logits, training=False)
        loss *= tf.distribute.get_replica_context().num_replicas_in_sync
        # The mean is over words where each has a target.
        counted = tf.math.count_nonzero(labels >= 0, dtype=tf.int32) if len(self.output.shape) == 3 else real
        self._loss_tracker.update_state(tf.where(counted > 0, loss, 0.0), counted)
        return self.compute_metrics(inputs, labels, logits)

    def _update(self, batch: Batch) -> tuple[Any, Any]:
        """Change the weights; return the loss and the logits."""
        replica = tf.distribute.get_replica_context()
        # Made where the step is traced, which is anew whenever other variables begin to train.
        compiled = functools.partial(tf.function, autograph=False, jit_compile=True)
        if replica.num_replicas_in_sync == 1:
            return (compiled(self._update_alone) if self._compiles else self._update_alone)(batch)
        # XLA compiles neither the sum over replicas nor the update after it, which meets them, too.
        differentiate = compiled(self._differentiate) if self._compiles else self._differentiate
        loss, logits, gradients = differentiate(batch)
        summed = iter(replica.all_reduce(tf.distribute.ReduceOp.SUM, [g for g in gradients if g is not None]))
        self.optimizer.apply(
            [None if g is None else next(summed) for g in gradients], self.trainable_variables
        )
        return loss, logits

    def _update_alone(self, batch: Batch) -> tuple[Any, Any]:
        loss, logits, gradients = self._differentiate(batch)
        self.optimizer.apply(gradients, self.trainable_variables)
        return loss, logits

    def _differentiate(self, batch: Batch) -> tuple[Any, Any, list[Any]]:
        if self._micro_batch_size is None:
            return self._gradients(batch)
        return self._in_micro_batches(batch, self._micro_batch_size)

    def _in_micro_batches(self, batch: Batch, size: int) -> tuple[Any, Any, list[Any]]:
        rows = tf.shape(batch.labels)[0]
        pieces = (rows + size - 1) // size

        def piece(number, loss, logits, gradients):
            # All of one shape, as XLA wants it: the last is filled up with the last row, at no weight.
            numbers = number * size + tf.range(size)
            real = tf.cast(numbers < rows, tf.float32)
            take = tf.minimum(numbers, rows - 1)
            inputs, labels, weights = tf.nest.map_structure(
                lambda tensor: tf.gather(tensor, take), (batch.inputs, batch.labels, batch.weights)
            )
            share = batch.share * tf.reduce_sum(real) / tf.cast(rows, tf.float32)
            more_loss, more_logits, more = self._gradients(Batch(inputs, labels, weights * real, share))
            total = [
                so_far if gradient is None else so_far + gradient
                for so_far, gradient in zip(gradients, more, strict=True)
            ]
            return number + 1, loss + more_loss, logits.write(number, more_logits), total

        _, loss, logits, gradients = tf.while_loop(
            lambda number, *_: number < pieces,
            piece,
            (
                0,
                0.0,
                tf.TensorArray(tf.float32, size=pieces, element_shape=[size, *self.output.shape[1:]]),
                [tf.zeros_like(variable.value) for variable in self.trainable_variables],
            ),
            parallel_iterations=1,  # side by side they would fill the memory that they are to save
        )
        return loss, logits.concat()[:rows], gradients
