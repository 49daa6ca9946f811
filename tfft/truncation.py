"""What is cut off long rows, in all and of each label, so that no label loses its tail unseen."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

_SHOWN = 12  # labels


def measure(lengths: np.ndarray, room: int, members: Iterable[tuple[str, np.ndarray]] = ()) -> dict[str, Any]:
    """Return how long rows are and what is cut off them, ready for JSON.

    Args:
        lengths: Tokens of each row in all its texts, uncut, `[rows]`; at least one row.
        room: Tokens that a row may have besides special ones.
        members: For each label its name, and which rows have it, bool `[rows]`.

    Returns:
        Tokens of the median, the 95th percentile and the longest row; the rows that are cut, and the
        share of all tokens that is lost; the same two for each label that has a row.
    """
    lost = np.maximum(lengths - room, 0)
    median, high = np.percentile(lengths, (50, 95))
    found: dict[str, Any] = {
        "rows": len(lengths),
        "room": room,
        "median": float(median),
        "percentile_95": float(high),
        "longest": int(lengths.max()),
        **_cut(lengths, lost),
        "labels": [],
    }
    for name, own in members:
        if own.any():
            found["labels"].append({"label": name, "rows": int(own.sum())} | _cut(lengths[own], lost[own]))
    return found


def _cut(lengths: np.ndarray, lost: np.ndarray) -> dict[str, Any]:
    return {"cut": int((lost > 0).sum()), "tokens_lost": float(lost.sum() / max(lengths.sum(), 1))}


def headline(found: dict[str, Any]) -> str:
    """Return what was measured in one line."""
    return (
        f"Tokens a row: median {found['median']:.0f}, longest {found['longest']}; {found['cut']} of "
        f"{found['rows']} training rows are cut at {found['room']}, and {found['tokens_lost']:.1%} of all "
        "tokens are lost"
    )


def table(found: dict[str, Any]) -> Table:
    """Return the labels of which most rows are cut, 12 at most."""
    shown = Table(title="Cut rows of each label", title_justify="left")
    for heading in ("label", "rows", "cut", "tokens lost"):
        shown.add_column(heading, justify="left" if heading == "label" else "right")
    for row in sorted(found["labels"], key=lambda row: -row["cut"] / row["rows"])[:_SHOWN]:
        share = f"{row['cut'] / row['rows']:.1%}"
        shown.add_row(Text(row["label"]), str(row["rows"]), share, f"{row['tokens_lost']:.1%}")
    return shown
