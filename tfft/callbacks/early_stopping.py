"""Early stopping: end the training when the monitored value no longer improves."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field


def build(
    run_directory: Path,
    monitor: str,
    mode: str,
    /,
    *,
    patience: Annotated[int, Field(ge=1)] = 3,
    min_delta: Annotated[float, Field(ge=0)] = 0.0,
) -> Any:
    """Stop when `training.monitor` has not improved for `patience` epochs.

    The best weights are kept and restored with or without this callback.

    Args:
        patience: Epochs without improvement after which the training ends.
        min_delta: A smaller change than this does not count as improvement, in
            units of the monitored value.
    """
    import keras

    return keras.callbacks.EarlyStopping(
        monitor=monitor, mode=mode, patience=patience, min_delta=min_delta, verbose=0
    )
