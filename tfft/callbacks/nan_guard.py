"""NaN guard: go back to the last good state, at a lower rate, when the loss is not a number."""

import logging
import math
from typing import Annotated, Any

from pydantic import Field

from tfft.callbacks import Fitting, rate_scale, trained_variables
from tfft.errors import TrainingError

_log = logging.getLogger("tfft")

RUNS_ON = "every worker"


def build(
    fitting: Fitting,
    /,
    *,
    retries: Annotated[int, Field(ge=1)] = 3,
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    every: Annotated[int, Field(ge=1)] = 50,
) -> Any:
    """Keep a good state in memory; return to it and lower all rates when a step spoils the weights.

    The data go on from where they are: the batches since the last good state are not
    seen again in that epoch. After `retries` returns the next spoilt step ends the run.

    Args:
        retries: Returns in the whole run.
        factor: New rates over the old, at each return.
        every: Steps between two good states; each costs a copy of weights and slots.
    """
    import keras
    import numpy as np

    class NaNGuard(keras.callbacks.Callback):
        returns = 0
        step = 0
        good: Any  # pairs of a variable and its value

        def on_train_begin(self, logs=None):
            self._keep()

        def on_train_batch_end(self, batch, logs=None):
            self.step += 1
            if not math.isfinite(logs["loss"]):
                self._go_back(f"the loss is {logs['loss']}")
                # Keras shows means since the epoch began, which this step has spoilt, too.
                self.model.reset_metrics()
                for variable, value in self.measured:
                    variable.assign(value)
                del logs["loss"]  # dealt with; what finds it ends the training
                return
            self._measure()
            if self.step % every == 0 and self._is_good():
                self._keep()

        def on_epoch_begin(self, epoch, logs=None):
            self._measure()

        def on_test_begin(self, logs=None):
            # What the epoch's last update did shows in no loss of the training.
            if not self._is_good():
                self._go_back("weights are not finite")

        def state(self):
            return {
                "returns": self.returns,
                "step": self.step,
                "good": [np.asarray(value) for _, value in self.good],
            }

        def restore(self, state):
            self.returns, self.step = state["returns"], state["step"]
            self.good = [(v, value) for (v, _), value in zip(self.good, state["good"], strict=True)]
            self._measure()

        def _is_good(self):
            return all(np.isfinite(v.numpy()).all() for v in self.model.trainable_variables)

        def _measure(self):
            self.measured = [(v, v.numpy()) for v in self.model.metrics_variables]

        def _keep(self):
            # Of all that ever trains, for more may have thawed until the return; and not the
            # optimizer's counts, by which schedule and phases go on.
            slots = [v for v in self.model.optimizer.variables if "float" in v.dtype]
            self.good = [(v, v.numpy()) for v in (*trained_variables(self.model), *slots)]

        def _go_back(self, reason):
            if self.returns == retries:
                raise TrainingError(
                    f"Step {self.step}: {reason}, after {retries} returns to a good state at lower rates. "
                    "Lower optimizer.learning_rate, or look at the data of these steps."
                )
            self.returns += 1
            scale = rate_scale(self.model)
            lower = float(scale.numpy()) * factor
            for variable, value in self.good:
                variable.assign(value)
            scale.assign(lower)
            _log.info(
                f"Step {self.step}: {reason}. Went back to the last good state; learning rates are now "
                f"{lower:.3g} of their peaks (return {self.returns} of {retries})"
            )

    return NaNGuard()
