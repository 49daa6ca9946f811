"""The first look at data: some rows with all their columns, whatever they are called.

The sources read columns that a config names, and hold rows to its rules. Before
there is a config, the rows are only looked at: as they stand, nothing checked.
What the config then asks for is counted through the source itself, so that a
row it will refuse is known before training.
"""

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tfft import sources
from tfft.errors import DataError

ROWS = 4000
"""Rows in a sample: enough to see 77 labels, few enough to look at in a second."""

BYTES = 1 << 25
"""How much of the files is read for a sample, unpacked; smaller ones are read to their end."""

_LONGEST = 10_000  # characters of a value, or members of a list, that are kept
_SHOWN = 5


class Nested:
    """Stands for a value that is neither text, number nor a list of those."""


Value = str | list[str] | Nested | None


@dataclass(frozen=True)
class Sample:
    """Rows drawn at random from the first `BYTES` of some files.

    Attributes:
        columns: Values of each column, as text or lists of text; None for a missing or blank one.
        rows: Number of all rows, an estimate where the files are longer than what was read.
        is_whole: The files were read to their end.
    """

    columns: Mapping[str, list[Value]]
    rows: int
    is_whole: bool

    @property
    def size(self) -> int:
        """Rows in the sample."""
        return len(next(iter(self.columns.values()), []))


@dataclass(frozen=True)
class Counted:
    """What a source makes of rows.

    Attributes:
        rows: That can be used; as in `Sample.rows` an estimate.
        labels: Rows of each value of the target; of each member of a list.
        bad_rows: Place and reason of the first that cannot be used.
        bad: Number of those.
        is_whole: All rows were counted, not a sample of them.
    """

    rows: int
    labels: Counter[str]
    bad_rows: Sequence[str]
    bad: int
    is_whole: bool


def take(paths: Sequence[Path], source: Mapping[str, Any]) -> Sample:
    """Return a sample of the rows in some files, the same whenever it is taken.

    Only the sample is in memory. Each file is read up to its share of `BYTES`; of a folder of texts, files
    at equal distances.

    Args:
        paths: Files, at least one.
        source: Name of their source and its settings.

    Raises:
        DataError: A file cannot be read, or none has a row.
    """
    room = max(BYTES // len(paths), 1)
    drawn: list[tuple[int, Mapping[str, Value]]] = []
    dice = random.Random(0)  # noqa: S311 - no secret
    names: dict[str, None] = {}
    seen, read, is_whole = 0, 0, True
    if source["name"] == "folder":
        files = paths[:: -(-len(paths) // ROWS)]
        is_whole = sum(path.stat().st_size for path in paths) <= BYTES
        readings: Iterable[Iterator[tuple[int, Mapping[str, Value]]]] = [_texts(files, source)]
        room = BYTES
    else:
        readings = (_READERS[source["name"]](path, source) for path in paths)
    for reading in readings:
        used = 0
        for size, row in reading:
            used += size
            names.update(dict.fromkeys(row))
            if len(drawn) < ROWS:
                drawn.append((seen, row))
            elif (place := dice.randrange(seen + 1)) < ROWS:  # algorithm R: Vitter 1985, section 2
                drawn[place] = (seen, row)
            seen += 1
            if used > room:
                is_whole = False
                break
        read += used
    if not drawn:
        raise DataError(f"{paths[0]}: no row in it. Expected rows with a text and a label.")
    rows = [row for _, row in sorted(drawn, key=lambda numbered: numbered[0])]
    return Sample(
        {name: [row.get(name) for row in rows] for name in names},
        _estimate(paths, source, seen, read, is_whole),
        is_whole,
    )


def count(
    rows: Callable[..., Iterator[pa.RecordBatch]],
    places: Sequence[Path],
    columns: Mapping[str, pa.DataType],
    label_column: str,
) -> Counted:
    """Count rows as the source of a config reads them.

    Args:
        rows: The source's function, its settings bound.
        places: Files, or the folder that some sources read.
        columns: Those of the texts and of the target, and their types.
        label_column: The one of the target.

    Raises:
        DataError: The source cannot read a file.
    """
    bad: list[str] = []
    labels: Counter[str] = Counter()
    total = 0
    for place in places:
        for batch in rows(place, columns, lambda line, why, at=place: bad.append(f"{at}:{line}: {why}")):
            total += batch.num_rows
            values = batch.column(label_column)
            labels.update((values.flatten() if sources.is_list(values.type) else values).to_pylist())
    return Counted(total, labels, bad[:_SHOWN], len(bad), True)


def counted(values: Sequence[Value], rows: int) -> Counted:
    """Return what a sample tells of all rows.

    Args:
        values: Of the target, in the rows of the sample.
        rows: Number of all rows, as in `Sample`.
    """
    members = [member for value in values for member in (value if isinstance(value, list) else [value])]
    return Counted(rows, Counter(map(str, members)), (), 0, False)


def _estimate(paths, source, seen: int, read: int, is_whole: bool) -> int:
    if source["name"] == "folder":
        return len(paths)
    if source["name"] == "parquet":
        import pyarrow.parquet as pq

        return sum(pq.read_metadata(path).num_rows for path in paths)
    return seen if is_whole else round(seen * sum(path.stat().st_size for path in paths) / max(read, 1))


def _delimited(path: Path, source: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Value]]]:
    usual = "\t" if sources.suffix(path) in (".tsv", ".tab") else ","
    encoding = source.get("encoding", "utf-8")
    with io.TextIOWrapper(sources.open_bytes(path), encoding, "replace", newline="") as text:
        reader = csv.reader(text, delimiter=source.get("delimiter", usual))
        header = [name.removeprefix("\ufeff") for name in next(filter(None, reader), [])]
        _check_header(path, header)
        try:
            for fields in reader:
                if len(fields) == len(header):  # what is ragged is the source's to tell
                    values = {name: _value(field) for name, field in zip(header, fields, strict=True)}
                    yield sum(map(len, fields)) + len(fields), values
        except csv.Error:  # an overlong field or an unclosed quote: the source tells which
            return


def _check_header(path: Path, header: Sequence[str]) -> None:
    blank = [place for place, name in enumerate(header, start=1) if not name.strip()]
    if blank and (len(header) == 1 or blank != [1]):  # the first without a name is the index of pandas
        raise DataError(
            f"{path}:1: column {blank[0]} has no name. Expected a header row, as in text,label; add it."
        )
    if twice := [name for name in header if header.count(name) > 1]:
        raise DataError(f"{path}:1: the column {twice[0]!r} stands twice; rename one, or add a header row.")


def _jsonl(path: Path, source: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Value]]]:
    with sources.open_bytes(path) as stream:
        for line in stream:
            try:
                row = json.loads(line.decode("utf-8-sig"), parse_float=str, parse_int=str)
            except (ValueError, RecursionError):  # the source tells which line, and why
                continue
            if isinstance(row, dict):
                yield len(line), {str(key): _value(value) for key, value in row.items()}


def _parquet(path: Path, source: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Value]]]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            for batch in file.iter_batches(1024):
                size = batch.nbytes // max(batch.num_rows, 1)
                for row in batch.to_pylist():
                    yield size, {name: _value(value) for name, value in row.items()}
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: damaged, or no Parquet file ({error}). Write or fetch it again.") from error


def _texts(paths: Sequence[Path], source: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Value]]]:
    for path in paths:
        with open(path, encoding=source.get("encoding", "utf-8"), errors="replace") as stream:
            text = stream.read(_LONGEST)
        yield len(text), {"text": _value(text), "label": path.parent.name}


_READERS = {"delimited": _delimited, "jsonl": _jsonl, "parquet": _parquet}


def _value(value: object) -> Value:
    if isinstance(value, str):
        return value[:_LONGEST] if value.strip() else None
    if isinstance(value, (list, tuple)):
        members = [_value(member) for member in value[:_LONGEST]]
        texts = [member for member in members if isinstance(member, str)]
        return texts if len(texts) == len(members) else Nested()
    if isinstance(value, bool):
        return json.dumps(value)
    if value is None or value != value:  # a number that is not one
        return None
    if isinstance(value, (dict, bytes)):
        return Nested()
    return str(value)
