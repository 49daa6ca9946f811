"""`tfft evaluate`: measure a run."""

import json
from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="A split of the run. Default: test, or validation where there is no test.",
)
@click.option(
    "--input",
    "file",
    type=click.Path(path_type=Path),
    help="A file of labelled rows in the format of the run's config, instead of a split.",
)
def command(run, split, file):
    """Measure RUN: loss, accuracy, F1, a table per label, confusions.

    The tables go to standard error, the figures as JSON to standard output and,
    with the rows it gets wrong, to evaluation/ in the run folder.

    \b
    Example:
      tfft evaluate runs/support_intents/20260101-120000 --split validation
    """
    if split and file:
        raise click.UsageError("--split and --input exclude each other.")
    from tfft import finished

    click.echo(json.dumps(finished.evaluate(run, split=split, file=file), indent=2, ensure_ascii=False))
