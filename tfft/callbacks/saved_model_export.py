"""SavedModel export: a new version for TensorFlow Serving whenever an epoch is the best so far."""

from typing import Any

from tfft.callbacks import Fitting


def build(fitting: Fitting, /) -> Any:
    """Export after each epoch that improves `training.monitor`, besides the export at the end."""
    import keras

    class SavedModelExport(keras.callbacks.Callback):
        best: float | None = None

        def on_epoch_end(self, epoch, logs=None):
            value = float(logs[fitting.monitor])
            sign = 1 if fitting.modes[fitting.monitor] == "max" else -1
            if self.best is None or sign * value > sign * self.best:
                self.best = value
                fitting.export()

        def state(self):
            return {"best": self.best}

        def restore(self, state):
            self.best = state["best"]

    return SavedModelExport()
