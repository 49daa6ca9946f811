"""Read the rows of each split, and set aside what the config gives as a fraction."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import train_test_split

from tfft import cache, fingerprint, spill
from tfft.errors import DataError

_SHOWN = 10
_TAKEN = 65536  # rows at a time


@dataclass(frozen=True)
class Rows:
    """Rows of one split.

    Attributes:
        table: What was asked for: the texts, `label` and perhaps `weight`; texts, or lists of them.
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


def set_aside(
    rows: Rows, fraction: float, *, strata: pa.ChunkedArray | None, seed: int, split: str
) -> tuple[Rows, Rows]:
    """Return the rows that stay and the share set aside.

    The result depends on the rows, their order, the fraction and the seed alone.

    Args:
        rows: Of a split.
        fraction: Share of the rows to set aside.
        strata: A value for each row, of which both sides get the same mix; None for any rows.
        seed: Of the drawing.
        split: Name of the share, for the record.

    Raises:
        DataError: A value is too rare to stand on both sides.
    """
    count = rows.table.num_rows
    wanted = round(fraction * count)
    if strata is not None:
        stay, aside = _stratified(strata, wanted, fraction, seed, split)
    elif 0 < wanted < count:
        stay, aside = train_test_split(np.arange(count), test_size=wanted, random_state=seed)
    else:
        raise DataError(f"data.{split}: {fraction} of {count} rows leaves one side empty. Name a file.")
    stay.sort()
    aside.sort()
    origin = rows.source | {"share_for": split, "fraction": fraction, "seed": seed}
    return (
        Rows(_taken(rows.table, stay), rows.source | {"rows": len(stay)}),
        Rows(_taken(rows.table, aside), origin | {"rows": len(aside), "bad_rows": []}),
    )


def _taken(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """Return some rows of a table, in their order, as a table that lies in a file."""
    parts = (table.take(rows[start : start + _TAKEN]) for start in range(0, len(rows), _TAKEN))
    return _spilled(table.schema, (batch for part in parts for batch in part.to_batches()))


def _spilled(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> pa.Table:
    with cache.telling():
        return spill.table(schema, batches, cache.folder() / "rows")


def _stratified(
    strata: pa.ChunkedArray, wanted: int, fraction: float, seed: int, split: str
) -> tuple[np.ndarray, np.ndarray]:
    distinct = pc.unique(strata)
    names = distinct.take(pc.sort_indices(distinct))
    ids = pc.index_in(strata, value_set=names).to_numpy()
    counts = np.bincount(ids)
    if counts.min() >= 2 and min(wanted, len(ids) - wanted) >= len(names):
        stay, aside = train_test_split(np.arange(len(ids)), test_size=wanted, random_state=seed, stratify=ids)
        if all(len(np.unique(ids[side])) == len(names) for side in (stay, aside)):
            return stay, aside
    rarest = names[int(counts.argmin())].as_py()
    raise DataError(
        f"data.{split}: {fraction} of {len(ids)} rows cannot hold each of {len(names)} labels "
        f"on both sides (the rarest, {rarest!r}, has {counts.min()}). Raise the fraction, add rows, "
        f"or name a file."
    )
