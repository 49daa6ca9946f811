"""Step CSV: loss, metrics and learning rate every few steps, for a spreadsheet."""

import csv
import os
from typing import Annotated, Any

from pydantic import Field

from tfft.callbacks import Fitting

RUNS_ON = "the chief"


def build(fitting: Fitting, /, *, every: Annotated[int, Field(ge=1)] = 10) -> Any:
    """Write `steps.csv` in the run folder; `history.csv`, a line an epoch, is there with or without.

    Args:
        every: Steps between two lines.
    """
    import keras

    class StepCsv(keras.callbacks.Callback):
        step = 0
        file: Any = None
        writer: Any = None

        def on_train_batch_end(self, batch, logs=None):
            self.step += 1
            if self.step % every:
                return
            rate = float(self.model.optimizer.learning_rate)
            # The first line says which columns there are, and a step that was undone has no loss.
            row = {"step": self.step, "next_learning_rate": rate, "loss": ""}
            row |= {name: float(value) for name, value in logs.items()}
            if self.file is None:  # and nothing was taken back: what is there is of no save
                self._open("w")
            if self.writer is None:
                self.writer = csv.DictWriter(self.file, list(row))
                if self.file.tell() == 0:
                    self.writer.writeheader()
            self.writer.writerow(row)

        def close(self):
            if self.file is not None:
                self.file.close()

        def state(self):
            return {"step": self.step, "size": self.file.tell() if self.file else 0}

        def restore(self, state):
            self.step = state["step"]
            self._open("a")
            self.file.truncate(min(state["size"], self.file.tell()))  # what came after it comes again
            self.file.seek(0, os.SEEK_END)

        def _open(self, mode):
            # By the line, so that who reads along sees whole lines.
            self.file = open(fitting.directory / "steps.csv", mode, encoding="utf-8", buffering=1, newline="")  # noqa: SIM115

    return StepCsv()
