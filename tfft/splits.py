"""Read the rows of each split, and part those that are set aside from those that stay."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfft import cache, fingerprint, spill
from tfft.errors import DataError

_SHOWN = 10
_TAKEN = 65536  # rows at a time


@dataclass(frozen=True)
class Rows:
    """Rows of one split.

    Attributes:
        table: What was asked for: the texts, `label` and perhaps more; texts, or lists of them.
        source: What it came from, for the record: where from, the hash of each file, that of all rows as
            they were read, their number, and bad rows.
    """

    table: pa.Table
    source: dict[str, Any] = field(default_factory=dict)


def read(
    rows: Callable[..., Iterator[pa.RecordBatch]],
    places: Sequence[Path | str],
    *,
    columns: Mapping[str, tuple[str, pa.DataType]],
    on_bad_row: str,
) -> Rows:
    """Read labelled rows.

    Args:
        rows: A source's function, its settings bound.
        places: Files, or what else the source reads, one after the other.
        columns: What a column is called here, to what it is called in the file and its type,
            text or a list of texts.
        on_bad_row: `error` or `skip`.

    Raises:
        DataError: There are bad rows and `on_bad_row` is `error`, or no good ones.
    """
    bad: list[str] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for place in places:
            try:
                yield from rows(place, dict(columns.values()), functools.partial(report, place))
            except OSError as error:  # here, or it would be told of the cache that the rows go to
                raise DataError(
                    f"{place}: cannot be read: {error}. Correct the path or its rights."
                ) from error

    def report(place: Path | str, line: int, reason: str) -> None:
        bad.append(f"{place}:{line}: {reason}")

    table = _spilled(pa.schema(columns.values()), batches()).rename_columns(list(columns))
    told = ", ".join(map(str, places[:3])) + (", …" if len(places) > 3 else "")
    if bad and on_bad_row == "error":
        rest = [f"… and {len(bad) - _SHOWN} more"] if len(bad) > _SHOWN else []
        count = "1 row" if len(bad) == 1 else f"{len(bad)} rows"
        raise DataError(
            "\n  ".join([f"{told}: {count} cannot be used:", *bad[:_SHOWN], *rest])
            + "\nCorrect the data, or set data.on_bad_row to skip to leave such rows out."
        )
    if not table.num_rows:
        raise DataError(f"{told}: no row can be used. Expected {', '.join(columns)} in each row.")
    files = {str(place): fingerprint.of_files(place) for place in places if isinstance(place, Path)}
    source = {"from": [*map(str, places)], "files": files, "sha256": fingerprint.of_table(table)}
    return Rows(table, source | {"rows": table.num_rows, "bad_rows": bad})


def set_aside(rows: Rows, places: np.ndarray, record: Mapping[str, Any]) -> tuple[Rows, Rows]:
    """Return the rows that stay and those that are set aside, both in their order.

    Args:
        rows: Of a split.
        places: Of the rows to set aside, int `[rows set aside]`.
        record: How they were chosen.
    """
    is_aside = np.zeros(rows.table.num_rows, bool)
    is_aside[places] = True
    stay, aside = np.flatnonzero(~is_aside), np.flatnonzero(is_aside)
    return (
        Rows(_taken(rows.table, stay), rows.source | {"rows": len(stay)}),
        Rows(_taken(rows.table, aside), rows.source | {**record, "rows": len(aside), "bad_rows": []}),
    )


def count_shared(rows: pa.Table, others: pa.Table) -> int:
    """Return how many rows have, to the letter, the texts of one of the others.

    Args:
        rows: Columns of texts, the fewer rows of the two: what they say is held in memory.
        others: The same columns.
    """
    mine, theirs = _joined(rows), _joined(others)
    distinct = pc.unique(mine)
    places = pc.unique(pc.index_in(theirs, value_set=distinct)).drop_null()
    return pc.sum(pc.is_in(mine, value_set=distinct.take(places))).as_py()


def _joined(rows: pa.Table) -> pa.ChunkedArray:
    """Return the texts of each row as one text."""
    # `large`, for all texts of a split in one array may have more bytes than 32 bits count.
    texts = (pc.binary_join(c, "\0") if pa.types.is_list(c.type) else c for c in rows.columns)
    columns = [column.cast(pa.large_string()) for column in texts]
    separator = pa.scalar("\0", pa.large_string())
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, separator)


def _taken(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """Return some rows of a table, in their order, as a table that lies in a file."""
    parts = (table.take(rows[start : start + _TAKEN]) for start in range(0, len(rows), _TAKEN))
    return _spilled(table.schema, (batch for part in parts for batch in part.to_batches()))


def _spilled(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> pa.Table:
    with cache.telling():
        return spill.table(schema, batches, cache.folder() / "rows")
