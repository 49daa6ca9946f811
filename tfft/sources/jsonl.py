"""JSON Lines: one object a line, read through pyarrow; a file with a fault is read again line by line."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as pa_json

from tfft.errors import DataError

_BLOCK = 1 << 22
_ROWS = 4096


def rows(
    path: Path,
    columns: Sequence[str],
    report: Callable[[int, str], None],
    /,
) -> Iterator[pa.RecordBatch]:
    """JSON Lines in UTF-8, one object a line; empty lines are passed over.

    Returns:
        Batches with `columns` in the order given, as strings; whole numbers and
        true/false are kept as the text that stands in the file; no value is empty.

    Raises:
        DataError: No line has one of the columns.
    """
    if _above_suspicion(path, columns):
        for batch in _batches(path):
            yield pa.RecordBatch.from_arrays(
                [pc.cast(batch.column(name), pa.string()) for name in columns], names=list(columns)
            )
    else:
        yield from _strict_batches(path, columns, report)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with open(path, "rb") as stream:
        yield from pa_json.open_json(stream, pa_json.ReadOptions(block_size=_BLOCK))


def _above_suspicion(path: Path, columns: Sequence[str]) -> bool:
    """Return whether every line is an object whose columns are plain text or whole numbers."""
    try:
        for batch in _batches(path):
            for name in columns:
                column = batch.column(name)
                if column.null_count or not (
                    pa.types.is_string(column.type) or pa.types.is_int64(column.type)
                ):
                    return False
                text = pc.cast(column, pa.string())
                if not pc.all(pc.match_substring_regex(text, r"[^\s\pZ]")).as_py():
                    return False
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError):
        return False
    return True


def _strict_batches(path, columns, report) -> Iterator[pa.RecordBatch]:
    kept: list[list[str]] = []
    keys_seen: set[str] = set()
    with open(path, "rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            values, problem = _values(line, columns, keys_seen)
            if problem:
                report(number, problem)
                continue
            kept.append(values)
            if len(kept) == _ROWS:
                yield _record_batch(kept, columns)
                kept = []
    if kept:
        yield _record_batch(kept, columns)
    absent = [column for column in columns if column not in keys_seen]
    if absent:
        raise DataError(
            f"{path}: no line has the key {' or '.join(map(repr, absent))}; the keys are "
            f"{', '.join(map(repr, sorted(keys_seen))) or 'none at all'}. "
            "Set data.text_column and data.label_column."
        )


def _values(line: bytes, columns, keys_seen: set[str]) -> tuple[list[str], str | None]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return [], f"a byte that is not utf-8 at column {error.start + 1}"
    except json.JSONDecodeError as error:
        return [], f"not JSON at column {error.colno}: {error.msg}"
    except RecursionError:
        return [], "JSON that is nested too deeply"
    if not isinstance(row, dict):
        return [], f"expected an object, got {type(row).__name__}"
    keys_seen.update(row)
    values = []
    for column in columns:
        value = row.get(column)
        if value is None:
            return [], f"{column!r} is missing"
        if isinstance(value, (dict, list)):
            return [], f"{column!r} must be text or a number, got {type(value).__name__}"
        text = value if isinstance(value, str) else json.dumps(value)
        if not text.strip():
            return [], f"{column!r} is empty"
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return [], f"{column!r} holds half of a surrogate pair"
        values.append(text)
    return values, None


def _record_batch(kept, columns) -> pa.RecordBatch:
    arrays = [pa.array(values, pa.string()) for values in zip(*kept, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))
