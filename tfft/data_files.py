"""A file, a pattern or a folder -> the files of each split, and how they are read.

A first config needs to know three things of the data before it looks at a row:
which files there are, which of the sources reads them, and with what settings.
The ending of a name is a hint; the first bytes decide.
"""

import codecs
import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfft import sources
from tfft.errors import DataError

_HEAD = 1 << 18  # bytes from which the format is told
_ROWS = 200  # of these bytes, from which the delimiter is told
_DELIMITERS = (",", "\t", ";", "|")
_VALIDATION = ("validation", "valid", "val", "dev")
_TEST = ("test",)
_TRAIN = re.compile(r"(?<![a-z])train(?:ing)?(?![a-z])", re.IGNORECASE)
_ENDINGS = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet", ".json", ".txt")


@dataclass(frozen=True)
class DataFiles:
    """Where the rows of a data set are.

    Attributes:
        name: Of the data set: that of its file or, where that only says `train`, of its folder.
        train: A file, a pattern or a folder.
        validation: The same, if there is one.
        test: The same, if there is one.
        source: Name of the source and its settings, as `data.source` takes them.
    """

    name: str
    train: str
    validation: str | None = None
    test: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)


def find(where: str) -> DataFiles:
    """Return the files that belong to what a user names.

    Args:
        where: A file, a pattern of files, or a folder: with a folder for each class, with the files or
            folders of each split, with Parquet files, or with a single data file. A file whose name says
            `train` has the others of its kind beside it: validation, valid, val or dev, and test.

    Raises:
        DataError: There is no such file, it is empty, or its format is none that a source reads.
    """
    path = Path(where)
    found = sources.files(where)
    if found != [path]:
        return DataFiles(_stem(Path(where)) or "data", where, source=_source(found[0]))
    if not path.is_dir():
        return _with_siblings(path, _source(path))
    return _in_folder(path)


def paths(origin: str, source: Mapping[str, Any]) -> list[Path]:
    """Return the single files of a split, those of a folder in the order of their names.

    Args:
        origin: A file, a pattern or a folder, as in `DataFiles`.
        source: As in `DataFiles`.
    """
    found = sources.files(origin)
    if len(found) == 1 and found[0].is_dir():
        pattern = f"*/{source.get('pattern', '*.txt')}" if source["name"] == "folder" else "**/*.parquet"
        inside = sorted(found[0].glob(pattern))
        return [path for path in inside if path.is_file() and not path.name.startswith(".")]
    return found


def _in_folder(folder: Path) -> DataFiles:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    files = [entry for entry in entries if entry.is_file() and sources.suffix(entry) in _ENDINGS]
    # A .txt may be a licence, or what a folder of texts has beside its classes.
    rows = [entry for entry in files if sources.suffix(entry) != ".txt"]
    name = folder.resolve().name or "data"
    if trains := [entry for entry in rows if _TRAIN.search(entry.name)]:
        whole = [entry for entry in trains if _TRAIN.fullmatch(_stem(entry))]
        if whole or len(trains) == 1:
            path = (whole or trains)[0]
            return _with_siblings(path, _source(path))
        return _of_shards(folder, trains)
    folders = [entry for entry in entries if entry.is_dir()]
    if train := next((entry for entry in folders if _TRAIN.fullmatch(entry.name)), None):
        inside = _of_folder(train)
        by_name = {entry.name.lower(): str(entry) for entry in folders}
        return DataFiles(name, str(train), _first(by_name, _VALIDATION), _first(by_name, _TEST), inside)
    if len(rows) == 1:
        return _with_siblings(rows[0], _source(rows[0]))
    if rows and all(sources.suffix(entry) == ".parquet" for entry in rows):
        return DataFiles(name, str(folder), source={"name": "parquet"})
    if not rows and folders:
        return DataFiles(name, str(folder), source=_of_folder(folder))
    shown = ", ".join(repr(entry.name) for entry in entries[:5]) or "nothing"
    raise DataError(
        f"{folder}: expected a folder for each class, files called train, validation and test, or one data "
        f"file; got {shown}. Name a file in it, or a pattern."
    )


def _of_shards(folder: Path, trains: list[Path]) -> DataFiles:
    """Return splits of several files each, as in `train-00000-of-00002.parquet`."""
    ending = (
        "".join(trains[0].suffixes[-2:]) if trains[0].suffix in (".gz", ".bz2", ".zst") else trains[0].suffix
    )
    starts = {re.split(r"[-_.]\d", entry.name)[0] for entry in trains}
    if len(starts) > 1 or not _TRAIN.fullmatch(next(iter(starts))):
        shown = ", ".join(repr(entry.name) for entry in trains[:5])
        raise DataError(f"{folder}: more than one file may be the training rows: {shown}. Name one.")

    def pattern(words: tuple[str, ...]) -> str | None:
        tried = (str(folder / f"{word}[-_.][0-9]*{ending}") for word in words)
        return next((text for text in tried if any(folder.glob(Path(text).name))), None)

    train = str(folder / f"{next(iter(starts))}[-_.][0-9]*{ending}")
    name = folder.resolve().name
    return DataFiles(name, train, pattern(_VALIDATION), pattern(_TEST), _source(trains[0]))


def _of_folder(folder: Path) -> dict[str, Any]:
    """Return the source of a folder: Parquet files, or a folder of texts for each class."""
    if any(folder.rglob("*.parquet")):
        return {"name": "parquet"}
    texts = [path for path in folder.glob("*/*") if path.is_file() and not path.name.startswith(".")]
    if not texts:
        raise DataError(
            f"{folder}: expected a folder for each class with text files in it; there is no file in its "
            "folders. Name a file or another folder."
        )
    if b"\0" in _head(texts[0])[0]:
        raise DataError(f"{texts[0]}: expected text, got a file with bytes of zero. Name a folder of texts.")
    endings = Counter(path.suffix for path in texts)
    if ".txt" in endings:
        return {"name": "folder"}
    ending, _ = endings.most_common(1)[0]
    return {"name": "folder", "pattern": f"*{ending}"}


def _with_siblings(path: Path, source: Mapping[str, Any]) -> DataFiles:
    stem = _stem(path)
    parent = path.resolve().parent.name or "data"
    if not (word := _TRAIN.search(path.name)):
        return DataFiles(stem, str(path), source=source)

    def beside(words: tuple[str, ...]) -> str | None:
        names = (path.name[: word.start()] + other + path.name[word.end() :] for other in words)
        return next((str(path.with_name(name)) for name in names if path.with_name(name).is_file()), None)

    name = parent if _TRAIN.fullmatch(stem) else _TRAIN.sub("", stem).strip("-_. ") or parent
    return DataFiles(name, str(path), beside(_VALIDATION), beside(_TEST), source)


def _first(by_name: Mapping[str, str], words: tuple[str, ...]) -> str | None:
    return next((by_name[word] for word in words if word in by_name), None)


def _stem(path: Path) -> str:
    """Return a name without the endings that tell format and packing."""
    inner = (
        path.name.removesuffix(path.suffix) if path.suffix.lower() in (".gz", ".bz2", ".zst") else path.name
    )
    name = Path(inner).stem if Path(inner).suffix.lower() in _ENDINGS else inner
    return re.sub(r"[*?\[\]]+", "", name).strip("-_. ")


def _head(path: Path) -> tuple[bytes, bool]:
    """Return the first bytes of a file, unpacked, and whether they are all."""
    try:
        with sources.open_bytes(path) as stream:
            content = stream.read(_HEAD)
            return content, not stream.read(1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}. Correct the path or its rights.") from error


def _source(path: Path) -> dict[str, Any]:
    """Return the source that reads a file, with the settings that it needs."""
    head, is_all = _head(path)
    if not head.strip():
        raise DataError(f"{path}: the file is empty. Expected rows with a text and a label.")
    if head.startswith(b"PAR1"):
        return {"name": "parquet"}
    encoding = _encoding(head, is_all)
    if b"\0" in head and encoding != "utf-16":
        raise DataError(
            f"{path}: expected CSV, TSV, JSON Lines or Parquet, got bytes that are no text. Write the rows "
            "in one of these formats; a spreadsheet exports CSV."
        )
    text = head.decode(encoding, "replace").removeprefix("\ufeff")
    if not is_all:
        text = text[: text.rfind("\n") + 1] or text  # a line that is cut off tells nothing
    if text.lstrip()[:1] in "{[" and (kind := _json(path, text.lstrip())):
        return kind
    ending = sources.suffix(path)
    usual = "\t" if ending in (".tsv", ".tab") else ","
    delimiter = _delimiter(text, usual)
    found = {"delimiter": delimiter} if delimiter != usual else {}
    return {"name": "delimited", **found, **({} if encoding == "utf-8" else {"encoding": encoding})}


def _json(path: Path, text: str) -> dict[str, Any] | None:
    """Return the source of JSON Lines; None where a `{` or `[` is only how a text begins."""
    try:
        first = json.loads(text.partition("\n")[0])
    except ValueError:
        first = None
    if isinstance(first, dict):
        return {"name": "jsonl"}
    if first is not None or sources.suffix(path) in (".json", ".jsonl", ".ndjson"):
        raise DataError(
            f"{path}: expected JSON Lines, one object a line; got JSON of another shape. Write each row on a "
            'line of its own, as in {"text": "…", "label": "…"}.'
        )
    return None


def _encoding(head: bytes, is_all: bool) -> str:
    """Return the encoding: UTF-8 unless more lines break its rules than need them."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    lines = head.splitlines()
    if not is_all and len(lines) > 1:
        lines = lines[:-1]
    other = [line for line in lines if not line.isascii()]
    broken = [line for line in other if not _is_utf_8(line)]
    return "cp1252" if 2 * len(broken) > len(other) else "utf-8"


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(text: str, usual: str) -> str:
    """Return the delimiter by which most rows have as many fields as the header, more than one."""

    def fit(delimiter: str) -> tuple[bool, float, int]:
        counts = [len(fields) for fields in _fields(text, delimiter)]
        if not counts or counts[0] < 2:
            return False, 0.0, 0
        same = sum(count == counts[0] for count in counts) / len(counts)
        return same >= 0.9, same, counts[0]

    if fit(usual)[0]:
        return usual
    best = max(_DELIMITERS, key=fit)
    return best if fit(best)[2] else usual


def _fields(text: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the fields of the first rows, up to one that no reader takes."""
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    try:
        for number, fields in enumerate(reader):
            if number == _ROWS:
                return
            if fields:
                yield fields
    except csv.Error:  # a quote that is never closed: what stands above it tells enough
        return
