"""CSV and TSV, read through pyarrow; a file with a fault is read again, strictly, line by line.

pyarrow is fast but lenient: it joins the rows after a broken quote without a
word and does not tell lines. So a first pass only asks whether the file is
above suspicion. If it is not, the strict reader of the standard library, which
knows lines, decides what a row is.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv
from pydantic import Field

from tfft.errors import DataError, SettingError

_BLOCK = 1 << 22
_LONGEST = 1 << 22  # characters in a field; also bounds what a quote that is never closed takes in
_ROWS = 4096
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK = r"\s\pZ\x0b\x1c-\x1f\x{85}"  # what `str.strip` takes away, for RE2


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Decode bad bytes as `surrogateescape` does, also those below 0x80 that utf-16 can hold."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff" * (error.end - error.start), error.end


codecs.register_error("tfft.mark", _mark)


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
        SettingError: Python knows no such encoding or the file is not in it, or
            the delimiter or the quote is a line break, or they are the same.
    """
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        raise SettingError(
            "data.source.encoding",
            encoding,
            "must be an encoding that Python knows",
            fix="Common ones are utf-8, cp1252, latin-1 and utf-16.",
        ) from error
    if delimiter is None:
        delimiter = "\t" if path.suffix in (".tsv", ".tab") else ","
    for key, character in (("delimiter", delimiter), ("quote", quote)):
        if character in "\r\n":
            raise SettingError(
                f"data.source.{key}", character, "must not be a line break", fix="Leave the key out."
            )
    if delimiter == quote:
        raise SettingError(
            "data.source.quote", quote, "must differ from the delimiter", fix="Change one of the two."
        )
    _check_header(path, columns, delimiter, quote, encoding)
    if _above_suspicion(path, columns, delimiter, quote, encoding):
        yield from _batches(path, columns, delimiter, quote, encoding)
    else:
        yield from _strict_batches(path, columns, report, delimiter, quote, encoding)


def _check_header(path, columns, delimiter, quote, encoding) -> None:
    try:
        header = next(_strict_rows(path, delimiter, quote, encoding), None)
    except UnicodeError as error:
        raise SettingError(
            "data.source.encoding",
            encoding,
            f"must be the encoding of {path} ({error})",
            fix="A utf-16 file without a byte order mark needs utf-16-le or utf-16-be.",
        ) from error
    if header is None:
        raise DataError(f"{path}: the file is empty; expected a header row with {', '.join(columns)}.")
    line, names, problem = header
    if problem:
        raise DataError(f"{path}:{line}: the header row is broken: {problem}.")
    absent = [column for column in columns if column not in names]
    if absent:
        raise DataError(
            f"{path}:{line}: no column {' or '.join(map(repr, absent))}; the header row has "
            f"{', '.join(map(repr, names))}. Set data.text_column and data.label_column, "
            "or data.source.delimiter."
        )
    repeated = [column for column in columns if names.count(column) > 1]
    if repeated:
        raise DataError(f"{path}:{line}: the column {repeated[0]!r} stands twice; rename one.")


def _above_suspicion(path, columns, delimiter, quote, encoding) -> bool:
    """Return whether no row can be bad: nothing ragged, empty, undecodable or oddly quoted."""
    if not (delimiter + quote).isascii():
        return False  # pyarrow takes no other
    try:
        if not _lines_stand_alone(path, delimiter, quote, encoding):
            return False
        for batch in _batches(path, columns, delimiter, quote, encoding):
            for column in batch.columns:
                if not pc.all(pc.match_substring_regex(column, f"[^{_BLANK}]")).as_py():
                    return False
    except (pa.ArrowInvalid, KeyError, UnicodeError):
        return False
    return True


def _lines_stand_alone(path, delimiter, quote, encoding) -> bool:
    """Return whether no line is overlong and each quote opens, closes or is doubled within its line.

    pyarrow takes all else without a word: it reads `"a"b` as `ab`.
    """
    edge, between = re.escape(quote), re.escape(delimiter)
    field = rf"(?:{edge}[^{edge}\r\n]*(?:{edge}{edge}[^{edge}\r\n]*)*{edge}|[^{edge}{between}\r\n]*)"
    whole = re.compile(rf"{field}(?:{between}{field})*[\r\n]*")
    with _open_text(path, encoding) as lines:
        return all(len(line) <= _LONGEST and (quote not in line or whole.fullmatch(line)) for line in lines)


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
            count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
            problem = f"{count} where the header row has {len(header)}"
        if not problem:
            values = [fields[place] for place in places]
            empty = [column for column, value in zip(columns, values, strict=True) if not value.strip()]
            problem = f"{empty[0]!r} is empty" if empty else None
        if not problem and any(map(_SURROGATE.search, values)):
            problem = f"a byte that is not {encoding}; set data.source.encoding"
        if problem:
            if kept:  # before the report, which may end the reading
                yield _record_batch(kept, columns)
                kept = []
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
    with _open_text(path, encoding) as text:
        lines = _Rewindable(text)
        while True:
            start = lines.number + 1
            reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)
            problem = None
            limit = csv.field_size_limit(_LONGEST)  # one for the whole process: put back at once
            try:
                fields = next(reader, None)
            except csv.Error as error:
                what = "a field too long or a broken quote" if "limit" in str(error) else "a broken quote"
                fields, problem = [], f"{what} ({error})"
            finally:
                csv.field_size_limit(limit)
            if fields is None:
                return
            if problem:
                lines.rewind()
            else:
                lines.forget()
            if fields or problem:
                yield start, fields, problem


class _Rewindable:
    """The lines of a file, able to go back to just below the first one that a row took."""

    def __init__(self, text: io.TextIOBase) -> None:
        self.number = 0  # of the last line given out, from 1
        self._text = text
        self._taken: list[str] = []
        self._again: list[str] = []

    def __iter__(self):
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._text)
        if not self.number:
            line = line.removeprefix("\ufeff")  # here, for a quoted field may follow it
        self._taken.append(line)
        self.number += 1
        return line

    def forget(self) -> None:
        self._taken = []

    def rewind(self) -> None:
        self.number -= len(self._taken) - 1
        self._again.extend(reversed(self._taken[1:]))
        self._taken = []


def _open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    return open(path, encoding=encoding, errors="tfft.mark", newline="")


def _open_as_utf8(path: Path, encoding: str) -> BinaryIO | io.RawIOBase:
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
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
