"""A model's outputs for all rows, in the order of the rows."""

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import Progress


def outputs(
    model: keras.Model,
    batches: tf.data.Dataset,
    order: np.ndarray,
    title: str,
) -> np.ndarray:
    """Return the model's outputs, float32 `[rows, width]`, in the order of the rows.

    Not `model.predict`, which would compile the model anew for every batch shape.

    Args:
        model: Run in inference mode.
        batches: (inputs, labels), each row once.
        order: Number of the row at each place in `batches`.
        title: Names the work on the progress bar.
    """
    step = tf.function(
        lambda inputs: tf.cast(model(inputs, training=False), tf.float32), reduce_retracing=True
    )
    parts = []
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=len(order))
        for inputs, _ in batches:
            parts.append(step(inputs).numpy())
            bar.update(task, advance=len(parts[-1]))
    return np.concatenate(parts)[np.argsort(order)]
