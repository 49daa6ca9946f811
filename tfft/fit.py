"""Train: epochs of steps, in phases, with progress, the best weights kept, and a stop at the first NaN.

Keras's `fit` begins an epoch at its first step and knows no other place. The loop here is the same but
for that: it goes on from any step, and from before a validation that was cut off, bit by bit as if it
had never stopped. What Keras has otherwise is Keras's: the traced step, `evaluate`, the callbacks.
"""

import contextlib
import csv
import errno
import io
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tfft import interruption, saves
from tfft.errors import RunError, TrainingError
from tfft.learner import Learner
from tfft.saves import Save

_FULL_OR_CLOSED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class Saving:
    """When the training is saved, and where.

    Attributes:
        folder: Of the saves.
        steps: Between two saves; None for none by steps.
        minutes: Between two saves; None for none by time.
        keep: Saves that stay; 0 writes none, and goes on from one that is there all the same.
    """

    folder: Path
    steps: int | None
    minutes: float | None
    keep: int


def run(
    learner: Learner,
    train: Callable[[int, int], tf.data.Dataset],
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
    saving: Saving | None,
    say: Callable[[str], None],
) -> None:
    """Train a model and keep the weights of its best epoch.

    It goes on from the newest save in the folder of saves, if there is one.

    Args:
        learner: What is trained, compiled, its optimizer built: the whole classifier, or
            its head on kept features.
        train: Epoch and step, both from 0, to the batches (inputs, labels, weights) from there on,
            without end.
        validation: Batches (inputs, labels) of all validation rows.
        epochs: At most.
        steps_per_epoch: Batches that hold each row once.
        phases: First step of each phase, the first being 0, and what puts it in force.
        monitor: Name in the epoch's logs that chooses the best epoch.
        mode: `max` or `min`: which value of `monitor` is better.
        whole: The model whose weights are kept; it shares its layers with `learner`.
        weights: File for the weights of the best epoch, replaced at each improvement.
        history: CSV file, one line an epoch.
        callbacks: More Keras callbacks; what they have of `state` and `restore` is saved, too.
        saving: When to save; None for never.
        say: Called with one line of text for each epoch.

    Raises:
        TrainingError: The loss is no longer a number.
        RunError: The save is of another training, or weights or history cannot be written.
        KeyboardInterrupt: SIGINT came; what was learned is saved.
        SystemExit: SIGTERM came, as well.
    """
    best = BestWeights(whole, weights, monitor=monitor, mode=mode)
    facts = EpochFacts()
    progress = ShowProgress(epochs, steps_per_epoch, facts, best, say)
    with progress, contextlib.ExitStack() as stack, interruption.deferred() as asked:
        for callback in callbacks:
            if hasattr(callback, "close"):  # nobody ends a callback of a training that fails
                stack.callback(callback.close)
        listening = keras.callbacks.CallbackList(
            [
                EnterPhases(phases),
                StopAtNaNEpoch(),
                facts,
                best,
                progress,
                History(history),
                *callbacks,
                StopAtNaNStep(),  # after the others, of which one may have put it right
                StopWhenAsked(asked),
            ],
            add_history=True,
            model=learner,
            epochs=epochs,
            steps=steps_per_epoch,
        )
        try:
            _loop(
                learner,
                train,
                validation,
                listening,
                epochs=epochs,
                steps_per_epoch=steps_per_epoch,
                keeper=Keeper(learner, listening.callbacks, saving, steps_per_epoch, say),
                asked=asked,
            )
        except OSError as error:
            if error.errno not in _FULL_OR_CLOSED:
                raise
            raise RunError(
                f"{history.parent} cannot be written to: {error}. Make room, or mend it, and go on with tfft "
                "train --resume."
            ) from error
    say(f"Kept the weights of epoch {best.epoch + 1}: {monitor} {best.value:.4f}")


def _loop(
    learner: Learner,
    train: Callable[[int, int], tf.data.Dataset],
    validation: tf.data.Dataset,
    listening: keras.callbacks.CallbackList,
    *,
    epochs: int,
    steps_per_epoch: int,
    keeper: "Keeper",
    asked: Callable[[], BaseException | None],
) -> None:
    learner.stop_training = False
    learner.make_train_function()
    listening.on_train_begin()
    epoch, step, measured = keeper.resume(validation, lambda epoch: _begin_epoch(learner, listening, epoch))
    batches = iter(train(epoch, step))
    while step or (epoch < epochs and not learner.stop_training):
        if not step:
            _begin_epoch(learner, listening, epoch)
        while step < steps_per_epoch and not learner.stop_training:
            listening.on_train_batch_begin(step)
            logs = learner.train_function(batches)
            listening.on_train_batch_end(step, logs)
            step += 1
            keeper.save_if_due(epoch, step)
            if reason := asked():
                keeper.save(epoch, step)
                raise reason
        # Of a save that was made here, the metrics are as good as reset.
        measured = measured or _floats(learner.get_metrics_result())
        try:
            found = learner.evaluate(validation, callbacks=listening, return_dict=True, verbose=0)
        except Asked as error:
            keeper.save(epoch, step, measured)
            raise error.reason from None
        logs = measured | {f"val_{name}": value for name, value in _floats(found).items()}
        listening.on_epoch_end(epoch, logs)
        epoch, step, measured = epoch + 1, 0, {}
        keeper.save_if_due(epoch, step)
        if reason := asked():
            keeper.save(epoch, step)
            raise reason
    # So that what is measured and exported after it can be made again, however it is cut off.
    keeper.save(epoch, step)
    listening.on_train_end()
    if reason := asked():
        raise reason


def _begin_epoch(learner: Learner, listening: keras.callbacks.CallbackList, epoch: int) -> None:
    learner.reset_metrics()
    listening.on_epoch_begin(epoch)


def _floats(logs: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items()}


class Keeper:
    """Saves a training, and takes it back.

    What a save holds: the variables of model and optimizer, among them the states of all random
    generators, the step of the schedule and the scale of the loss; the metrics of an epoch that is not at
    its end; what callbacks remember; and the place in the data.
    """

    def __init__(
        self,
        learner: Learner,
        callbacks: Sequence[keras.callbacks.Callback],
        saving: Saving | None,
        steps_per_epoch: int,
        say: Callable[[str], None],
    ) -> None:
        self.learner, self.saving, self.say = learner, saving, say
        self.steps_per_epoch = steps_per_epoch
        remembering = [callback for callback in callbacks if hasattr(callback, "state")]
        self.callbacks = {
            f"{number} {type(callback).__name__}": callback for number, callback in enumerate(remembering)
        }
        self.last = time.monotonic()

    def save_if_due(self, epoch: int, step: int) -> None:
        """Save if so many steps, or minutes, have passed."""
        if self.saving is None:
            return
        taken = epoch * self.steps_per_epoch + step
        by_steps = self.saving.steps is not None and taken % self.saving.steps == 0
        spent = time.monotonic() - self.last
        if by_steps or (self.saving.minutes is not None and spent >= 60 * self.saving.minutes):
            self.save(epoch, step)

    def save(self, epoch: int, step: int, measured: Mapping[str, float] | None = None) -> None:
        """Save the training as it is before a step, or before the validation that comes instead of it.

        Args:
            epoch: From 0.
            step: Of the epoch, from 0.
            measured: What the training rows of the epoch gave, if the validation has begun.
        """
        if self.saving is None or not self.saving.keep:
            return
        at_the_end = step == self.steps_per_epoch or (step and self.learner.stop_training)
        if at_the_end and measured is None:
            measured = _floats(self.learner.get_metrics_result())
        arrays = {name: variable.numpy() for name, variable in self._variables().items()}
        told: dict[str, dict[str, Any]] = {}
        for name, callback in self.callbacks.items():
            told[name] = {}
            for key, value in callback.state().items():
                if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
                    arrays |= {f"{name}/{key}/{number}": array for number, array in enumerate(value)}
                    value = {"arrays": len(value)}
                told[name][key] = value
        state = {
            "epoch": epoch,
            "step": step,
            "measured": measured or {},
            "stop_training": bool(self.learner.stop_training),
            "callbacks": told,
        }
        taken = epoch * self.steps_per_epoch + step
        try:
            saves.write(self.saving.folder, taken, Save(state, arrays), keep=self.saving.keep)
        except OSError as error:
            self.say(
                f"Warning: step {taken} cannot be saved: {error}. The training goes on; a resume goes on "
                "from the save before it, if there is one."
            )
        self.last = time.monotonic()

    def resume(
        self, validation: tf.data.Dataset, begin_epoch: Callable[[int], None]
    ) -> tuple[int, int, dict[str, float]]:
        """Take the newest save back.

        Args:
            validation: Batches, of which one makes the metrics as many variables as they have.
            begin_epoch: Called with the epoch in which the training goes on, if not at its beginning.

        Returns:
            Epoch and step to go on from, and what the training rows of the epoch gave, if only its
            validation is left.

        Raises:
            RunError: It is of another training.
        """
        if self.saving is None or not any(self.saving.folder.glob("step-*")):
            return 0, 0, {}
        if (save := saves.newest(self.saving.folder, self.say)) is None:
            self.say("No save is left to go on from: the training begins anew")
            return 0, 0, {}
        inputs, labels = next(iter(validation))
        self.learner.compute_metrics(inputs, labels, self.learner(inputs, training=False))
        state, variables = save.state, self._variables()
        told = state["callbacks"]
        of_callbacks = {
            f"{name}/{key}/{number}"
            for name, values in told.items()
            for key, value in values.items()
            if _is_arrays(value)
            for number in range(value["arrays"])
        }
        wanted = {name: tuple(variable.shape) for name, variable in variables.items()}
        found = {name: array.shape for name, array in save.arrays.items() if name not in of_callbacks}
        if wanted != found or told.keys() != self.callbacks.keys():
            raise RunError(
                f"{self.saving.folder} holds saves of another training than the config describes. Resume "
                "it with the versions of tfft, Keras and KerasHub that began it, or train anew."
            )
        if state["step"]:
            begin_epoch(state["epoch"])
        for name, variable in variables.items():
            variable.assign(save.arrays[name])
        for name, callback in self.callbacks.items():
            callback.restore(
                {
                    key: [save.arrays[f"{name}/{key}/{number}"] for number in range(value["arrays"])]
                    if _is_arrays(value)
                    else value
                    for key, value in told[name].items()
                }
            )
        self.learner.stop_training = state["stop_training"]
        taken = state["epoch"] * self.steps_per_epoch + state["step"]
        self.say(f"Going on after step {taken}, in epoch {state['epoch'] + 1}")
        return state["epoch"], state["step"], state["measured"]

    def _variables(self) -> dict[str, Any]:
        parts = {
            "model": self.learner.variables,
            "optimizer": self.learner.optimizer.variables,
            "metrics": self.learner.measures,
        }
        return {
            # Not by its path, in which Keras counts all layers that the process has made.
            f"{part}/{number}": variable
            for part, variables in parts.items()
            for number, variable in enumerate(variables)
        }


def _is_arrays(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"arrays"}


class Asked(BaseException):
    """A signal came during a validation."""

    def __init__(self, reason: BaseException) -> None:
        self.reason = reason


class StopWhenAsked(keras.callbacks.Callback):
    """End a validation when a signal has come."""

    def __init__(self, asked: Callable[[], BaseException | None]) -> None:
        super().__init__()
        self.asked = asked

    def on_test_batch_end(self, batch, logs=None):
        if reason := self.asked():
            raise Asked(reason)


class History(keras.callbacks.Callback):
    """Write what each epoch measured, a line an epoch, to a file that is always whole."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_epoch_end(self, epoch, logs=None):
        self.rows.append({"epoch": epoch, **{name: float(logs[name]) for name in sorted(logs)}})
        text = io.StringIO()
        writer = csv.DictWriter(text, self.rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        temporary = self.path.with_name(f".{self.path.name}.writing")
        temporary.write_text(text.getvalue(), encoding="utf-8")
        os.replace(temporary, self.path)

    def state(self):
        return {"rows": self.rows}

    def restore(self, state):
        self.rows = state["rows"]


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
        enter = None
        while self.phases and int(self.model.optimizer.iterations) >= self.phases[0][0]:
            _, enter = self.phases.pop(0)  # of several, as after a resume, the last one is in force
        if enter is not None:
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

    def state(self):
        return {"step": self.step, "last": self.last}

    def restore(self, state):
        self.step, self.last = state["step"], state["last"]


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

    def state(self):
        return {"rate": self.rate, "seconds": time.monotonic() - self._start}

    def restore(self, state):
        self.rate, self._start = state["rate"], time.monotonic() - state["seconds"]


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
            saves.put(temporary, self.path)  # before a save tells that they are there

    def state(self):
        return {"epoch": self.epoch, "value": None if math.isnan(self.value) else self.value}

    def restore(self, state):
        self.epoch = state["epoch"]
        self.value = math.nan if state["value"] is None else state["value"]


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
        self._done = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._bar.update(self._task, description=f"epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch, logs=None):
        facts = " ".join(f"{name} {value:.4f}" for name, value in logs.items())
        self._done += 1
        self._bar.update(self._task, completed=self._done, facts=f"{facts} rate {self.epoch_facts.rate:.2e}")

    def on_test_begin(self, logs=None):
        self._bar.update(self._task, facts="validating …")

    def on_epoch_end(self, epoch, logs=None):
        figures = ", ".join(
            f"{name} {logs[name]:.4f}" for name in sorted(logs) if name not in ("learning_rate", "seconds")
        )
        star = " (best so far)" if self.best.epoch == epoch else ""
        self.say(f"Epoch {epoch + 1}/{self.epochs}: {figures}, {logs['seconds']:.0f} s{star}")

    def state(self):
        return {"done": self._done}

    def restore(self, state):
        self._done = state["done"]
