"""JSON Lines: what each step and each epoch measured, a line each, for other programs."""

import json
import math
import os
from typing import Annotated, Any

from pydantic import Field

from tfft.callbacks import Fitting

RUNS_ON = "the chief"


def build(fitting: Fitting, /, *, every: Annotated[int, Field(ge=1)] = 10) -> Any:
    """Write `events.jsonl` in the run folder: `{"step": …}` and `{"epoch": …}` with all values.

    Args:
        every: Steps between two lines of the training loss.
    """
    import keras

    class JsonLines(keras.callbacks.Callback):
        step = 0
        file: Any = None

        def on_train_batch_end(self, batch, logs=None):
            self.step += 1
            if self.step % every == 0:
                rate = float(self.model.optimizer.learning_rate)
                self._write({"step": self.step, "next_learning_rate": rate}, logs)

        def on_epoch_end(self, epoch, logs=None):
            self._write({"epoch": epoch + 1, "step": self.step}, logs)

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
            self.file = open(fitting.directory / "events.jsonl", mode, encoding="utf-8", buffering=1)  # noqa: SIM115

        def _write(self, place, logs):
            if self.file is None:  # and nothing was taken back: what is there is of no save
                self._open("w")
            # JSON has no NaN.
            values = {name: float(value) if math.isfinite(value) else None for name, value in logs.items()}
            self.file.write(json.dumps(place | values) + "\n")

    return JsonLines()
