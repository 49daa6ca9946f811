"""CSV and TSV, read through pyarrow; a file with a fault is read again, strictly, line by line.

pyarrow is fast but lenient: it joins the rows after a broken quote without a
word and does not tell lines. So a first pass only asks whether the file is
above suspicion. If it is not, the strict reader of the standard library, which
knows lines, decides what a row is.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv
from pydantic import Field

from tfft.errors import DataError, SettingError

_BLOCK = 1 << 22
_ROWS = 4096


def rows(
    path: Path,
    columns: Sequence[str],
    report: Callable[[int, str], None],
    /,
    *,
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None,
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"',
    encoding: str = "utf-8",
) -> Iterator[pa.RecordBatch]:
    """CSV or TSV with a header row; quoted fields may hold delimiters and line breaks.

    Args:
        delimiter: Character between two fields; null takes a tab for `.tsv` and
            `.tab`, else a comma.
        quote: Character around a field; two of them inside stand for one.
        encoding: Python's name of the file's encoding, as in `cp1252`. A byte order
            mark at the start of a UTF-8 file is passed over.

    Returns:
        Batches with `columns` in the order given, as strings; no value is empty.

    Raises:
        DataError: The file is empty or lacks one of the columns.
        SettingError: Python knows no such encoding.
    """
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise SettingError(
            "data.source.encoding",
            encoding,
            "must be an encoding that Python knows",
            fix="Common ones are utf-8, cp1252, latin-1 and utf-16.",
        ) from error
    if delimiter is None:
        delimiter = "\t" if path.suffix in (".tsv", ".tab") else ","
    _check_header(path, columns, delimiter, quote, encoding)
    if _above_suspicion(path, columns, delimiter, quote, encoding):
        yield from _batches(path, columns, delimiter, quote, encoding)
    else:
        yield from _strict_batches(path, columns, report, delimiter, quote, encoding)


def _check_header(path, columns, delimiter, quote, encoding) -> None:
    header = next(_strict_rows(path, delimiter, quote, encoding), None)
    if header is None:
        raise DataError(f"{path}: the file is empty; expected a header row with {', '.join(columns)}.")
    _, names, problem = header
    if problem:
        raise DataError(f"{path}:1: the header row is broken: {problem}.")
    absent = [column for column in columns if column not in names]
    if absent:
        raise DataError(
            f"{path}:1: no column {' or '.join(map(repr, absent))}; the header row has "
            f"{', '.join(map(repr, names))}. Set data.text_column and data.label_column, "
            "or data.source.delimiter."
        )
    repeated = [column for column in columns if names.count(column) > 1]
    if repeated:
        raise DataError(f"{path}:1: the column {repeated[0]!r} stands twice; rename one.")


def _above_suspicion(path, columns, delimiter, quote, encoding) -> bool:
    """Return whether no row can be bad: nothing ragged, empty, undecodable or oddly quoted."""
    try:
        for batch in _batches(path, columns, delimiter, quote, encoding):
            for column in batch.columns:
                if pc.any(pc.match_substring_regex(column, rf"[\n\r{quote}]")).as_py():
                    return False
                if not pc.all(pc.match_substring_regex(column, r"[^\s\pZ]")).as_py():
                    return False
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return False
    return True


def _batches(path, columns, delimiter, quote, encoding) -> Iterator[pa.RecordBatch]:
    with _open_as_utf8(path, encoding) as stream:
        reader = pa_csv.open_csv(
            stream,
            pa_csv.ReadOptions(block_size=_BLOCK),
            pa_csv.ParseOptions(delimiter=delimiter, quote_char=quote, newlines_in_values=True),
            pa_csv.ConvertOptions(
                include_columns=list(columns),
                column_types={column: pa.string() for column in columns},
                strings_can_be_null=False,
            ),
        )
        yield from reader


def _strict_batches(path, columns, report, delimiter, quote, encoding) -> Iterator[pa.RecordBatch]:
    lines = _strict_rows(path, delimiter, quote, encoding)
    _, header, _ = next(lines)
    places = [header.index(column) for column in columns]
    kept: list[list[str]] = []
    for line, fields, problem in lines:
        values: list[str] = []
        if not problem and len(fields) != len(header):
            problem = f"{len(fields)} fields where the header row has {len(header)}"
        if not problem:
            values = [fields[place] for place in places]
            empty = [column for column, value in zip(columns, values, strict=True) if not value.strip()]
            problem = f"{empty[0]!r} is empty" if empty else None
        if not problem and any(map(_has_surrogate, values)):
            problem = f"a byte that is not {encoding}; set data.source.encoding"
        if problem:
            report(line, problem)
            continue
        kept.append(values)
        if len(kept) == _ROWS:
            yield _record_batch(kept, columns)
            kept = []
    if kept:
        yield _record_batch(kept, columns)


def _record_batch(kept, columns) -> pa.RecordBatch:
    arrays = [pa.array(values, pa.string()) for values in zip(*kept, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _strict_rows(path, delimiter, quote, encoding) -> Iterator[tuple[int, list[str], str | None]]:
    """Yield (line, fields, problem) for each row; `line` is where the row starts.

    After a broken quote the reading goes on at the line below the one where the
    broken row began, so that one stray quote does not swallow the rest.
    """
    with open(path, encoding=encoding, errors="surrogateescape", newline="") as text:
        lines = _Rewindable(text)
        while True:
            start = lines.number + 1
            reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                lines.rewind()
                yield start, [], f"a broken quote ({error})"
                continue
            lines.forget()
            if start == 1 and fields:
                fields[0] = fields[0].removeprefix("\ufeff")
            if fields:
                yield start, fields, None


class _Rewindable:
    """The lines of a file, able to go back to just below the first one that a row took."""

    def __init__(self, text: io.TextIOBase) -> None:
        self.number = 0  # of the last line given out, from 1
        self._text, self._taken, self._again = text, [], []

    def __iter__(self):
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._text)
        self._taken.append(line)
        self.number += 1
        return line

    def forget(self) -> None:
        self._taken = []

    def rewind(self) -> None:
        self.number -= len(self._taken) - 1
        self._again.extend(reversed(self._taken[1:]))
        self._taken = []


def _has_surrogate(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


def _open_as_utf8(path: Path, encoding: str) -> BinaryIO:
    if codecs.lookup(encoding).name in ("utf-8", "ascii", "utf-8-sig"):
        return open(path, "rb")
    return _Utf8(path, encoding)


class _Utf8(io.RawIOBase):
    """A text file of another encoding, read as UTF-8 bytes."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._text = open(path, encoding=encoding, newline="")  # noqa: SIM115 - closed below
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self._rest:
            self._rest = self._text.read(_BLOCK).encode("utf-8")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def close(self) -> None:
        self._text.close()
        super().close()
