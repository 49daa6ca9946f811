"""Fine-tune text backbones with Keras and TensorFlow, from labelled text to TensorFlow Serving.

    import tfft

    run = tfft.train("configs/support_intents.yaml")
    run.figures["test"]["accuracy"]
    tfft.predict(run.export, ["Where is my parcel?"])

TensorFlow is imported by the first call, not by `import tfft`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfft.run import CrossValidation, Run

__version__ = "0.1.0"
__all__ = ["cross_validate", "evaluate", "export", "predict", "train"]

# Keras reads it once, at its import; tfft is made for TensorFlow alone, whatever else is set.
os.environ["KERAS_BACKEND"] = "tensorflow"
# Without it TensorFlow takes a whole GPU, and the process that proves an export finds no memory.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
# TensorFlow's pooled allocator: without it a training step on the CPU returns its memory to
# the system and takes it back, tens of thousands of page faults a step (benchmarks/allocator.py).
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")


def train(path: str | Path, overrides: Sequence[str] = ()) -> Run | None:
    """Fine-tune the model that the config file `path` describes; see `tfft.run.train`.

    Args:
        path: YAML file.
        overrides: Settings as `a.b=value` that replace those of the file.
    """
    from tfft import config, run

    return run.train(config.read(Path(path), overrides), Path(path).stem)


def cross_validate(path: str | Path, folds: int = 5, overrides: Sequence[str] = ()) -> CrossValidation:
    """Measure a config on all of its training rows; see `tfft.run.cross_validate`.

    Args:
        path: YAML file.
        folds: Parts that the rows are cut into; as many models are trained.
        overrides: Settings as `a.b=value` that replace those of the file.
    """
    from tfft import config, run

    return run.cross_validate(config.read(Path(path), overrides), folds, Path(path).stem)


def evaluate(directory: str | Path, *, split: str | None = None, file: str | Path | None = None) -> dict:
    """Measure a run on a split or a file; see `tfft.finished.evaluate`."""
    from tfft import finished

    return finished.evaluate(Path(directory), split=split, file=None if file is None else Path(file))


def export(directory: str | Path, *, base: str | Path | None = None) -> Path:
    """Write a run's model as the next version of a SavedModel; see `tfft.finished.export`."""
    from tfft import finished

    return finished.export(Path(directory), base=None if base is None else Path(base))


def predict(where: str | Path, rows: Sequence[str | Mapping[str, str]]) -> list[dict]:
    """Return the answer to each row, by a run or an export; see `tfft.finished.answer`.

    Args:
        where: A run's folder, or an export.
        rows: Texts or, for a model that reads several columns, a text by the name of each.
    """
    from tfft import finished

    return finished.ask(Path(where), rows)
