"""Train: epochs of steps, in phases, with progress, the best weights kept, and a stop at the first NaN.

Keras's `fit` begins an epoch at its first step and knows no other place. The loop here is the same but
for that: it goes on from any step, and from before a validation that was cut off, bit by bit as if it
had never stopped. The callbacks are Keras's.

With several workers each runs the whole loop, and all come to the same at the same step: what they
measure is of all rows of all of them, and what one alone knows they agree on. The chief alone writes.
"""

import contextlib
import csv
import errno
import functools
import hashlib
import io
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from tfft.steps import Steps
from tfft.strategy import Replicas

_VISIBLE = 60.0  # seconds after which a file of another machine is seen, at the latest
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
    replicas: Replicas,
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
        learner: What is trained, compiled, its optimizer built, in the scope of the strategy: the whole
            classifier, or its head on kept features.
        train: Epoch and step, both from 0, to the batches (inputs, labels, weights, counts) from there on,
            without end; of each batch, a part for each of this worker's replicas.
        validation: Batches (inputs, labels, counts) of all validation rows, in the same way.
        replicas: Where it trains.
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
    best = BestWeights(whole, weights if replicas.is_chief else None, monitor=monitor, mode=mode)
    facts = EpochFacts()
    progress = ShowProgress(epochs, steps_per_epoch, facts, best, say)
    with progress, contextlib.ExitStack() as stack, interruption.deferred() as asked:
        for callback in callbacks:
            if hasattr(callback, "close"):  # nobody ends a callback of a training that fails
                stack.callback(callback.close)
        _make_metrics(learner, validation, replicas)
        steps = Steps(learner, replicas.strategy)
        listening = keras.callbacks.CallbackList(
            [
                EnterPhases(phases, steps.trace),
                StopAtNaNEpoch(),
                facts,
                best,
                progress,
                *([History(history)] if replicas.is_chief else []),
                *callbacks,
                StopAtNaNStep(),  # after the others, of which one may have put it right
            ],
            add_history=True,
            model=learner,
            epochs=epochs,
            steps=steps_per_epoch,
        )
        loop = Loop(
            learner,
            replicas,
            steps,
            listening,
            Keeper(learner, replicas, listening.callbacks, saving, steps_per_epoch, say),
            asked,
        )
        try:
            with replicas.noticing_loss():
                loop.run(train, validation, epochs, steps_per_epoch)
        except OSError as error:
            if error.errno not in _FULL_OR_CLOSED:
                raise
            raise RunError(
                f"{history.parent} cannot be written to: {error}. Make room, or mend it, and go on with tfft "
                "train --resume."
            ) from error
    say(f"Kept the weights of epoch {best.epoch + 1}: {monitor} {best.value:.4f}")


def _make_metrics(learner: Learner, validation: tf.data.Dataset, replicas: Replicas) -> None:
    """Make the variables of all metrics, some of which Keras makes at their first batch."""
    inputs, labels, _ = next(iter(validation))
    # Nothing is counted, for Keras keeps variables from changing here.
    with replicas.strategy.scope(), keras.StatelessScope():
        learner.compute_metrics(inputs, labels, learner(inputs, training=False))


@dataclass(frozen=True)
class Loop:
    """Epochs of steps, each epoch validated at its end."""

    learner: Learner
    replicas: Replicas
    steps: Steps
    listening: keras.callbacks.CallbackList
    keeper: "Keeper"
    asked: Callable[[], BaseException | None]

    def run(
        self,
        train: Callable[[int, int], tf.data.Dataset],
        validation: tf.data.Dataset,
        epochs: int,
        steps_per_epoch: int,
    ) -> None:
        """Train, from the newest save on if there is one."""
        learner, listening, keeper = self.learner, self.listening, self.keeper
        learner.stop_training = False
        listening.on_train_begin()
        epoch, step, measured = keeper.resume(self._begin_epoch)
        batches = iter(self.replicas.distribute(train(epoch, step)))
        held_out = self.replicas.distribute(validation)
        number = int(validation.cardinality()) // len(self.replicas.local)
        while step or (epoch < epochs and not learner.stop_training):
            if not step:
                self._begin_epoch(epoch)
            while step < steps_per_epoch and not learner.stop_training:
                listening.on_train_batch_begin(step)
                listening.on_train_batch_end(step, _floats(self.steps.train(batches)))
                step += 1
                self._put_down(epoch, step)
            check_same_weights(learner.weights, self.replicas)
            # Of a save that was made here, the metrics are as good as reset.
            measured = measured or _floats(learner.get_metrics_result())
            found = self._validate(
                iter(held_out), number, functools.partial(keeper.save, epoch, step, measured)
            )
            listening.on_epoch_end(epoch, measured | {f"val_{name}": value for name, value in found.items()})
            epoch, step, measured = epoch + 1, 0, {}
            self._put_down(epoch, step)
        # So that what is measured and exported after it can be made again, however it is cut off.
        keeper.save(epoch, step)
        listening.on_train_end()
        self._end_if_asked()

    def _begin_epoch(self, epoch: int) -> None:
        self.learner.reset_metrics()
        self.listening.on_epoch_begin(epoch)

    def _validate(self, batches: Iterator[Any], number: int, save: Callable[[], None]) -> dict[str, float]:
        self.listening.on_test_begin()
        self.learner.reset_metrics()
        logs: dict[str, float] = {}
        for batch in range(number):
            self.listening.on_test_batch_begin(batch)
            logs = _floats(self.steps.test(batches))
            self.listening.on_test_batch_end(batch, logs)
            self._end_if_asked(save)
        self.listening.on_test_end(logs)
        return logs

    def _put_down(self, epoch: int, step: int) -> None:
        """Save if it is time; end if a signal has come, to any worker, or the time is up for one."""
        signal, is_due, stops = self.replicas.agree(
            [_CODES[type(self.asked())], self.keeper.is_due(epoch, step), self.learner.stop_training]
        )
        self.learner.stop_training = bool(stops)
        if is_due or signal:
            self.keeper.save(epoch, step)
        if signal:
            raise _REASONS[signal]()

    def _end_if_asked(self, save: Callable[[], None] = lambda: None) -> None:
        if signal := self.replicas.agree([_CODES[type(self.asked())]])[0]:
            save()
            raise _REASONS[signal]()


def check_same_weights(weights: Sequence[Any], replicas: Replicas) -> None:
    """Make sure that the workers have learned the same, for their metrics, which are common, would not tell.

    Of several replicas of a worker the first is looked at.

    Raises:
        TrainingError: They have not.
    """
    if replicas.workers == 1:
        return
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(weight.numpy().tobytes())
    if replicas.agree([int(replicas.told(digest.hexdigest()) != digest.hexdigest())])[0]:
        raise TrainingError(
            "The workers no longer have the same weights, though all made the same steps: a machine computes "
            "wrongly, or drivers and libraries differ. Go on from the last save with tfft train --resume, on "
            "machines that are alike."
        )


# What workers tell each other of a signal.
_CODES = {type(None): 0, KeyboardInterrupt: 1, SystemExit: 2}
_REASONS: dict[int, Callable[[], BaseException]] = {
    1: KeyboardInterrupt,
    2: functools.partial(SystemExit, interruption.TERMINATED),
}


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
        replicas: Replicas,
        callbacks: Sequence[keras.callbacks.Callback],
        saving: Saving | None,
        steps_per_epoch: int,
        say: Callable[[str], None],
    ) -> None:
        self.learner, self.replicas, self.saving, self.say = learner, replicas, saving, say
        self.steps_per_epoch = steps_per_epoch
        self.callbacks: dict[str, Any] = {}
        for callback in callbacks:
            if hasattr(callback, "state"):
                name = type(callback).__name__
                alike = sum(key.split()[0] == name for key in self.callbacks)
                self.callbacks[f"{name} {alike + 1}" if alike else name] = callback
        self.common = _numbered(model=learner.weights, optimizer=learner.optimizer.variables)
        # What each replica has for itself.
        self.states = [v for v in learner.variables if not any(v is weight for weight in learner.weights)]
        self.own = _numbered(random=self.states, metrics=learner.measures)
        self.read_own = replicas.reader([*self.own.values()])
        self.last = time.monotonic()

    def is_due(self, epoch: int, step: int) -> bool:
        """Return whether so many steps, or minutes, have passed since the last save."""
        if self.saving is None:
            return False
        taken = epoch * self.steps_per_epoch + step
        by_steps = self.saving.steps is not None and taken % self.saving.steps == 0
        spent = time.monotonic() - self.last
        return by_steps or (self.saving.minutes is not None and spent >= 60 * self.saving.minutes)

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
        arrays = dict(zip(self.own, self.read_own(), strict=True))
        self.last = time.monotonic()
        if not self.replicas.is_chief:
            return
        arrays |= {name: variable.numpy() for name, variable in self.common.items()}
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
            "replicas": self.replicas.count,
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

    def resume(self, begin_epoch: Callable[[int], None]) -> tuple[int, int, dict[str, float]]:
        """Take the newest save back, the same for all workers.

        Args:
            begin_epoch: Called with the epoch in which the training goes on, if not at its beginning.

        Returns:
            Epoch and step to go on from, and what the training rows of the epoch gave, if only its
            validation is left.

        Raises:
            RunError: It is of another training, or a worker does not see it.
        """
        save = None
        if self.saving is not None and self.replicas.is_chief:
            save = saves.newest(self.saving.folder, self.say)
        name = self.replicas.told("" if save is None else save.name)
        if self.saving is not None and name and save is None:
            save = saves.awaited(self.saving.folder / name, _VISIBLE)
        if self.saving is None or save is None:
            if self.saving is not None and any(self.saving.folder.glob("step-*")):
                self.say("No save is left to go on from: the training begins anew")
            self.replicas.part_random_states(self.states)
            return 0, 0, {}
        state = save.state
        if (replicas := state.get("replicas", 1)) != self.replicas.count:
            raise RunError(
                f"{self.saving.folder} holds saves of a training on {replicas} replicas, and this "
                f"one has {self.replicas.count}: it would not come to the same. Resume it with as many."
            )
        told = state["callbacks"]
        of_callbacks = {
            f"{name}/{key}/{number}"
            for name, values in told.items()
            for key, value in values.items()
            if _is_arrays(value)
            for number in range(value["arrays"])
        }
        wanted = {name: tuple(variable.shape) for name, variable in self.common.items()} | {
            name: (self.replicas.count, *variable.shape) for name, variable in self.own.items()
        }
        found = {name: array.shape for name, array in save.arrays.items() if name not in of_callbacks}
        # The chief has more callbacks than other workers.
        same_callbacks = told.keys() == self.callbacks.keys() or not self.replicas.is_chief
        if wanted != found or not same_callbacks:
            raise RunError(
                f"{self.saving.folder} holds saves of another training than the config describes. Resume "
                "it with the versions of tfft, Keras and KerasHub that began it, or train anew."
            )
        if state["step"]:
            begin_epoch(state["epoch"])
        for name, variable in self.common.items():
            variable.assign(save.arrays[name])
        self.replicas.assign([*self.own.values()], [save.arrays[name] for name in self.own])
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


def _numbered(**parts: Sequence[Any]) -> dict[str, Any]:
    # Not by their paths, in which Keras counts all layers that the process has made.
    return {
        f"{part}/{number}": variable
        for part, variables in parts.items()
        for number, variable in enumerate(variables)
    }


def _is_arrays(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"arrays"}


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

    What trains is looked up when the step is traced, so that a changed flag alone
    would change nothing. Steps are the optimizer's, as those of the schedule are: one
    that loss scaling skips counts for neither.
    """

    def __init__(self, phases: Sequence[tuple[int, Callable[[], None]]], trace: Callable[[], None]) -> None:
        super().__init__()
        self.phases, self.trace = list(phases), trace

    def on_train_batch_begin(self, batch, logs=None):
        enter = None
        while self.phases and self.model.optimizer.iterations.numpy() >= self.phases[0][0]:
            _, enter = self.phases.pop(0)  # of several, as after a resume, the last one is in force
        if enter is not None:
            enter()
            self.trace()


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
    """Keep the weights of the best epoch so far in one file, which is always whole; None keeps none."""

    def __init__(self, whole: keras.Model, path: Path | None, *, monitor: str, mode: str) -> None:
        super().__init__()
        self.whole, self.path, self.monitor, self.mode = whole, path, monitor, mode
        self.epoch, self.value = -1, math.nan

    def on_epoch_end(self, epoch, logs=None):
        value = float(logs[self.monitor])
        better = value > self.value if self.mode == "max" else value < self.value
        if math.isnan(self.value) or better:  # at first there is no value to compare with
            self.epoch, self.value = epoch, value
            if self.path is None:
                return
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
