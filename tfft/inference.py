"""A model's outputs for all rows, or for all words of all rows, in their order."""

from collections.abc import Iterator

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
    rows = np.zeros((0, 0), np.float32)
    for numbers, found in _in_batches(model, batches, order, title):
        if not rows.size:
            rows = _mapped(len(order), found.shape[-1])
        rows[numbers] = found
    return rows


def outputs_of_words(
    model: keras.Model, batches: tf.data.Dataset, order: np.ndarray, counts: np.ndarray, title: str
) -> np.ndarray:
    """Return the outputs of each word, float32 `[words, width]`, row after row, mapped from a file.

    Args:
        model: Gives `[N, words, width]`; else as in `outputs`.
        batches: As in `outputs`.
        order: As in `outputs`.
        counts: Words of each row, `[rows]`.
        title: As in `outputs`.
    """
    starts = np.cumsum(counts) - counts
    words = np.zeros((0, 0), np.float32)
    for numbers, found in _in_batches(model, batches, order, title):
        if not words.size:
            words = _mapped(int(counts.sum()), found.shape[-1])
        place = np.arange(found.shape[1])
        is_word = place < counts[numbers][:, None]
        words[(starts[numbers][:, None] + place)[is_word]] = found[is_word]
    return words


def _mapped(rows: int, width: int) -> np.ndarray:
    with cache.telling():
        return spill.array((rows, width), np.dtype(np.float32), cache.folder() / "rows")


def _in_batches(
    model: keras.Model, batches: tf.data.Dataset, order: np.ndarray, title: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the numbers of some rows and their outputs, `[N, …]`, after others."""
    step = tf.function(
        lambda inputs: tf.cast(model(inputs, training=False), tf.float32), reduce_retracing=True
    )
    done = 0
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=len(order))
        for (inputs,) in batches:
            found = step(inputs).numpy()
            yield order[done : done + len(found)], found
            done += len(found)
            bar.update(task, advance=len(found))
