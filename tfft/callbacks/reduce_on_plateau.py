"""Reduce on plateau: lower all learning rates when a value no longer improves."""

import logging
from typing import Annotated, Any

from pydantic import Field

from tfft.callbacks import Fitting, rate_scale
from tfft.errors import SettingError

_log = logging.getLogger("tfft")

RUNS_ON = "every worker"


def build(
    fitting: Fitting,
    /,
    *,
    monitor: str | None = None,
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    patience: Annotated[int, Field(ge=1)] = 1,
    min_delta: Annotated[float, Field(ge=0)] = 0.0,
    lowest: Annotated[float, Field(ge=0, lt=1)] = 0.01,
) -> Any:
    """Multiply all learning rates by `factor` after `patience` epochs without improvement.

    A course of the rate of its own: it goes with `schedule: constant` only.

    Args:
        monitor: Name of the value, as in `val_loss`; null for `training.monitor`.
        factor: New rate over the old.
        patience: Epochs without improvement before a reduction, and again before the next.
        min_delta: A smaller change than this does not count as improvement.
        lowest: The rates fall no lower than this share of their peaks.

    Raises:
        SettingError: The schedule lowers the rate already.
    """
    import keras
    import numpy as np

    if fitting.schedule != "constant":
        raise SettingError(
            "schedule",
            fitting.schedule,
            "must be constant with the callback reduce_on_plateau, or the rate would be lowered twice",
            fix="Set schedule to constant, or remove the callback.",
        )

    class ReduceOnPlateau(keras.callbacks.Callback):
        best: float | None = None
        wait = 0

        def on_epoch_end(self, epoch, logs=None):
            gain = 1.0 if mode == "max" else -1.0
            value = gain * float(logs[watched])
            if self.best is None or value > self.best + min_delta:
                self.best, self.wait = value, 0
                return
            self.wait += 1
            scale = rate_scale(self.model)
            now = float(scale.numpy())
            if self.wait >= patience and now > np.float32(lowest):
                self.wait = 0
                lower = max(now * factor, lowest)
                scale.assign(lower)
                _log.info(f"{watched} has not improved: learning rates are now {lower:.3g} of their peaks")

        def state(self):
            return {"best": self.best, "wait": self.wait}

        def restore(self, state):
            self.best, self.wait = state["best"], state["wait"]

    watched = monitor or fitting.monitor
    mode = fitting.mode("callbacks.reduce_on_plateau.monitor", watched)
    return ReduceOnPlateau()
