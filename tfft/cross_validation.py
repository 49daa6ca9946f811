"""Folds put together: the spread of their figures, and what their training rows lack.

Source: Kohavi 1995, "A Study of Cross-Validation and Bootstrap for Accuracy Estimation and
Model Selection", section 2: each row is answered once, by a model that has not seen it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.table import Table

from tfft import labels
from tfft.errors import DataError

_SHOWN = 5
_BOUNDS = ("_95_low", "_95_high")


def check_labels(known: Sequence[str], targets: Sequence[pa.ChunkedArray]) -> None:
    """Check that the training rows of each fold have all labels.

    Args:
        known: The labels of all rows.
        targets: The targets of each fold's training rows: labels, or lists of labels, `[rows]`.

    Raises:
        DataError: A fold's have not.
    """
    for number, column in enumerate(targets, start=1):
        flat = labels.flat(column) if pa.types.is_list(column.type) else column
        seen = set(pc.unique(flat).to_pylist())
        if lacking := [label for label in known if label not in seen]:
            shown = ", ".join(map(repr, lacking[:_SHOWN])) + (", …" if len(lacking) > _SHOWN else "")
            raise DataError(
                f"data.train: in fold {number} of {len(targets)} no training row has the label {shown}: its "
                "rows are all set aside. Add rows with it, leave its rows out, or cut otherwise "
                "(data.splitter, training.seed, the number of folds)."
            )


def check_schemes(known: str, schemes: Sequence[str]) -> None:
    """Check that the tags of each fold's training rows are read as those of all rows are.

    Args:
        known: Scheme of the tags of all rows.
        schemes: That of each fold's training rows.

    Raises:
        DataError: A fold's is another.
    """
    for number, scheme in enumerate(schemes, start=1):
        if scheme != known:
            raise DataError(
                f"data.train: in fold {number} of {len(schemes)} the tags of the training rows read as "
                f"{scheme}, those of all rows as {known}. Write them in one scheme, or take fewer folds."
            )


def spread(figures: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return mean and sample standard deviation of each main figure over the folds, by its name.

    Counts, tables and the bounds of intervals are no main figures. A figure that a fold does not
    have, such as a correlation of constant answers, has neither mean nor deviation.

    Args:
        figures: Of each fold, at least two, as a report has them.
    """
    names = [
        name
        for name, value in figures[0].items()
        if not name.endswith(_BOUNDS) and all(isinstance(fold[name], float | None) for fold in figures)
    ]
    return {name: _spread([fold[name] for fold in figures]) for name in names}


def _spread(values: list[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    is_known = len(known) == len(values)
    return {
        "mean": float(np.mean(known)) if is_known else None,
        "standard_deviation": float(np.std(known, ddof=1)) if is_known else None,
        "folds": values,
    }


def table(figures: Sequence[Mapping[str, Any]], pooled: Mapping[str, Any], title: str) -> Table:
    """Return a table with a line for each fold, their mean and deviation, and the pooled figures.

    Args:
        figures: Of each fold.
        pooled: Of all rows together, with their intervals.
        title: Of the table.
    """
    over = spread(figures)
    found = Table(title=title, title_justify="left")
    for heading in ("fold", "rows", *over):
        found.add_column(heading.replace("_", " "), justify="right" if heading != "fold" else "left")
    for number, fold in enumerate(figures, start=1):
        found.add_row(str(number), str(fold["rows"]), *(_told(fold[name]) for name in over))
    found.add_section()
    for heading, key in (("mean", "mean"), ("deviation", "standard_deviation")):
        found.add_row(heading, "", *(_told(over[name][key]) for name in over))
    found.add_section()
    bounds = {name: [pooled.get(name + bound) for bound in _BOUNDS] for name in over}
    intervals = [
        f"\n{_told(low)} to {_told(high)}" if low is not None else "" for low, high in bounds.values()
    ]
    values = [_told(pooled[name]) + interval for name, interval in zip(over, intervals, strict=True)]
    found.add_row("pooled\n95 % interval", str(pooled["rows"]), *values)
    return found


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
