"""What the log shows as tables."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_CELL = 120  # characters of a value that are shown


def layers(rows: Sequence[Mapping], title: str) -> Table:
    """Return the table of layers, of what trains in each, and how fast."""
    table = Table(title=title, title_justify="left")
    for heading in ("layer", "trainable", "frozen", "peak learning rate"):
        table.add_column(heading, justify="left" if heading == "layer" else "right")
    for row in rows:
        low, high = row["lowest_learning_rate"], row["learning_rate"]
        rate = f"{high:.2e}" if low == high else f"{low:.2e} to {high:.2e}"
        numbers = (f"{row['trainable']:,}", f"{row['frozen']:,}")
        table.add_row(row["layer"], *numbers, rate if row["trainable"] else "-")
    table.add_section()
    trainable, frozen = (sum(row[key] for row in rows) for key in ("trainable", "frozen"))
    share = f"{trainable / (trainable + frozen):.2%} train"
    table.add_row("all", f"{trainable:,}", f"{frozen:,}", share)
    return table


def columns(parts: Sequence[tuple[str, str, str]]) -> Table:
    """Return the table of the columns of a data set: name, part and evidence of each."""
    table = Table()
    for heading in ("column", "what it is", "why"):
        table.add_column(heading)
    for row in parts:
        table.add_row(*map(Text, row))
    return table


def rows(shown: Sequence[Mapping]) -> Table:
    """Return the table of some rows of a data set, long values cut off."""
    table = Table(show_lines=True)
    for name in shown[0] if shown else ():
        table.add_column(Text(name))
    for row in shown:
        table.add_row(*(Text(" ".join(str(value).split())[:_CELL]) for value in row.values()))
    return table


def checks(made: Sequence[Any]) -> Table:
    """Return the table of checks: `name`, `is_passed` and `found` of each."""
    table = Table()
    for heading in ("check", "", "what was found"):
        table.add_column(heading)
    for check in made:
        table.add_row(check.name, "passed" if check.is_passed else "FAILED", Text(check.found))
    return table


def figures(headings: Sequence[str], rows: Sequence[Sequence[str]], names: int) -> Table:
    """Return a table of figures whose first columns are `names` of what they are of."""
    table = Table()
    for place, heading in enumerate(headings):
        table.add_column(Text(heading), justify="left" if place < names else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def text(table: Table) -> str:
    """Return a table as lines of text."""
    stream = io.StringIO()
    Console(file=stream, width=100, color_system=None).print(table)
    return stream.getvalue().rstrip()
