"""Early stopping: end the training when a value no longer improves.

Source: Prechelt 1998, "Early Stopping - But When?", section 2, criterion UP.
https://doi.org/10.1007/3-540-49430-8_3
"""

import logging
from typing import Annotated, Any

from pydantic import Field

from tfft.callbacks import Fitting

_log = logging.getLogger("tfft")

RUNS_ON = "every worker"


def build(
    fitting: Fitting,
    /,
    *,
    monitor: str | None = None,
    patience: Annotated[int, Field(ge=1)] = 3,
    min_delta: Annotated[float, Field(ge=0)] = 0.0,
) -> Any:
    """Stop when a value has not improved for `patience` epochs.

    The best weights are kept with or without this callback. Whether a higher or a
    lower value is better follows from the value. While layers are yet to thaw, no epoch
    counts.

    Args:
        monitor: Name of the value, as in `val_loss` or `loss`; null for `training.monitor`.
        patience: Epochs without improvement after which the training ends.
        min_delta: A smaller change than this does not count as improvement, in
            units of the monitored value.
    """
    import keras

    class EarlyStopping(keras.callbacks.EarlyStopping):
        best: Any  # Keras's own, as is the next
        wait: int

        def on_train_end(self, logs=None):
            if self.stopped_epoch:
                _log.info(f"{watched} has not improved for {patience} epochs: the training ends early")

        def state(self):
            return {"best": None if self.best is None else float(self.best), "wait": self.wait}

        def restore(self, state):
            self._set_monitor_op()
            self.best, self.wait = state["best"], state["wait"]

    watched = monitor or fitting.monitor
    return EarlyStopping(
        monitor=watched,
        mode=fitting.mode("callbacks.early_stopping.monitor", watched),
        patience=patience,
        min_delta=min_delta,
        start_from_epoch=fitting.settled,
        verbose=0,
    )
