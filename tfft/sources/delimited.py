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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv
from pydantic import Field

from tfft.errors import DataError, SettingError
from tfft.sources import NOT_BLANK, check_encoding, gather, is_list, open_bytes, suffix

READS = "files"

_BLOCK = 1 << 22
_LONGEST = 1 << 22  # characters in a field; also bounds what a quote that is never closed takes in
_ROWS = 4096
_SURROGATE = re.compile("[\ud800-\udfff]")


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Decode bad bytes as `surrogateescape` does, also those below 0x80 that utf-16 can hold."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff" * (error.end - error.start), error.end


codecs.register_error("tfft.mark", _mark)


def rows(
    where: Path,
    columns: Mapping[str, pa.DataType],
    report: Callable[[int, str], None],
    /,
    *,
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None,
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"',
    encoding: str = "utf-8",
    separator: Annotated[str, Field(min_length=1)] | None = None,
) -> Iterator[pa.RecordBatch]:
    """CSV or TSV with a header row; quoted fields may hold delimiters and line breaks.

    Args:
        delimiter: Character between two fields; null takes a tab for `.tsv` and
            `.tab` (also `.tsv.gz`), else a comma.
        quote: Character around a field; two of them inside stand for one.
        encoding: Python's name of the file's encoding, as in `cp1252`. A byte order
            mark at the start of a UTF-8 file is passed over.
        separator: Between the values of a field that holds several, such as labels or
            words; spaces around a value are no part of it; null splits at white space.

    Returns:
        Batches with `columns` in the order given, as text or lists of text; no value is
        empty, though a list may be.

    Raises:
        DataError: The file is empty or lacks one of the columns.
        SettingError: Python knows no such encoding or the file is not in it, or
            the delimiter or the quote is a line break, or they are the same.
    """
    check_encoding(encoding)
    if delimiter is None:
        delimiter = "\t" if suffix(where) in (".tsv", ".tab") else ","
    for key, character in (("delimiter", delimiter), ("quote", quote)):
        if character in "\r\n":
            raise SettingError(
                f"data.source.{key}", character, "must not be a line break", fix="Leave the key out."
            )
    if delimiter == quote:
        raise SettingError(
            "data.source.quote", quote, "must differ from the delimiter", fix="Change one of the two."
        )
    form = (delimiter, quote, encoding)
    _check_header(where, columns, *form)
    if _above_suspicion(where, columns, *form, separator):
        for batch in _batches(where, columns, *form):
            yield _with_lists(batch, columns, separator)
    else:
        yield from gather(_strict_values(where, columns, *form, separator), columns, report, _ROWS)


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


def _above_suspicion(path, columns, delimiter, quote, encoding, separator) -> bool:
    """Return whether no row can be bad: nothing ragged, empty, undecodable or oddly quoted."""
    if not (delimiter + quote).isascii():
        return False  # pyarrow takes no other
    try:
        if not _lines_stand_alone(path, delimiter, quote, encoding):
            return False
        for batch in _batches(path, columns, delimiter, quote, encoding):
            for column, kind in zip(batch.columns, columns.values(), strict=True):
                if is_list(kind):
                    if not all(all(_split(field, separator)) for field in column.to_pylist()):
                        return False
                elif not pc.all(pc.match_substring_regex(column, NOT_BLANK)).as_py():
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


def _with_lists(batch, columns, separator) -> pa.RecordBatch:
    """Return the batch with the fields split that hold several values."""
    if not any(map(is_list, columns.values())):
        return batch
    arrays = [
        pa.array([_split(field, separator) for field in column.to_pylist()], kind)
        if is_list(kind)
        else column
        for column, kind in zip(batch.columns, columns.values(), strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _split(field: str, separator: str | None) -> list[str]:
    if separator is None or not field.strip():
        return field.split()
    return [value.strip() for value in field.split(separator)]


def _strict_values(
    path, columns, delimiter, quote, encoding, separator
) -> Iterator[tuple[int, list[Any], str | None]]:
    """Yield (line, values, problem) for each row."""
    lines = _strict_rows(path, delimiter, quote, encoding)
    _, header, _ = next(lines)
    places = [header.index(column) for column in columns]
    lists = [place for place, kind in enumerate(columns.values()) if is_list(kind)]
    for line, fields, problem in lines:
        values: list[Any] = []
        if not problem and len(fields) != len(header):
            count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
            problem = f"{count} where the header row has {len(header)}"
        if not problem:
            values = [fields[place] for place in places]
            text = "".join(values)
            is_encoded = text.isascii() or not _SURROGATE.search(text)
            for place in lists:
                values[place] = _split(values[place], separator)
            problem = _first_blank(columns, values)
            if not problem and not is_encoded:
                problem = f"a byte that is not {encoding}; set data.source.encoding"
        yield line, values, problem


def _first_blank(columns, values) -> str | None:
    for column, value in zip(columns, values, strict=True):
        if isinstance(value, str):
            if not value.strip():
                return f"{column!r} is empty"
        elif not all(value):
            return f"value {value.index('') + 1} of {column!r} is empty"
    return None


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
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, errors="tfft.mark", newline="")


def _open_as_utf8(path: Path, encoding: str) -> BinaryIO | io.RawIOBase:
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        return open_bytes(path)
    return _Utf8(path, encoding)


class _Utf8(io.RawIOBase):
    """A text file of another encoding, read as UTF-8 bytes."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._text = io.TextIOWrapper(open_bytes(path), encoding=encoding, newline="")
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
