"""`tfft predict`: answer texts with a run or an export."""

import csv
import json
import shutil
import sys
import tempfile
from pathlib import Path

import click

from tfft.errors import DataError

_FORMATS = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl"}


@click.command()
@click.argument("where", metavar="RUN|EXPORT", type=click.Path(path_type=Path))
@click.option("--text", "texts", multiple=True, help="A text to answer. May be repeated.")
@click.option(
    "--input",
    "file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A file: .csv or .tsv with a header, .jsonl, else one text a line; - for standard input.",
)
@click.option(
    "--column",
    "columns",
    metavar="[NAME=]COLUMN",
    multiple=True,
    help="Column of csv, tsv and jsonl that the model reads as NAME, where it is not called so. May be "
    "repeated; NAME may be left out where the model reads one.",
)
@click.option(
    "--input-format",
    type=click.Choice(["csv", "tsv", "jsonl", "lines"]),
    help="Of the input; by default what the file's ending says, and lines for standard input.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="Of the answers.",
)
@click.pass_context
def command(context, where, texts, file, columns, input_format, form):
    """Answer texts, one row each, as they come.

    \b
    Examples:
      tfft predict RUN --text "Where is my parcel?"
      cat texts.txt | tfft predict EXPORT --input - --format csv > answers.csv
      tfft predict RUN --input pairs.jsonl --column text_a=question --column text_b=answer
    """
    if bool(texts) == bool(file):
        raise click.UsageError("Give either --text or --input.")
    if file and str(file) != "-" and not file.is_file():
        raise DataError(f"{file}: no such file.")
    import pyarrow as pa

    from tfft import finished, plugins, sources

    def refuse(line, reason):
        raise DataError(f"{file}:{line}: {reason}. The rows above it are answered.")

    found = finished.answer(where)
    chosen = _chosen(columns, found.columns)
    if texts:
        if len(found.columns) > 1:
            raise click.UsageError(f"This model reads {', '.join(found.columns)}: give rows by --input.")
        batches = iter([pa.record_batch({found.columns[0]: list(texts)})])
    else:
        form_of_input = input_format or _FORMATS.get(sources.suffix(file), "lines")
        is_delimited = form_of_input in ("csv", "tsv")
        path = file
        if str(file) == "-":
            path = _kept(context) if is_delimited else Path("/dev/stdin")
        settings = {"delimiter": "\t"} if form_of_input == "tsv" else {}
        rows = plugins.load("sources", "delimited" if is_delimited else form_of_input)
        read = rows(path, dict.fromkeys(chosen.values(), pa.string()), refuse, **settings)
        batches = (batch.rename_columns([*chosen]) for batch in read)
    answers = finished.predict(found, batches)
    if form == "jsonl":
        for row in answers:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    writer = None
    for row in answers:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, [*row], lineterminator="\n")
            writer.writeheader()
        writer.writerow({key: _cell(value) for key, value in row.items()})


def _kept(context):
    """Return a file with what comes on standard input, for the source of such a format reads it twice."""
    folder = context.with_resource(tempfile.TemporaryDirectory())
    with open(Path(folder) / "standard input", "wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
    return Path(stream.name)


def _chosen(written, names):
    """Return the column in the file of each name that the model has for its columns."""
    chosen = {name: name for name in names}
    for part in written:
        name, equals, column = part.partition("=")
        if not equals and len(names) == 1:
            name, column = names[0], part
        if name not in names:
            raise click.UsageError(
                f"--column {part}: this model reads {', '.join(names)}, as in {names[0]}=COLUMN."
            )
        chosen[name] = column
    return chosen


def _cell(value):
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
