"""Token ids to batches: tokenised once, rows of like length together.

Padding a short row to the length of a long one costs the same as a long row. So
each epoch is shuffled, cut into pools of 50 batches, and each pool is sorted by
length before it is cut into batches; the batches are then shuffled. Every batch
but the last is full, so an epoch has ceil(rows / batch size) steps, whatever the
lengths; and the order depends on the seed and the epoch alone.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import tensorflow as tf

_POOL = 50  # batches
_TOKENIZE = 1024  # rows at a time


def tokenize(text: pa.ChunkedArray, tokenizer: Callable[[tf.Tensor], tf.RaggedTensor]) -> tf.RaggedTensor:
    """Return the token ids of all rows, int32 `[rows, (tokens)]`, uncut and without special tokens."""
    in_graph = tf.function(tokenizer, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    parts = [
        in_graph(tf.constant(batch.column(0).to_pylist(), tf.string))
        for batch in pa.table({"text": text}).to_batches(max_chunksize=_TOKENIZE)
    ]
    return tf.concat(parts, axis=0)


def shuffled(
    ids: tf.RaggedTensor,
    labels: np.ndarray,
    pack: Callable[[tf.RaggedTensor], dict[str, tf.Tensor]],
    *,
    batch_size: int,
    seed: int,
) -> tf.data.Dataset:
    """Return the training batches (inputs, labels) of epoch after epoch, without end."""
    lengths = ids.row_lengths().numpy()

    def batches() -> Iterator[np.ndarray]:
        epoch = 0
        while True:
            yield from plan(lengths, batch_size=batch_size, seed=seed, epoch=epoch)
            epoch += 1

    return _gather(batches, tf.data.INFINITE_CARDINALITY, ids, labels, pack)


def in_order(
    ids: tf.RaggedTensor,
    labels: np.ndarray,
    pack: Callable[[tf.RaggedTensor], dict[str, tf.Tensor]],
    *,
    batch_size: int,
) -> tuple[tf.data.Dataset, np.ndarray]:
    """Return batches of all rows, each once and shortest first, and the order of the rows in them.

    `result[np.argsort(order)]` brings results back to the order of the rows.
    """
    order = np.argsort(ids.row_lengths().numpy(), kind="stable")
    batches = np.split(order, range(batch_size, len(order), batch_size))
    return _gather(lambda: iter(batches), len(batches), ids, labels, pack), order


def plan(lengths: np.ndarray, *, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Return the rows of each batch of one epoch; every row occurs once.

    Args:
        lengths: Tokens of each row, `[rows]`.
        batch_size: Rows in a batch; the last one may be smaller.
        seed: Any non-negative integer.
        epoch: Counts from 0.
    """
    random = np.random.default_rng((seed, epoch))
    rows = random.permutation(len(lengths))
    pool = _POOL * batch_size
    for start in range(0, len(rows), pool):
        part = rows[start : start + pool]
        rows[start : start + pool] = part[np.argsort(lengths[part], kind="stable")]
    batches = np.split(rows, range(batch_size, len(rows), batch_size))
    return [batches[index] for index in random.permutation(len(batches))]


def _gather(
    batches: Callable[[], Iterator[np.ndarray]],
    number: int,
    ids: tf.RaggedTensor,
    labels: np.ndarray,
    pack: Callable[[tf.RaggedTensor], dict[str, tf.Tensor]],
) -> tf.data.Dataset:
    labels = tf.constant(labels)

    def take(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        return pack(tf.gather(ids, rows)), tf.gather(labels, rows)

    # The generator hands out row numbers only, a few hundred bytes a step; the rows
    # themselves are gathered in the graph, outside Python's lock.
    numbers = tf.data.Dataset.from_generator(batches, output_signature=tf.TensorSpec([None], tf.int64))
    numbers = numbers.apply(tf.data.experimental.assert_cardinality(number))
    return numbers.map(take).prefetch(2)
