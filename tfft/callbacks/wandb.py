"""Weights & Biases: every epoch's values as a W&B run."""

from typing import Any

from tfft.callbacks import Fitting, module

RUNS_ON = "the chief"


def build(fitting: Fitting, /, *, project: str = "tfft", entity: str | None = None) -> Any:
    """Log to Weights & Biases, whose package must be installed.

    Args:
        project: Name of the project.
        entity: User or team; null for the one that is logged in.
    """
    import keras

    wandb = module("wandb", "wandb")

    class Wandb(keras.callbacks.Callback):
        run: Any = None

        def on_train_begin(self, logs=None):
            self.run = wandb.init(
                project=project, entity=entity, name=fitting.directory.name, dir=str(fitting.directory)
            )

        def on_epoch_end(self, epoch, logs=None):
            self.run.log({name: float(value) for name, value in logs.items()}, step=epoch + 1)

        def close(self):
            if self.run is not None:
                self.run.finish()

    return Wandb()
