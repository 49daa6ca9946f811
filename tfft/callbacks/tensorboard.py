"""TensorBoard: loss, metrics and learning rate of every epoch as event files."""

from typing import Annotated, Any, Literal

from pydantic import Field

from tfft.callbacks import Fitting

RUNS_ON = "the chief"


def build(
    fitting: Fitting,
    /,
    *,
    update_freq: Literal["epoch"] | Annotated[int, Field(ge=1)] = "epoch",
    histogram_freq: Annotated[int, Field(ge=0)] = 0,
) -> Any:
    """Write event files to `tensorboard/` in the run folder.

    Look at them with `tensorboard --logdir RUN/tensorboard`.

    Args:
        update_freq: `epoch`, or the number of steps between two points of the loss.
        histogram_freq: Epochs between two histograms of the weights; 0 writes none.
    """
    import keras

    return keras.callbacks.TensorBoard(
        log_dir=str(fitting.directory / "tensorboard"),
        update_freq=update_freq,
        histogram_freq=histogram_freq,
        write_graph=False,
    )
