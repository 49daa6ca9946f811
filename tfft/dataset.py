"""Rows to batches: rows of like length together.

Padding a short row to the length of a long one costs the same as a long row. So
each epoch is shuffled, cut into pools of 50 batches, and each pool is sorted by
length before it is cut into batches; the batches are then shuffled. Every batch
but the last is full, so an epoch has ceil(rows / batch size) steps, whatever the
lengths; and the order depends on the seed and the epoch alone.

A frozen backbone gives the same vectors in every epoch, so the head can train on
those instead of on tokens: one forward pass in the whole run.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfft.ragged import Ragged

_POOL = 50  # batches


@dataclass(frozen=True)
class Take:
    """What a batch holds of the rows that it is made of.

    Attributes:
        fetch: Row numbers `[N]` to arrays, from memory or from a file.
        signature: Of those arrays.
        make: The arrays as tensors to inputs and further columns, in the graph.
    """

    fetch: Callable[[np.ndarray], tuple[np.ndarray, ...]]
    signature: tuple[tf.TensorSpec, ...]
    make: Callable[..., tuple[Any, ...]]


def of_tokens(
    texts: Sequence[Ragged], pack: Callable[..., dict[str, tf.Tensor]], *columns: np.ndarray
) -> Take:
    """Take rows as the inputs of a backbone.

    Args:
        texts: Token ids of each text.
        pack: The ids of one batch, `[N, (tokens)]` for each text, to the inputs.
        columns: Further values of each row, as its label id, `[rows, …]`.
    """

    def fetch(rows: np.ndarray) -> tuple[np.ndarray, ...]:
        ids = [array for text in texts for array in text.take(rows)]
        return (*ids, *(column[rows] for column in columns))

    def make(*tensors: tf.Tensor) -> tuple[Any, ...]:
        ids = tensors[: 2 * len(texts)]
        made = [
            tf.RaggedTensor.from_row_lengths(flat, lengths, validate=False)
            for flat, lengths in zip(ids[::2], ids[1::2], strict=True)
        ]
        return pack(*made), *tensors[len(ids) :]

    of_ids = (tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int64))
    return Take(fetch, (*of_ids * len(texts), *map(_spec, columns)), make)


def of_features(features: np.ndarray, *columns: np.ndarray) -> Take:
    """Take rows as what a frozen backbone gave for them, float32 `[rows, width]`."""
    arrays = (features, *columns)
    return Take(
        lambda rows: tuple(array[rows] for array in arrays),
        tuple(map(_spec, arrays)),
        lambda *tensors: tensors,
    )


def _spec(array: np.ndarray) -> tf.TensorSpec:
    return tf.TensorSpec([None, *array.shape[1:]], array.dtype)


def endless(take: Take, plan: Callable[[int], Sequence[np.ndarray]]) -> tf.data.Dataset:
    """Return the batches of epoch after epoch.

    Args:
        take: What a batch holds.
        plan: An epoch, from 0, to the rows of each of its batches.
    """

    def batches() -> Iterator[np.ndarray]:
        epoch = 0
        while True:
            yield from plan(epoch)
            epoch += 1

    return _gather(take, batches, tf.data.INFINITE_CARDINALITY)


def once(take: Take, batches: Sequence[np.ndarray]) -> tf.data.Dataset:
    """Return the given batches, each once."""
    return _gather(take, lambda: iter(batches), len(batches))


def plan(
    lengths: np.ndarray, *, batch_size: int, seed: int, epoch: int, odds: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return the rows of each batch of one epoch.

    Args:
        lengths: Tokens of each row, `[rows]`; all equal for no sorting.
        batch_size: Rows in a batch; the last one may be smaller.
        seed: Any non-negative integer.
        epoch: Counts from 0.
        odds: Probability of each row, `[rows]`, to draw as many rows with replacement;
            None for every row once.
    """
    random = np.random.default_rng((seed, epoch))
    if odds is None:
        rows = random.permutation(len(lengths))
    else:
        rows = random.choice(len(lengths), len(lengths), p=odds)
    pool = _POOL * batch_size
    for start in range(0, len(rows), pool):
        part = rows[start : start + pool]
        rows[start : start + pool] = part[np.argsort(lengths[part], kind="stable")]
    batches = np.split(rows, range(batch_size, len(rows), batch_size))
    return [batches[index] for index in random.permutation(len(batches))]


def in_order(lengths: np.ndarray, *, batch_size: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the rows of batches that hold each row once, the shortest first, and all in that order.

    `result[np.argsort(order)]` brings results back to the order of the rows.
    """
    order = np.argsort(lengths, kind="stable")
    return np.split(order, range(batch_size, len(order), batch_size)), order


def pad_to_multiple(batches: tf.data.Dataset, multiple: int, longest: int) -> tf.data.Dataset:
    """Pad the tokens of each batch to a multiple, or to the longest row, so that a compiler sees few shapes.

    Zeros will do: where the padding mask is zero no other input counts.
    """

    def pad(inputs: dict[str, tf.Tensor], *rest: tf.Tensor) -> tuple[Any, ...]:
        tokens = tf.shape(inputs["token_ids"])[1]
        missing = tf.minimum(tokens + -tokens % multiple, longest) - tokens
        return {name: tf.pad(tensor, [[0, 0], [0, missing]]) for name, tensor in inputs.items()}, *rest

    return batches.map(pad)


def _gather(take: Take, batches: Callable[[], Iterator[np.ndarray]], number: int) -> tf.data.Dataset:
    arrays = tf.data.Dataset.from_generator(
        lambda: map(take.fetch, batches()), output_signature=take.signature
    )
    return arrays.apply(tf.data.experimental.assert_cardinality(number)).map(take.make).prefetch(2)
