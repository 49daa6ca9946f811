"""A folder for each class with a file for each row, as many corpora of reviews or articles come."""

import codecs
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from tfft.errors import DataError, SettingError
from tfft.sources import check_encoding, gather, is_list

READS = "files"

_COLUMNS = ("text", "label", "path")
_ROWS = 1024


def rows(
    where: Path,
    columns: Mapping[str, pa.DataType],
    report: Callable[[int, str], None],
    /,
    *,
    pattern: str = "*.txt",
    encoding: str = "utf-8",
) -> Iterator[pa.RecordBatch]:
    """A folder with one folder for each class and in it a text file for each row.

    Its columns are `text`; `label`, the name of the class's folder; and `path`, the file's below
    the folder. Rows come in the order of their paths. Files beside the folders of the classes and
    hidden ones are no rows; a link that leads out of the folder is not followed.

    Args:
        pattern: Which files of a class's folder are rows, as in `*.txt`; `**/*.txt` takes
            those at any depth.
        encoding: Python's name of the files' encoding, as in `cp1252`.

    Returns:
        Batches with `columns` in the order given, as text without the line breaks at its end.

    Raises:
        DataError: There is no such folder, class or file, or another column is asked for.
        SettingError: Python knows no such encoding, or the pattern leads out of the folder.
    """
    check_encoding(encoding)
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts or not Path(pattern).parts:
        raise SettingError(
            "data.source.pattern", pattern, "must be a pattern below a class's folder", fix="Try *.txt."
        )
    for column, kind in columns.items():
        if column not in _COLUMNS or is_list(kind):
            what = "no lists in the column" if column in _COLUMNS else "no column"
            raise DataError(
                f"{where}: a folder of text files has {what} {column!r}; its columns are "
                f"{', '.join(map(repr, _COLUMNS))}. Set data.text_column and data.label_column."
            )
    yield from gather(_numbered(where, columns, pattern, encoding), columns, report, _ROWS)


def _numbered(where, columns, pattern, encoding) -> Iterator[tuple[int, list[str], str | None]]:
    is_utf_8 = codecs.lookup(encoding).name == "utf-8"
    for number, file in enumerate(_files(where, pattern), start=1):
        path = file.relative_to(where)
        if _leads_out(file, where):
            yield number, [], f"{str(path)!r} is a link that leads out of the folder"
            continue
        values = {"label": path.parts[0], "path": str(path)}
        try:
            # utf-8-sig passes over a byte order mark.
            text = file.read_bytes().decode("utf-8-sig" if is_utf_8 else encoding).rstrip("\r\n")
            "".join([text, *values.values()]).encode(
                "utf-8"
            )  # half of a surrogate pair, or a file's odd name
        except UnicodeError as error:
            yield number, [], f"{str(path)!r} is not {encoding} ({error}); set data.source.encoding"
        except OSError as error:
            yield number, [], f"{str(path)!r} cannot be read ({error.strerror})"
        else:
            problem = None if text.strip() else f"{str(path)!r} is empty"
            row = values | {"text": text}
            yield number, [row[column] for column in columns], problem


def _files(where: Path, pattern: str) -> list[Path]:
    """Return the files of all classes in the order of their paths; only their names are kept in memory."""
    expected = "expected a folder for each class with text files in it"
    if not where.is_dir():
        raise DataError(f"{where}: no such folder; {expected}.")
    classes = [entry for entry in sorted(where.iterdir()) if entry.is_dir() and not _is_hidden(entry)]
    if not classes:
        raise DataError(f"{where}: no folder in it; {expected}.")
    for folder in classes:
        if _leads_out(folder, where):
            raise DataError(
                f"{where}: its folder {folder.name!r} is a link that leads out of it, which is not followed. "
                "Put the files themselves there."
            )
    found = [
        file
        for folder in classes
        for file in sorted(folder.glob(pattern))
        if file.is_file() and not _is_hidden(file)
    ]
    if not found:
        shown = ", ".join(repr(folder.name) for folder in classes[:5])
        raise DataError(
            f"{where}: no file matches {pattern!r} in its folders ({shown}); {expected}. "
            "Set data.source.pattern."
        )
    return found


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _leads_out(path: Path, folder: Path) -> bool:
    return not path.resolve().is_relative_to(folder.resolve())
