"""Train: Keras's own `fit`, in phases, with progress, the best weights kept, and a stop at the first NaN."""

import contextlib
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tfft.errors import TrainingError


def run(
    learner: keras.Model,
    train: tf.data.Dataset,
    validation: tf.data.Dataset,
    *,
    epochs: int,
    steps_per_epoch: int,
    phases: Sequence[tuple[int, Callable[[], None]]],
    monitor: str,
    mode: str,
    whole: keras.Model,
    weights: Path,
    history: Path,
    callbacks: Sequence[keras.callbacks.Callback],
    say: Callable[[str], None],
) -> None:
    """Train a model and keep the weights of its best epoch.

    Args:
        learner: What is trained, compiled, its optimizer built: the whole classifier, or
            its head on kept features.
        train: Batches (inputs, labels, weights) without end.
        validation: Batches (inputs, labels) of all validation rows.
        epochs: At most.
        steps_per_epoch: Batches that hold each row once.
        phases: First step of each phase, the first being 0, and what puts it in force.
        monitor: Name in the epoch's logs that chooses the best epoch.
        mode: `max` or `min`: which value of `monitor` is better.
        whole: The model whose weights are kept; it shares its layers with `learner`.
        weights: File for the weights of the best epoch, replaced at each improvement.
        history: CSV file, one line an epoch.
        callbacks: More Keras callbacks.
        say: Called with one line of text for each epoch.

    Raises:
        TrainingError: The loss is no longer a number.
    """
    best = BestWeights(whole, weights, monitor=monitor, mode=mode)
    facts = EpochFacts()
    progress = ShowProgress(epochs, steps_per_epoch, facts, best, say)
    with progress, contextlib.ExitStack() as stack:
        for callback in callbacks:
            if hasattr(callback, "close"):  # Keras ends no callback of a training that fails
                stack.callback(callback.close)
        learner.fit(
            train,
            validation_data=validation,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            shuffle=False,  # the batches come shuffled
            verbose=0,
            callbacks=[
                EnterPhases(phases),
                StopAtNaNEpoch(),
                facts,
                best,
                progress,
                keras.callbacks.CSVLogger(str(history)),
                *callbacks,
                StopAtNaNStep(),  # after the others, of which one may have put it right
            ],
        )
    say(f"Kept the weights of epoch {best.epoch + 1}: {monitor} {best.value:.4f}")


class EnterPhases(keras.callbacks.Callback):
    """Put each phase in force before its first step, which is traced anew.

    Keras looks up what trains when it traces the step, so that a changed flag alone
    would change nothing. Steps are the optimizer's, as those of the schedule are: one
    that loss scaling skips counts for neither.
    """

    def __init__(self, phases: Sequence[tuple[int, Callable[[], None]]]) -> None:
        super().__init__()
        self.phases = list(phases)

    def on_train_batch_begin(self, batch, logs=None):
        while self.phases and int(self.model.optimizer.iterations) >= self.phases[0][0]:
            _, enter = self.phases.pop(0)
            enter()
            self.model.make_train_function(force=True)


class StopAtNaNStep(keras.callbacks.Callback):
    """End the training at the step whose loss is not a number: the weights are spoilt from there on."""

    def on_train_begin(self, logs=None):
        self.step, self.last = 0, None

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if "loss" not in logs:
            return  # a callback has put it right and taken the value out
        if not math.isfinite(logs["loss"]):
            rate = float(self.model.optimizer.learning_rate)
            last = "there was none before it" if self.last is None else f"it was {self.last:.4g} before"
            raise TrainingError(
                f"The loss is {logs['loss']} at step {self.step} ({last}; learning rate {rate:.3g}). "
                "Lower optimizer.learning_rate, raise schedule.warmup, set optimizer.clip_norm to 1, or add "
                "nan_guard to callbacks. "
                "The weights of the best epoch before it, if one ended, are in the run folder."
            )
        self.last = logs["loss"]


class StopAtNaNEpoch(keras.callbacks.Callback):
    """End the training after an epoch whose last step spoilt the weights: they must not be kept."""

    def on_epoch_end(self, epoch, logs=None):
        spoilt = [name for name in ("loss", "val_loss") if not math.isfinite(logs[name])]
        if spoilt:
            raise TrainingError(
                f"{spoilt[0]} is {logs[spoilt[0]]} at the end of epoch {epoch + 1}. Lower "
                "optimizer.learning_rate, raise schedule.warmup, set optimizer.clip_norm to 1, or add "
                "nan_guard to callbacks."
            )


class EpochFacts(keras.callbacks.Callback):
    """Add the last step's learning rate and the duration to the epoch's logs, for those that follow."""

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()

    def on_train_batch_begin(self, batch, logs=None):
        self.rate = float(self.model.optimizer.learning_rate)  # after the step it is the next one's

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = self.rate
        logs["seconds"] = time.monotonic() - self._start


class BestWeights(keras.callbacks.Callback):
    """Keep the weights of the best epoch so far in one file, which is always whole."""

    def __init__(self, whole: keras.Model, path: Path, *, monitor: str, mode: str) -> None:
        super().__init__()
        self.whole, self.path, self.monitor, self.mode = whole, path, monitor, mode
        self.epoch, self.value = -1, math.nan

    def on_epoch_end(self, epoch, logs=None):
        value = float(logs[self.monitor])
        better = value > self.value if self.mode == "max" else value < self.value
        if math.isnan(self.value) or better:  # at first there is no value to compare with
            self.epoch, self.value = epoch, value
            temporary = self.path.with_name("writing.weights.h5")
            self.whole.save_weights(temporary)
            os.replace(temporary, self.path)


class ShowProgress(keras.callbacks.Callback):
    """A bar on a terminal, and a line at the end of every epoch."""

    def __init__(self, epochs: int, steps: int, epoch_facts: EpochFacts, best: BestWeights, say) -> None:
        super().__init__()
        self.epochs, self.steps, self.say = epochs, steps, say
        self.epoch_facts, self.best = epoch_facts, best
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=2,
        )

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *error):
        self._bar.stop()  # also after Ctrl-C, or the terminal would stay without a cursor

    def on_train_begin(self, logs=None):
        self._task = self._bar.add_task(
            "training", total=self.epochs * self.steps, facts="building the graph …"
        )

    def on_epoch_begin(self, epoch, logs=None):
        self._bar.update(self._task, description=f"epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch, logs=None):
        facts = " ".join(f"{name} {value:.4f}" for name, value in logs.items())
        self._bar.update(self._task, advance=1, facts=f"{facts} rate {self.epoch_facts.rate:.2e}")

    def on_test_begin(self, logs=None):
        self._bar.update(self._task, facts="validating …")

    def on_epoch_end(self, epoch, logs=None):
        figures = ", ".join(
            f"{name} {logs[name]:.4f}" for name in sorted(logs) if name not in ("learning_rate", "seconds")
        )
        star = " (best so far)" if self.best.epoch == epoch else ""
        self.say(f"Epoch {epoch + 1}/{self.epochs}: {figures}, {logs['seconds']:.0f} s{star}")
