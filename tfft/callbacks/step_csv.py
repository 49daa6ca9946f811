"""Step CSV: loss, metrics and learning rate every few steps, for a spreadsheet."""

import csv
from typing import Annotated, Any

from pydantic import Field

from tfft.callbacks import Fitting


def build(fitting: Fitting, /, *, every: Annotated[int, Field(ge=1)] = 10) -> Any:
    """Write `steps.csv` in the run folder; `history.csv`, a line an epoch, is there with or without.

    Args:
        every: Steps between two lines.
    """
    import keras

    class StepCsv(keras.callbacks.Callback):
        step = 0
        file: Any = None

        def on_train_begin(self, logs=None):
            self.writer = None
            self.file = open(fitting.directory / "steps.csv", "a", encoding="utf-8", buffering=1, newline="")  # noqa: SIM115

        def on_train_batch_end(self, batch, logs=None):
            self.step += 1
            if self.step % every:
                return
            rate = float(self.model.optimizer.learning_rate)
            # The first line says which columns there are, and a step that was undone has no loss.
            row = {"step": self.step, "next_learning_rate": rate, "loss": ""}
            row |= {name: float(value) for name, value in logs.items()}
            if self.writer is None:
                self.writer = csv.DictWriter(self.file, list(row))
                if self.file.tell() == 0:
                    self.writer.writeheader()
            self.writer.writerow(row)

        def close(self):
            if self.file is not None:
                self.file.close()

        def state(self):
            return {"step": self.step}

        def restore(self, state):
            self.step = state["step"]

    return StepCsv()
