"""JSON Lines: one object a line, read through the standard library.

pyarrow would read faster, but not these lines: it takes two objects on a line or
one over several, hands out bytes that are not UTF-8, and dies of deep nesting.
At 200 000 rows/s this reader still outruns any tokenizer.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tfft.errors import DataError
from tfft.sources import gather, is_list, open_bytes

READS = "files"

_ROWS = 4096


def rows(
    where: Path,
    columns: Mapping[str, pa.DataType],
    report: Callable[[int, str], None],
    /,
) -> Iterator[pa.RecordBatch]:
    """JSON Lines in UTF-8, one object a line; empty lines are passed over.

    Returns:
        Batches with `columns` in the order given, as text or lists of text; numbers and
        true/false are kept as the text that stands in the file; no value is empty, though
        a list may be.

    Raises:
        DataError: The file is empty, or no object has one of the columns.
    """
    keys_seen: set[str] = set()
    is_empty = True

    def numbered() -> Iterator[tuple[int, list[Any], str | None]]:
        nonlocal is_empty
        listed = [(column, is_list(kind)) for column, kind in columns.items()]
        with open_bytes(where) as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    is_empty = False
                    values, problem = _values(line, listed, keys_seen)
                    yield number, values, problem

    yield from gather(numbered(), columns, report, _ROWS)
    if is_empty:
        raise DataError(f"{where}: the file is empty; expected an object with {', '.join(columns)} a line.")
    absent = [column for column in columns if column not in keys_seen]
    if keys_seen and absent:
        raise DataError(
            f"{where}: no line has the key {' or '.join(map(repr, absent))}; the keys are "
            f"{', '.join(map(repr, sorted(keys_seen)))}. Set data.text_column and data.label_column."
        )


def _values(
    line: bytes, columns: list[tuple[str, bool]], keys_seen: set[str]
) -> tuple[list[Any], str | None]:
    try:
        # The line end goes first: with it, a missing bracket is reported at column 1 of the next line.
        row = _DECODER.decode(line.decode("utf-8-sig").rstrip("\r\n"))
    except UnicodeDecodeError as error:
        return [], f"a byte that is not utf-8 at column {error.start + 1}"
    except json.JSONDecodeError as error:
        return [], f"not JSON at column {error.colno}: {error.msg}"
    except _NotPlainError as error:
        return [], str(error)
    except RecursionError:
        return [], "JSON that is nested too deeply"
    if not isinstance(row, dict):
        return [], f"expected an object, got {line[:20].decode('utf-8-sig', 'ignore').strip()!r}"
    keys_seen.update(row)
    values: list[Any] = []
    for column, has_members in columns:
        value = row.get(column)
        if not has_members:
            text, problem = _text(value)
            if problem:
                return [], f"{column!r} {problem}"
            values.append(text)
            continue
        if not isinstance(value, list):
            problem = "is missing" if value is None else f"must be a list, got {json.dumps(value)[:40]}"
            return [], f"{column!r} {problem}"
        members = []
        for place, member in enumerate(value, start=1):
            text, problem = _text(member)
            if problem:
                return [], f"value {place} of {column!r} {problem}"
            members.append(text)
        values.append(members)
    return values, None


def _text(value: object) -> tuple[str, str | None]:
    """Return a value as text, and what is wrong with it."""
    if isinstance(value, str):
        text = value
    elif value is None:
        return "", "is missing"
    elif isinstance(value, bool):
        text = json.dumps(value)
    else:
        return "", f"must be text or a number, got {type(value).__name__}"
    if not text.strip():
        return "", "is empty"
    if not text.isascii():  # known without looking, which spares most texts the check
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return "", "holds half of a surrogate pair"
    return text, None


class _NotPlainError(ValueError):
    """Python reads it, other readers refuse it or read something else."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _NotPlainError(f"the key {twice!r} stands twice")
    return row


def _refuse(constant: str) -> None:
    raise _NotPlainError(f"not JSON: {constant}")


# Numbers stay text: `1.50` may be a label, and 5000 digits are no int of Python's.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=str, parse_int=str, parse_constant=_refuse)
