"""SavedModel export: a new version for TensorFlow Serving whenever an epoch is the best so far."""

from typing import Any

from tfft.callbacks import Fitting

RUNS_ON = "the chief"


def build(fitting: Fitting, /) -> Any:
    """Export after each epoch that improves `training.monitor`, as at the end of the run."""
    import keras

    class SavedModelExport(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            fitting.export()

    return SavedModelExport()
