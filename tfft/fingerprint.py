"""Hashes of what a run is made of: of the rows of a table, and of files."""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def of_table(table: pa.Table) -> str:
    """Return a SHA-256 of the rows of a table, and of the names of its columns, however it is chunked.

    Args:
        table: Columns of text, or of lists of text, without missing values.
    """
    whole = hashlib.sha256()
    for name in table.column_names:
        parts = [hashlib.sha256() for _ in range(3)]  # members of lists, bytes of texts, texts
        for chunk in table[name].chunks:
            if pa.types.is_list(chunk.type):
                parts[0].update(pc.list_value_length(chunk).to_numpy().tobytes())
                chunk = pc.list_flatten(chunk)
            parts[1].update(pc.binary_length(chunk).to_numpy().tobytes())
            _, offsets, content = chunk.buffers()
            if len(chunk) and content is not None:
                edges = np.frombuffer(offsets, np.int32)[[chunk.offset, chunk.offset + len(chunk)]]
                parts[2].update(memoryview(content)[edges[0] : edges[1]])
        whole.update(name.encode() + b"\0" + b"".join(part.digest() for part in parts))
    return whole.hexdigest()


def of_weights(path: Path) -> str:
    """Return the SHA-256 of the arrays in a Keras weights file; its bytes differ whenever it is written."""
    digest = hashlib.sha256()

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(f"{name}\0{item.dtype}\0{item.shape}\n".encode())
            digest.update(np.ascontiguousarray(item[()]).tobytes())

    with h5py.File(path) as file:
        file.visititems(add)
    return digest.hexdigest()


def of_files(path: Path) -> str:
    """Return the SHA-256 of a file or, of a folder, that of the names and hashes of all files in it."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            digest.update(f"{file.relative_to(path)}\0{of_files(file)}\n".encode())
        return digest.hexdigest()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
