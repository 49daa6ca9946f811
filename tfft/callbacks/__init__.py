"""Callbacks: each file builds one Keras callback that listens to the training.

A callback that remembers something from one step to the next has two methods, by which a
training in pieces goes on as one: `state()` gives what it knows, JSON values and lists of
NumPy arrays by name, and `restore(state)` takes it back once the training has begun anew, after
`on_train_begin` and before the first step. One that holds something open has `close()`, which is
called however the training ends.

Where several workers train, `RUNS_ON` says who has the callback: `every worker`, where it acts on the
training, on which all must act alike, or `the chief`, where it writes for others to read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfft.errors import SettingError


@dataclass(frozen=True)
class Fitting:
    """What a callback may need to know of the training it listens to.

    Attributes:
        directory: The run's folder.
        monitor: The value that chooses the best epoch.
        modes: For every value of an epoch's logs that tells good from bad: `max` if the
            higher one is better, else `min`.
        schedule: Name of the learning rate's schedule.
        steps_per_epoch: Steps in which each row is seen once.
        total_steps: Of the whole run.
        settled: Epoch, from 0, in which the last phase begins; before it, more thaws yet.
        export: Writes the weights kept so far as the next version of the SavedModel, unless
            that is what the last version has.
    """

    directory: Path
    monitor: str
    modes: Mapping[str, str]
    schedule: str
    steps_per_epoch: int
    total_steps: int
    settled: int
    export: Callable[[], Path]

    def mode(self, key: str, monitor: str) -> str:
        """Return whether the higher (`max`) or the lower (`min`) value of `monitor` is better.

        Args:
            key: The setting that names the value, for the error.
            monitor: The value's name.

        Raises:
            SettingError: No such value is measured.
        """
        if monitor not in self.modes:
            raise SettingError(
                key,
                monitor,
                "must be a value that this task measures",
                fix=f"Known: {', '.join(self.modes)}.",
            )
        return self.modes[monitor]


def rate_scale(model: Any) -> Any:
    """Return the variable by which all learning rates of a model in training are multiplied."""
    return _inner(model.optimizer).rate_scale


def trained_variables(model: Any) -> list[Any]:
    """Return the variables of a model in training that train in any of its phases."""
    return list(_inner(model.optimizer)._trainable_variables)


def _inner(optimizer: Any) -> Any:
    """Return the optimizer that holds rates and slots, inside the one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def module(name: str, package: str):
    """Import what a callback needs besides tfft.

    Raises:
        SettingError: It is not installed.
    """
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise SettingError(
            "callbacks",
            name,
            f"needs a package that is not installed ({error})",
            fix=f"pip install {package}",
        ) from error
