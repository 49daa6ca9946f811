"""Read the rows of each split, and set aside what the config gives as a fraction."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.model_selection import train_test_split

from tfft.errors import DataError

_SHOWN = 10


@dataclass(frozen=True)
class Rows:
    """Rows of one split.

    Attributes:
        table: Columns `text`, `label` and whatever else was asked for, all text.
        source: What it came from, for the record: path, hash, rows, bad rows.
    """

    table: pa.Table
    source: dict[str, Any] = field(default_factory=dict)


def read(
    rows: Callable[..., Iterator[pa.RecordBatch]],
    path: Path,
    *,
    columns: Mapping[str, str],
    on_bad_row: str,
) -> Rows:
    """Read a file of labelled rows.

    Args:
        rows: A source's function, its settings bound.
        path: The file.
        columns: What a column is called here, `text` and `label` first, and in the file.
        on_bad_row: `error` or `skip`.

    Raises:
        DataError: There are bad rows and `on_bad_row` is `error`, or no good ones.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file. Correct the path, or bring the file back.")
    bad: list[str] = []
    batches = list(
        rows(
            path,
            tuple(columns.values()),
            lambda line, reason: bad.append(f"{path}:{line}: {reason}"),
        )
    )
    if bad and on_bad_row == "error":
        rest = [f"… and {len(bad) - _SHOWN} more"] if len(bad) > _SHOWN else []
        count = "1 row" if len(bad) == 1 else f"{len(bad)} rows"
        raise DataError(
            "\n  ".join([f"{path}: {count} cannot be used:", *bad[:_SHOWN], *rest])
            + "\nCorrect the file, or set data.on_bad_row to skip to leave such rows out."
        )
    if not batches:
        raise DataError(f"{path}: no row can be used. Expected a text and a label in each row.")
    table = pa.Table.from_batches(batches).rename_columns(list(columns))
    with open(path, "rb") as stream:
        fingerprint = hashlib.sha256()
        while block := stream.read(1 << 20):
            fingerprint.update(block)
    return Rows(
        table,
        {
            "path": str(path),
            "sha256": fingerprint.hexdigest(),
            "rows": table.num_rows,
            "bad_rows": bad,
        },
    )


def set_aside(rows: Rows, fraction: float, *, seed: int, split: str) -> tuple[Rows, Rows]:
    """Return the rows that stay and the share set aside, each with the same mix of labels.

    The result depends on the rows, their order, the fraction and the seed alone.

    Raises:
        DataError: A label is too rare to stand on both sides.
    """
    labels = rows.table["label"].to_numpy()
    names, counts = np.unique(labels, return_counts=True)
    wanted = round(fraction * len(labels))
    both_sides_hold_all = counts.min() >= 2 and min(wanted, len(labels) - wanted) >= len(names)
    if both_sides_hold_all:
        stay, aside = train_test_split(
            np.arange(len(labels)), test_size=wanted, random_state=seed, stratify=labels
        )
        stay.sort()
        aside.sort()
        both_sides_hold_all = all(len(np.unique(labels[side])) == len(names) for side in (stay, aside))
    if not both_sides_hold_all:
        rarest = names[counts.argmin()]
        raise DataError(
            f"data.{split}: {fraction} of {len(labels)} rows cannot hold each of {len(names)} labels "
            f"on both sides (the rarest, {rarest!r}, has {counts.min()}). Raise the fraction, add rows, "
            f"or name a file."
        )
    origin = rows.source | {"share_for": split, "fraction": fraction, "seed": seed}
    return (
        Rows(rows.table.take(stay), rows.source | {"rows": len(stay)}),
        Rows(rows.table.take(aside), origin | {"rows": len(aside), "bad_rows": []}),
    )
