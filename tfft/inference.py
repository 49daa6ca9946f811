"""A model's outputs for all rows, in the order of the rows."""

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import Progress

from tfft import cache, spill


def outputs(
    model: keras.Model,
    batches: tf.data.Dataset,
    order: np.ndarray,
    title: str,
) -> np.ndarray:
    """Return the model's outputs, float32 `[rows, width]`, in the order of the rows, mapped from a file.

    Not `model.predict`, which would compile the model anew for every batch shape.

    Args:
        model: Run in inference mode.
        batches: (inputs,), each row once.
        order: Number of the row at each place in `batches`.
        title: Names the work on the progress bar.
    """
    step = tf.function(
        lambda inputs: tf.cast(model(inputs, training=False), tf.float32), reduce_retracing=True
    )
    rows = np.zeros((0, 0), np.float32)
    done = 0
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=len(order))
        for (inputs,) in batches:
            found = step(inputs).numpy()
            if not done:
                with cache.telling():
                    rows = spill.array((len(order), *found.shape[1:]), found.dtype, cache.folder() / "rows")
            rows[order[done : done + len(found)]] = found
            done += len(found)
            bar.update(task, advance=len(found))
    return rows
