"""Rows to batches: rows of like length together.

Padding a short row to the length of a long one costs the same as a long row. So
each epoch is shuffled, cut into pools of 50 batches, and each pool is sorted by
length before it is cut into batches; the batches are then shuffled. Every batch
but the last is full, so an epoch has ceil(rows / batch size) steps, whatever the
lengths; and the order depends on the seed and the epoch alone.

A frozen backbone gives the same vectors in every epoch, so the head can train on
those instead of on tokens: one forward pass in the whole run.

Texts that are changed at random, anew in each epoch, are tokenised as they come.

Where several replicas train, each takes its part of every batch, and all parts are of one size: what
is missing of one is filled up, and two counts with it tell how many of its rows are real.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfft.ragged import Ragged

_POOL = 50  # batches


@dataclass(frozen=True)
class Take:
    """What a batch holds of the rows that it is made of.

    Attributes:
        fetch: Row numbers `[N]` and the number of the batch, from 0, to arrays, from memory or from a
            file.
        signature: Of those arrays.
        make: The arrays as tensors to inputs and further columns, in the graph.
    """

    fetch: Callable[[np.ndarray, int], tuple[np.ndarray, ...]]
    signature: tuple[tf.TensorSpec, ...]
    make: Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Parts:
    """Into what each batch is cut, and what of it comes.

    Attributes:
        count: Parts of a batch.
        wanted: Those that come, one after the other, from 0.
    """

    count: int
    wanted: Sequence[int]


WHOLE = Parts(1, (0,))
"""Every batch in one piece."""


def of_tokens(
    texts: Sequence[Ragged], pack: Callable[..., dict[str, tf.Tensor]], *columns: np.ndarray | Ragged
) -> Take:
    """Take rows as the inputs of a backbone.

    Args:
        texts: Token ids of each text.
        pack: The ids of one batch, `[N, (tokens)]` for each text, to the inputs.
        columns: Further values of each row, as its label id, `[rows, …]`; those of different lengths are
            filled up with -1.
    """
    arrays = (*texts, *columns)

    def fetch(rows: np.ndarray, _: int) -> tuple[np.ndarray, ...]:
        taken = (array.take(rows) if isinstance(array, Ragged) else (array[rows],) for array in arrays)
        return tuple(part for parts in taken for part in parts)

    def make(*tensors: tf.Tensor) -> tuple[Any, ...]:
        rest, made = iter(tensors), []
        for array in arrays:
            flat = next(rest)
            is_ragged = isinstance(array, Ragged)
            made.append(tf.RaggedTensor.from_row_lengths(flat, next(rest), False) if is_ragged else flat)
        inputs, others = pack(*made[: len(texts)]), made[len(texts) :]
        return inputs, *(c.to_tensor(-1) if isinstance(c, tf.RaggedTensor) else c for c in others)

    of_ragged = (tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int64))
    specs = (of_ragged if isinstance(array, Ragged) else (_spec(array),) for array in arrays)
    return Take(fetch, tuple(spec for pair in specs for spec in pair), make)


def of_texts(
    texts: pa.Table,
    encode: Callable[[Mapping[str, tf.Tensor], tf.Tensor], dict[str, tf.Tensor]],
    seed: int,
    *columns: np.ndarray,
) -> Take:
    """Take rows as the inputs of a backbone, made from their texts batch by batch.

    Args:
        texts: Columns of text.
        encode: Strings `[N]` by column, and a seed, int64 `[2]`, to the inputs.
        seed: Of the run; each batch has one of its own, made of it and the batch's number.
        columns: Further values of each row, as its label id, `[rows, …]`.
    """
    names = texts.column_names

    def fetch(rows: np.ndarray, number: int) -> tuple[np.ndarray, ...]:
        # One by one: pyarrow's `take` copies the whole of a column that lies in several chunks.
        taken = [[texts[name][row].as_py() for row in rows.tolist()] for name in names]
        return (
            np.array([seed, number], np.int64),
            *(np.array(column, object) for column in taken),
            *(column[rows] for column in columns),
        )

    def make(own_seed: tf.Tensor, *tensors: tf.Tensor) -> tuple[Any, ...]:
        given = dict(zip(names, tensors[: len(names)], strict=True))
        return encode(given, own_seed), *tensors[len(names) :]

    of_text = tf.TensorSpec([None], tf.string)
    signature = (tf.TensorSpec([2], tf.int64), *[of_text] * len(names), *map(_spec, columns))
    return Take(fetch, signature, make)


def of_features(features: np.ndarray, *columns: np.ndarray) -> Take:
    """Take rows as what a frozen backbone gave for them, float32 `[rows, width]`."""
    arrays = (features, *columns)
    return Take(
        lambda rows, _: tuple(array[rows] for array in arrays),
        tuple(map(_spec, arrays)),
        lambda *tensors: tensors,
    )


def _spec(array: np.ndarray) -> tf.TensorSpec:
    return tf.TensorSpec([None, *array.shape[1:]], array.dtype)


def endless(
    take: Take, plan: Callable[[int], Sequence[np.ndarray]], parts: Parts, epoch: int = 0, step: int = 0
) -> tf.data.Dataset:
    """Return the batches of epoch after epoch, and the counts of each.

    Args:
        take: What a batch holds.
        plan: An epoch, from 0, to the rows of each of its batches.
        parts: What of each batch comes.
        epoch: The first, from 0.
        step: The first of its batches, from 0.
    """

    def batches() -> Iterator[tuple[np.ndarray, int]]:
        first = step
        for number in itertools.count(epoch):
            rows = plan(number)
            for place in range(first, len(rows)):
                yield rows[place], number * len(rows) + place
            first = 0

    return _in_parts(take, batches, parts, tf.data.INFINITE_CARDINALITY)


def counted(take: Take, batches: Sequence[np.ndarray], parts: Parts) -> tf.data.Dataset:
    """Return the given batches, each once, and the counts of each."""
    return _in_parts(
        take, lambda: zip(batches, itertools.count(), strict=False), parts, len(batches) * len(parts.wanted)
    )


def once(take: Take, batches: Sequence[np.ndarray]) -> tf.data.Dataset:
    """Return the given batches, each once."""
    return _gather(
        lambda: (take.fetch(rows, number) for number, rows in enumerate(batches)),
        take.signature,
        take.make,
        len(batches),
    )


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

    Zeros will do: where the padding mask is zero no other input counts. Words, and a tag of each, are
    filled up with -1, to as many as a row has tokens at most.
    """

    def padded(tensor: tf.Tensor, limit: int | None, filler: int) -> tf.Tensor:
        length = tf.shape(tensor)[-1]
        whole = length + -length % multiple
        missing = (whole if limit is None else tf.minimum(whole, limit)) - length
        return tf.pad(tensor, [[0, 0]] * (len(tensor.shape) - 1) + [[0, missing]], constant_values=filler)

    def pad(inputs: dict[str, tf.Tensor], targets: tf.Tensor, *rest: tf.Tensor) -> tuple[Any, ...]:
        is_words = "word_places" in inputs
        made = {
            name: padded(tensor, None, -1) if name == "word_places" else padded(tensor, longest, 0)
            for name, tensor in inputs.items()
            if name != "window_mask"
        }
        kept = {name: tensor for name, tensor in inputs.items() if name not in made}
        return made | kept, padded(targets, None, -1) if is_words else targets, *rest

    return batches.map(pad)


def _in_parts(
    take: Take, batches: Callable[[], Iterator[tuple[np.ndarray, int]]], parts: Parts, number: int
) -> tf.data.Dataset:
    """Add to each part of a batch its counts, int32 `[2]`: its rows that are real, and the batch's rows."""

    def taken() -> Iterator[tuple[np.ndarray, ...]]:
        for rows, place in batches():
            for part in parts.wanted:
                own = rows[part :: parts.count]
                missing = -(-len(rows) // parts.count) - len(own)
                filled = np.concatenate([own, np.repeat(rows[-1:], missing)])
                counts = np.array([len(own), len(rows)], np.int32)
                yield counts, *take.fetch(filled, place * parts.count + part)

    def make(counts: tf.Tensor, *tensors: tf.Tensor) -> tuple[Any, ...]:
        return *take.make(*tensors), counts

    return _gather(taken, (tf.TensorSpec([2], tf.int32), *take.signature), make, number)


def _gather(
    arrays: Callable[[], Iterator[tuple[np.ndarray, ...]]],
    signature: tuple[tf.TensorSpec, ...],
    make: Callable[..., tuple[Any, ...]],
    number: int,
) -> tf.data.Dataset:
    found = tf.data.Dataset.from_generator(arrays, output_signature=signature)
    return found.apply(tf.data.experimental.assert_cardinality(number)).map(make).prefetch(2)
