"""What came of a run's model in each format: as a table for the console, in Markdown, and ready for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfft.format_figures import Figures

_HEADINGS = (
    "format", "takes", "MB", "ms, 1 row", "ms, 8 rows", "{figure}", "change", "same", "within",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of one format.

    Attributes:
        name: Of the format.
        takes: `text` or `tokens`.
        lost: What its user does without.
        tolerance: Largest difference of a number that passes.
        problem: Why it was not kept; None where it was.
        folder: Of the version, where there is one.
    """

    name: str
    takes: str
    lost: str
    tolerance: float
    problem: str | None = None
    folder: str | None = None
    difference: float | None = None
    agreement: float | None = None
    figures: Figures | None = None


@dataclass(frozen=True)
class Report:
    """What came of all.

    Attributes:
        split: Whose rows were asked.
        rows: How many of them.
        golden: How many golden requests were asked.
        figure: Name of what tells how right the answers are.
        versions: Of the packages that took part.
        machine: Where the times were taken.
        outcomes: Of float32, and of each format.
    """

    split: str
    rows: int
    golden: int
    figure: str
    versions: Mapping[str, str]
    machine: str
    outcomes: Sequence[Outcome]


def cells(report: Report) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows of the table; of a format that was not kept, the name alone."""
    headings = [heading.format(figure=report.figure) for heading in _HEADINGS]
    return headings, [_row(outcome) for outcome in report.outcomes]


def markdown(report: Report) -> str:
    """Return the report for people."""
    headings, rows = cells(report)
    lines = [headings, ["---", "---", *["---:"] * (len(headings) - 2)], *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    parts = [
        "# Formats",
        table,
        f"`{report.figure}` is of {report.rows:,} rows of the {report.split} split, `same` the share of its "
        f"answers that are float32's, `within` the largest difference of a number from float32's in "
        f"{report.golden} golden requests. A time is that of a request, p50 / p99, by token ids for all.",
        f"{report.machine}; {versions}.",
    ]
    if lost := [f"- {outcome.name}: {outcome.lost}" for outcome in report.outcomes if outcome.lost]:
        parts += ["## What is lost", "\n".join(lost)]
    if failed := [f"- {outcome.name}: {outcome.problem}" for outcome in report.outcomes if outcome.problem]:
        parts += ["## Not kept", "\n".join(failed)]
    return "\n\n".join(parts) + "\n"


def _row(outcome: Outcome) -> list[str]:
    figures = outcome.figures
    if figures is None:
        return [outcome.name, outcome.takes, *["-"] * (len(_HEADINGS) - 2)]
    times = [f"{_short(time['p50'])} / {_short(time['p99'])}" for time in figures.milliseconds.values()]
    return [
        outcome.name,
        outcome.takes,
        f"{figures.size / 1e6:.1f}",
        *times,
        f"{figures.right:.4f}",
        f"{figures.change:+.4f}",
        "-" if figures.same is None else f"{figures.same:.1%}",
        f"{outcome.difference:.1e}",
    ]


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 100 else f"{milliseconds:.0f}"
