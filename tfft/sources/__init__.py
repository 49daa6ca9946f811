"""Sources: each file reads one format into batches of rows, and reports the rows it cannot use.

A source is two names:

- `READS`, a constant. `"files"`: `where` is the path of one file, as `files` finds it (or of
  the folder that some formats are). `"splits"`: `where` is the text of a split expression, as
  in `train[:90%]`.
- `rows(where, columns, report, /, *, …)`, a generator of Arrow record batches.

`columns` maps the name of each column in the file to its type, `pa.string()` or
`pa.list_(pa.string())`. A batch holds just these columns, in their order. All values are
text: a number or true/false in a text format as it stands in the file, elsewhere as Python
writes the number (`1.0`, `3`) and JSON the truth (`true`). No value is missing or blank, nor
is a member of a list; a list may be without members, for a row may have no label.

Whatever breaks these rules is left out, and `report(number, reason)` called for it: with the
line where there are lines, else with the number of the row or the file, from 1. What stands
above a bad row is given out before it is reported, for the report may end the reading. The
rows are read in portions; the whole is never in memory.
"""

import contextlib
import difflib
import glob
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import pyarrow as pa

from tfft.errors import DataError, SettingError

NOT_BLANK = r"[^\s\pZ\x0b\x1c-\x1f\x{85}]"
"""What `str.strip` leaves of a text, as a regular expression of pyarrow's."""

_CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_OTHER_ARCHIVES = (".zip", ".xz", ".7z", ".lz4", ".rar")
_SHOWN = 5


def files(where: str) -> list[Path]:
    """Return the files that a config names: a file, a folder, or a pattern of files in their order.

    Args:
        where: A path, or a pattern with `*`, `?`, `[…]` and `**` for folders at any depth.

    Raises:
        DataError: There is none.
    """
    path = Path(where)
    with contextlib.suppress(OSError):  # a name that is too long is of no file
        if path.exists():
            return [path]
    if found := sorted(Path(name) for name in glob.glob(where, recursive=True) if Path(name).is_file()):
        return found
    is_pattern = glob.has_magic(where)
    kind = "no file matches this pattern" if is_pattern else "no such file or folder"
    above = next((folder for folder in path.parents if folder.is_dir()), Path())
    there = sorted(entry.name for entry in above.iterdir())
    missing = path.relative_to(above).parts[0] if above in path.parents else path.name
    close = difflib.get_close_matches(missing, there, _SHOWN) or there[:_SHOWN]
    shown = ", ".join(map(repr, close)) if close else "nothing"
    raise DataError(
        f"{where}: {kind}. In {above} there is {shown}. Correct the path, or bring the file back."
    )


def suffix(path: Path) -> str:
    """Return the ending that tells the format, in small letters: `.tsv` of `rows.tsv.gz`."""
    return Path(path.stem if path.suffix.lower() in _CODECS else path.name).suffix.lower()


def open_bytes(path: Path) -> BinaryIO:
    """Open a file to read its bytes, unpacked on the way where its name ends in .gz, .bz2 or .zst.

    Raises:
        DataError: It is a folder, or packed in another way; on reading, that it is damaged or cut off.
    """
    if path.suffix.lower() in _OTHER_ARCHIVES:
        raise DataError(
            f"{path}: expected a plain file, or one packed as {', '.join(_CODECS)}; got {path.suffix}. "
            "Unpack it first."
        )
    if path.is_dir():
        raise DataError(
            f"{path}: expected a file, got a folder. Name the files in it, as in {path}/*, or "
            "set data.source to folder or parquet."
        )
    codec = _CODECS.get(path.suffix.lower())
    if codec is None:
        return open(path, "rb")
    return io.BufferedReader(_Unpacked(path, codec), io.DEFAULT_BUFFER_SIZE * 8)


class _Unpacked(io.RawIOBase):
    """The bytes inside a compressed file."""

    def __init__(self, path: Path, codec: str) -> None:
        self._path, self._codec = path, codec
        self._stream = pa.input_stream(str(path), compression=codec)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            return self._stream.readinto(buffer)
        except OSError as error:
            raise DataError(
                f"{self._path}: damaged or cut off; expected {self._codec} data, as the name says ({error}). "
                "Fetch or pack the file again, or correct its name."
            ) from error

    def close(self) -> None:
        self._stream.close()
        super().close()


def gather(
    numbered: Iterable[tuple[int, Sequence[Any], str | None]],
    columns: Mapping[str, pa.DataType],
    report: Callable[[int, str], None],
    size: int,
) -> Iterator[pa.RecordBatch]:
    """Gather rows into batches of `size`, and report the bad ones in their place.

    Args:
        numbered: Number, values in the order of `columns`, and what is wrong, for each row.
        columns: Name and type of each column.
        report: Called with number and reason of each bad row.
        size: Rows in a batch; the last has fewer, and so has one above a bad row.
    """
    kept: list[Sequence[Any]] = []
    for number, values, problem in numbered:
        if problem is None:
            kept.append(values)
            if len(kept) < size:
                continue
        if kept:
            yield _record_batch(kept, columns)
            kept = []
        if problem is not None:
            report(number, problem)
    if kept:
        yield _record_batch(kept, columns)


def _record_batch(kept: list[Sequence[Any]], columns: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    arrays = [
        pa.array(values, kind) for values, kind in zip(zip(*kept, strict=True), columns.values(), strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def is_list(kind: pa.DataType) -> bool:
    """Return whether a column of this type, one of the contract's two, holds lists."""
    return not pa.types.is_string(kind)


def check_encoding(encoding: str) -> None:
    """Raise a SettingError unless it is a text encoding that Python knows."""
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        raise SettingError(
            "data.source.encoding",
            encoding,
            "must be an encoding that Python knows",
            fix="Common ones are utf-8, cp1252, latin-1 and utf-16.",
        ) from error


def library(name: str, package: str) -> ModuleType:
    """Import what a source needs besides tfft.

    Raises:
        SettingError: It is not installed.
    """
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise SettingError(
            "data.source",
            name,
            f"needs a package that is not installed ({error})",
            fix=f"pip install {package}",
        ) from error
