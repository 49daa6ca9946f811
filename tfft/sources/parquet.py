"""Parquet: one file, or a folder of them, read through pyarrow."""

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from tfft.errors import DataError
from tfft.sources import _tables

READS = "files"

_ROWS = 4096


def rows(
    where: Path,
    columns: Mapping[str, pa.DataType],
    report: Callable[[int, str], None],
    /,
) -> Iterator[pa.RecordBatch]:
    """A Parquet file, or a folder with `.parquet` files at any depth, read in the order of their names.

    Returns:
        Batches with `columns` in the order given, as text or lists of text. A bad row is
        reported by its number in its file, counted from 1.

    Raises:
        DataError: There is no such file, one is damaged or no Parquet file, or it lacks one
            of the columns or has other than text and numbers in it.
    """
    if not where.is_dir():
        yield from _tables.text_batches(_batches(where, columns), columns, report)
        return
    shards = sorted(shard for shard in where.rglob("*.parquet") if shard.is_file())
    if not shards:
        raise DataError(f"{where}: no file in this folder ends in .parquet. Correct the path.")
    for shard in shards:
        told = functools.partial(_report_in, report, shard.relative_to(where))
        yield from _tables.text_batches(_batches(shard, columns), columns, told)


def _report_in(report: Callable[[int, str], None], shard: Path, row: int, reason: str) -> None:
    report(row, f"{reason} (in {shard})")


def _batches(path: Path, columns: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            _tables.check(file.schema_arrow, columns, path)
            yield from file.iter_batches(_ROWS, columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: expected a Parquet file, but it is damaged or another format ({error}). "
            "Write or fetch it again, or set data.source to the format it has."
        ) from error
