"""What `data_preview.py` found, for the console: a block for each row, and tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tfft.data_preview import visible

_TEXT = 400  # characters of a text
_TOKENS = 64  # of a row
_CUT = 16  # tokens that are cut
_LABELS = 12
_LABEL = 40  # characters
_NAME = 20  # characters of a column's name
_BARS = " ▁▂▃▄▅▆▇█"
_SETS = 6  # numbers of labels of a row
# The marks are those of `git diff --word-diff`: a file and a pipe have no colours.
_CHANGES = {"same": ("", "", ""), "removed": ("[-", "-]", "red"), "added": ("{+", "+}", "green")}


def shown(preview: Mapping[str, Any]) -> Group:
    """Return all that was found, as of rich; it fits into 100 columns."""
    return Group(*_blocks(preview))


def _blocks(preview: Mapping[str, Any]) -> Iterator[RenderableType]:
    for row in preview["examples"]:
        yield Rule(f"row {row['row']} of {preview['split']}", align="left", style="dim")
        yield _row(row, preview["pad"])
    yield Rule(f"{preview['split']}, all {preview['rows']:,} rows", align="left", style="dim")
    if preview["bad_rows"]:
        left_out = preview["bad_rows"]
        yield Text(
            f"Bad rows that are left out: {len(left_out):,}; the first: {visible(left_out[0])}", "yellow"
        )
    yield _target(preview["target"])
    yield _lengths(preview["tokens"], preview["cut"])
    if preview["cut"]["cut"] and preview["cut"]["labels"]:
        yield _cut(preview["cut"])
    yield _padding(preview["padding"], preview["tokens"]["sequence_length"])
    yield _unknown(preview["unknown"])
    yield _characters(preview["characters"])
    yield _repeated(preview["repeated"], preview["split"])


def _row(row: Mapping[str, Any], pad: str) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for field in row["columns"]:
        value = field["value"]
        if row["words"] is not None and not isinstance(value, str):
            continue  # words and tags, which stand side by side below
        grid.add_row(
            _named(field["column"]),
            _short(value, _TEXT) if isinstance(value, str) else _short(", ".join(value), _TEXT),
        )
    if row["words"] is None:
        grid.add_row("target", f"{row['target']}")
    else:
        grid.add_row("words", Text.assemble(*_words(row["words"], _TOKENS)))
    several = len(row["texts"]) > 1
    for number, text in enumerate(row["texts"]):
        of = f" {'ab'[number]}" if several else ""
        # A single column that no template joins has just been shown.
        if row["words"] is None and text["joined"] != row["columns"][number]["value"]:
            grid.add_row(f"joined{of}", _short(text["joined"], _TEXT))
        for step in ("augmented", "prepared"):
            if text[step] is not None and any(kind != "same" for kind, _ in text[step]):
                grid.add_row(f"{step}{of}", _changed(text[step]))
    count = len(row["tokens"])
    told = Text.assemble(*_pieces(row["tokens"], _TOKENS))
    if row["padding"]:
        told.append(f"  {row['padding']} x {visible(pad)}", "dim")
    grid.add_row(f"{count} tokens", told)
    if row["cut"]:
        grid.add_row(f"{len(row['cut'])} cut", Text.assemble(*_pieces(row["cut"], _CUT)))
    return grid


def _words(words: Sequence[Mapping[str, Any]], most: int) -> Iterator[tuple[str, str]]:
    for number, word in enumerate(words[:most]):
        yield ("  " if number else "") + visible(word["word"]), "" if word["tokens"] else "bold red"
        yield f"/{visible(word['tag'])}", "dim"
    if len(words) > most:
        yield f"  … {len(words) - most} more", "dim"


def _pieces(tokens: Sequence[Mapping[str, Any]], most: int) -> Iterator[tuple[str, str]]:
    for number, token in enumerate(tokens[:most]):
        style = "cyan" if token["text"] is None else "bold red" if token["unknown"] else ""
        yield ("  " if number else "") + visible(token["piece"]).replace(" ", "␣").replace("\n", "\\n"), style
        yield f"/{token['id']}", "dim"
    if len(tokens) > most:
        yield f"  … {len(tokens) - most} more", "dim"


def _changed(parts: Sequence[Sequence[str]]) -> Text:
    text, left = Text(), _TEXT
    for kind, part in parts:
        before, after, style = _CHANGES[kind]
        text.append(f"{before}{visible(part[:left])}{after}", style)
        left -= len(part)
        if left < 0:
            text.append(" …", "dim")
            break
    return text


def _named(column: str) -> Text:
    return Text(visible(column if len(column) <= _NAME else f"{column[: _NAME - 1]}…"))


def _short(text: str, most: int) -> Text:
    """Return a text as it is, not as rich's markup."""
    if len(text) <= most:
        return Text(visible(text))
    return Text.assemble(visible(text[:most]), (f" … {len(text) - most:,} characters more", "dim"))


def _table(*headings: str) -> Table:
    """Return a table whose first column is text, and the others numbers."""
    table = Table()
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    return table


def _titled(title: str, *shown: RenderableType) -> Group:
    """Return what is shown below a title, which may be wider than it."""
    return Group(Text(f"\n{title}", "bold"), *shown)


def _bars(counts: Sequence[int]) -> str:
    """Return a histogram in one line, from the lowest values to the highest; a bin without rows is blank."""
    highest = max(counts)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // highest)] for count in counts)


def _target(target: Mapping[str, Any]) -> Group:
    if target["kind"] == "number":
        table = _table("figure", "value")
        for name in ("mean", "standard_deviation", "lowest", "highest"):
            table.add_row(name.replace("_", " "), f"{target[name]:.6g}")
        table.add_row(_bars(target["histogram"]["counts"]), "")
        return _titled("Target", table)
    labels = target["labels"]
    if target["kind"] != "rank":  # whose order says more
        labels = sorted(labels, key=lambda label: -label["rows"])
    table = _table("label", "words" if target["kind"] == "tags" else "rows", "share")
    for label in labels[:_LABELS]:
        table.add_row(_short(label["label"], _LABEL), f"{label['rows']:,}", f"{label['share']:.1%}")
    if rest := [label["rows"] for label in labels[_LABELS:]]:
        table.add_row(Text(f"{len(rest):,} more", "dim"), f"{min(rest):,} to {max(rest):,} each", "")
    if target["kind"] == "labels":
        table.add_section()
        for number in target["labels_per_row"][:_SETS]:
            table.add_row(f"rows by their labels: {number['labels']}", f"{number['rows']:,}", "")
        if more := target["labels_per_row"][_SETS:]:
            table.add_row(f"{_SETS} or more", f"{sum(number['rows'] for number in more):,}", "")
        table.add_row("labels of a row, mean", f"{target['mean_labels_per_row']:.2f}", "")
    return _titled(f"Labels: {len(labels):,}", table)


def _lengths(tokens: Mapping[str, Any], cut: Mapping[str, Any]) -> Group:
    table = _table("of the texts of a row", "tokens")
    for name in ("median", "percentile_95", "percentile_99", "longest"):
        table.add_row(name.replace("_", " "), f"{tokens[name]:,.0f}")
    table.add_row(_bars(tokens["histogram"]["counts"]), "")
    table.add_row("special tokens beside them", str(tokens["special"]))
    table.add_section()
    windows = "" if tokens["windows"] == 1 else f" in {tokens['windows']} windows"
    table.add_row(
        f"rows that sequence length {tokens['sequence_length']}{windows} cuts",
        f"{cut['cut']:,} ({cut['cut'] / cut['rows']:.1%})",
    )
    table.add_row("tokens that are lost", f"{cut['tokens_lost']:.1%}")
    table.add_row("rows without a token", f"{tokens['without_tokens']:,}")
    table.add_section()
    named = ("sequence length", "sequence_length") if tokens["windows"] == 1 else ("windows", "windows")
    for option in tokens["enough"]:
        table.add_row(f"{named[0]} so that at most {option['cut']:.0%} are cut", f"{option[named[1]]:,}")
    return _titled("Lengths, in tokens", table)


def _cut(cut: Mapping[str, Any]) -> Group:
    table = _table("label", "rows", "cut", "tokens lost")
    labels = sorted(cut["labels"], key=lambda label: -label["cut"] / label["rows"])
    for label in [label for label in labels if label["cut"]][:_LABELS]:
        share = f"{label['cut'] / label['rows']:.1%}"
        table.add_row(
            _short(label["label"], _LABEL), f"{label['rows']:,}", share, f"{label['tokens_lost']:.1%}"
        )
    return _titled("Labels of which most rows are cut", table)


def _padding(padding: Mapping[str, Any], sequence_length: int) -> Group:
    table = _table("batches", "number", "rows", "padding")
    made = ("as they are made, of like length", f"{padding['batches']:,}")
    table.add_row(*made, "", f"{padding['sorted']:.1%}")
    table.add_row("unsorted", "", "", f"{padding['unsorted']:.1%}")
    table.add_row(f"all padded to {sequence_length}", "", "", f"{padding['full']:.1%}")
    table.add_section()
    for bucket in padding["buckets"]:
        table.add_row(
            f"of those made, {bucket['from']} to {bucket['to']} tokens wide",
            f"{bucket['batches']:,}",
            f"{bucket['rows']:,}",
            f"{bucket['padding']:.1%}",
        )
    return _titled("Padding", table)


def _unknown(unknown: Mapping[str, Any] | None) -> Group:
    if unknown is None:
        return _titled("Unknown tokens: none can be; every byte has a token")
    told = f"{unknown['tokens']:,} ({unknown['share']:.2%}); rows that have one: {unknown['rows']:,}"
    table = _table("word", "times")
    for word in unknown["words"]:
        table.add_row(_short(word["word"], _LABEL), f"{word['times']:,}")
    if unknown["looked_at"] < unknown["rows"]:
        told += f", of which {unknown['looked_at']:,} were drawn to find words"
    return _titled(f"Unknown tokens: {told}", *([table] if unknown["words"] else []))


def _characters(characters: Mapping[str, Any]) -> Group:
    table = _table("kind, and which", "times", "rows", "left after preparation", "step that mends it")
    for kind in characters["unusual"]:
        which = ", ".join(f"{visible(one['character'])} x{one['times']}" for one in kind["most"][:5])
        sampled = f" (in {kind['looked_at']:,} rows)" if kind["looked_at"] < kind["rows"] else ""
        table.add_row(
            Text.assemble(kind["name"], (f"\n{which}{sampled}" if which else "", "dim")),
            f"{kind['times']:,}",
            f"{kind['rows']:,}",
            f"{kind['left']:,}",
            kind["step"] or "none: read or written in a wrong encoding",
        )
    empty = characters["empty"]
    first = f" (the first: {', '.join(map(str, empty['first']))})" if empty["rows"] else ""
    told = f"Rows that the preparation changes: {characters['changed']:,}, that it leaves empty: "
    return _titled("Unusual characters", Text(f"{told}{empty['rows']:,}{first}"), table)


def _repeated(repeated: Mapping[str, Any], split: str) -> Group:
    table = _table("rows", "number")
    table.add_row(f"that repeat an earlier row of {split}", f"{repeated['rows']:,}")
    table.add_row("of one text, at most", f"{repeated['most']:,}")
    for shared in repeated["shared"]:
        other = shared["split"]
        table.add_row(f"whose text stands in {other}, too", f"{shared['rows']:,}")
        table.add_row(f"of {other} whose text stands in {split}", f"{shared['other_rows']:,}")
    return _titled("Repeated texts", table)
