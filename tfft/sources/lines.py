"""Plain text, one row a line, for prediction: there is no label."""

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from tfft.errors import DataError
from tfft.sources import gather, is_list, open_bytes

READS = "files"

_ROWS = 64  # few, for whoever types or pipes them waits for the answers


def rows(
    where: Path,
    columns: Mapping[str, pa.DataType],
    report: Callable[[int, str], None],
    /,
) -> Iterator[pa.RecordBatch]:
    """Plain text in UTF-8, one row a line; empty lines are passed over.

    Returns:
        Batches with the one column asked for; no value is empty.

    Raises:
        DataError: More than one column is asked for, or lists: a line has no label.
    """
    if len(columns) != 1 or any(map(is_list, columns.values())):
        raise DataError(f"{where}: plain lines hold text only; rows with labels need csv, tsv or jsonl.")
    yield from gather(_numbered(where), columns, report, _ROWS)


def _numbered(path: Path) -> Iterator[tuple[int, tuple[str, ...], str | None]]:
    # `utf-8-sig` passes over a byte order mark, and a line may end as on any system.
    with io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", errors="surrogateescape") as stream:
        for number, line in enumerate(stream, start=1):
            text = line.removesuffix("\n")
            if not text.strip():
                continue
            try:
                text.encode("utf-8")
            except UnicodeEncodeError as error:
                yield number, (), f"a byte that is not utf-8 at column {error.start + 1}"
                continue
            yield number, (text,), None
