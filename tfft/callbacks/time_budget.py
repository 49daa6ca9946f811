"""Time budget: end the training in time, with what was learned by then measured and kept."""

import logging
import time
from typing import Annotated, Any

from pydantic import Field

from tfft.callbacks import Fitting

_log = logging.getLogger("tfft")

RUNS_ON = "every worker"


def build(fitting: Fitting, /, *, minutes: Annotated[float, Field(gt=0)]) -> Any:
    """Stop after the step in which the time is up; the epoch that was begun is still validated.

    Args:
        minutes: Of training, validation included; loading and the last evaluation are not.
    """
    import keras

    class TimeBudget(keras.callbacks.Callback):
        spent = 0.0

        def on_train_begin(self, logs=None):
            self.start = time.monotonic()

        def on_train_batch_end(self, batch, logs=None):
            self.spent = time.monotonic() - self.start
            if self.spent > minutes * 60 and not self.model.stop_training:
                self.model.stop_training = True
                _log.info(
                    f"The time budget of {minutes:g} minutes is spent: training ends after this validation"
                )

        def on_epoch_end(self, epoch, logs=None):
            self.spent = time.monotonic() - self.start

        def state(self):
            return {"spent": self.spent}

        def restore(self, state):
            self.spent = state["spent"]
            self.start = time.monotonic() - self.spent

    return TimeBudget()
