"""What would not fit into memory, in files that are mapped into it and gone when nobody reads them.

The system keeps in memory what is being read, and takes it back when it needs room.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa


def table(schema: pa.Schema, batches: Iterable[pa.RecordBatch], folder: Path) -> pa.Table:
    """Return the rows of all batches as a table that lies in a file.

    Args:
        schema: Of the batches.
        batches: Read one at a time.
        folder: Where the file is made; it has no name there once this returns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=folder, prefix="rows-", suffix=".arrow")
    try:
        with os.fdopen(number, "wb") as stream, pa.ipc.new_file(stream, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return pa.ipc.open_file(pa.memory_map(name)).read_all()
    finally:
        os.unlink(name)  # what is mapped stays


def array(shape: tuple[int, ...], dtype: np.dtype, folder: Path) -> np.ndarray:
    """Return an array of zeros that lies in a file.

    Args:
        shape: Of the array.
        dtype: Of its values.
        folder: Where the file is made; it has no name there.
    """
    if not all(shape):
        return np.zeros(shape, dtype)  # no file can be mapped that has no bytes
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as stream:
        return np.memmap(stream, dtype, "w+", shape=shape)
