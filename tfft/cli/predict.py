"""`tfft predict`: answer texts with a run or an export."""

import csv
import json
import sys
from pathlib import Path

import click

from tfft.errors import DataError

_FORMATS = {".csv": "delimited", ".tsv": "delimited", ".tab": "delimited", ".jsonl": "jsonl"}


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
    "--column", default="text", show_default=True, help="Column of the texts in csv, tsv and jsonl."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="Of the answers.",
)
def command(where, texts, file, column, form):
    """Answer texts with the label and its probability, one row a text, as they come.

    \b
    Examples:
      tfft predict RUN --text "Where is my parcel?"
      cat texts.txt | tfft predict EXPORT --input - --format csv > answers.csv
    """
    if bool(texts) == bool(file):
        raise click.UsageError("Give either --text or --input.")
    if file and str(file) != "-" and not file.is_file():
        raise DataError(f"{file}: no such file.")
    import pyarrow as pa

    from tfft import finished, plugins

    def refuse(line, reason):
        raise DataError(f"{file}:{line}: {reason}. The rows above it are answered.")

    if texts:
        batches = [pa.record_batch({"text": list(texts)})]
    else:
        path = Path("/dev/stdin") if str(file) == "-" else file
        rows = plugins.load("sources", _FORMATS.get(file.suffix, "lines"))
        batches = rows(path, (column,), refuse)
    answers = finished.predict(where, batches)
    if form == "jsonl":
        for row in answers:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    writer = csv.DictWriter(sys.stdout, ["text", "label", "score"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(answers)
