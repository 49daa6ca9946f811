"""The token ids of all rows, computed once and kept on disk.

They are kept in the cache under a name that tells all that they depend on: the texts, the
tokenizer, and this code. A second run on the same data starts at once, and no run holds them
in memory: their file is mapped, and what is not being read costs nothing.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from rich.console import Console
from rich.progress import Progress

from tfft import cache, fingerprint
from tfft.ragged import Ragged

_AT_ONCE = 1024  # rows
_THREADS = 2  # the operations of a tokenizer run on one core each

Tokenize = Callable[[Mapping[str, tf.Tensor]], tuple[tf.RaggedTensor, ...]]
"""Named columns, strings `[N]` or words `[N, (words)]`, to the token ids of each text, int32
`[N, (tokens)]`; of words, to their ids and how many of those each word has, `[N, (words)]`."""


def of(table: pa.Table, parts: int, tokenize: Tokenize, identity: Mapping[str, Any]) -> tuple[Ragged, ...]:
    """Return what the tokenizer makes of all rows, uncut and without special tokens: ids of each text.

    Args:
        table: Columns of text or of words, with at least one row.
        parts: How many arrays the tokenizer makes of a row's columns.
        tokenize: The columns to ids.
        identity: All that the ids depend on besides the table, ready for JSON.

    Raises:
        DataError: The cache cannot be written.
    """
    told = json.dumps(
        [identity, fingerprint.of_table(table), _code(), version("tensorflow-text")], sort_keys=True
    )
    key = hashlib.sha256(told.encode()).hexdigest()
    place = cache.entry("tokens", key, lambda folder: _write(folder, table, parts, tokenize))
    return tuple(_read(place, number) for number in range(parts))


def _code() -> str:
    """Return a hash of this package's code, so that no change of it goes on with ids of the old."""
    code = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        code.update(file.read_bytes())
    return code.hexdigest()


def _write(folder: Path, table: pa.Table, texts: int, tokenize: Tokenize) -> None:
    lengths: list[list[np.ndarray]] = [[] for _ in range(texts)]
    files = [open(folder / f"{number}.ids", "wb") for number in range(texts)]  # noqa: SIM115 - closed below
    try:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("tokenising", total=table.num_rows)
            for parts in _tokenized(table, tokenize):
                for number, (ids, counts) in enumerate(parts):
                    files[number].write(ids.astype("<i4", copy=False).tobytes())
                    lengths[number].append(counts)
                bar.update(task, advance=len(parts[0][1]))
    finally:
        for file in files:
            file.close()
    for number, parts_of_one in enumerate(lengths):
        offsets = np.concatenate(([0], np.cumsum(np.concatenate(parts_of_one), dtype=np.int64)))
        np.save(folder / f"{number}.npy", offsets, allow_pickle=False)


def _tokenized(table: pa.Table, tokenize: Tokenize) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
    """Yield ids and lengths of each text of some rows after others, in the order of the rows."""
    columns = {
        field.name: tf.RaggedTensorSpec([None, None], tf.string, ragged_rank=1)
        if pa.types.is_list(field.type)
        else tf.TensorSpec([None], tf.string, name=field.name)
        for field in table.schema
    }
    in_graph = tf.function(tokenize, input_signature=[columns], autograph=False).get_concrete_function()

    def work(batch: pa.RecordBatch) -> list[tuple[np.ndarray, np.ndarray]]:
        given = {name: _tensor(batch[name]) for name in columns}
        return [(ids.flat_values.numpy(), ids.row_lengths().numpy()) for ids in in_graph(given)]

    with ThreadPoolExecutor(_THREADS) as threads:
        waiting: deque[Future] = deque()
        for batch in table.to_batches(max_chunksize=_AT_ONCE):
            waiting.append(threads.submit(work, batch))
            if len(waiting) > 2 * _THREADS:  # few, so that a large table is not held in memory
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _tensor(column: pa.Array) -> tf.Tensor | tf.RaggedTensor:
    if not pa.types.is_list(column.type):
        return tf.constant(column.to_pylist(), tf.string)
    members = tf.constant(column.flatten().to_pylist(), tf.string)
    return tf.RaggedTensor.from_row_lengths(members, pc.list_value_length(column).to_numpy().astype(np.int64))


def _read(place: Path, number: int) -> Ragged:
    file = place / f"{number}.ids"
    offsets = np.load(place / f"{number}.npy", allow_pickle=False)
    # No file can be mapped that has no bytes.
    ids = np.memmap(file, "<i4", "r") if file.stat().st_size else np.zeros(0, np.int32)
    return Ragged(ids, offsets)


def lengths(texts: Sequence[Ragged]) -> np.ndarray:
    """Return the tokens of each row in all its texts, int64 `[rows]`."""
    return np.sum([text.lengths for text in texts], axis=0)
