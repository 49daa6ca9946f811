"""Plain text, one row a line, for prediction: there is no label."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from tfft.errors import DataError

_ROWS = 64  # few, for whoever types or pipes them waits for the answers


def rows(
    path: Path,
    columns: Sequence[str],
    report: Callable[[int, str], None],
    /,
) -> Iterator[pa.RecordBatch]:
    """Plain text in UTF-8, one row a line; empty lines are passed over.

    Returns:
        Batches with the one column asked for; no value is empty.

    Raises:
        DataError: More than one column is asked for: a line has no label.
    """
    if len(columns) != 1:
        raise DataError(f"{path}: plain lines hold text only; rows with labels need csv, tsv or jsonl.")
    kept: list[str] = []
    # `utf-8-sig` passes over a byte order mark, and a line may end as on any system.
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as stream:
        for number, line in enumerate(stream, start=1):
            text = line.removesuffix("\n")
            if not text.strip():
                continue
            try:
                text.encode("utf-8")
            except UnicodeEncodeError as error:
                if kept:  # before the report, which may end the reading
                    yield _record_batch(kept, columns)
                    kept = []
                report(number, f"a byte that is not utf-8 at column {error.start + 1}")
                continue
            kept.append(text)
            if len(kept) == _ROWS:
                yield _record_batch(kept, columns)
                kept = []
    if kept:
        yield _record_batch(kept, columns)


def _record_batch(kept: list[str], columns: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(kept, pa.string())], names=list(columns))
