"""`tfft export`: write a run's model for TensorFlow Serving."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "base",
    type=click.Path(path_type=Path),
    help="Folder of the numbered versions. Default: export.directory, or export/ in the run.",
)
def command(run, base):
    """Write RUN's model as the next version of a SavedModel, and print its folder.

    The version appears only after a clean process has loaded it and given the
    same answers.

    \b
    Example:
      tfft export runs/support_intents/20260101-120000 --to /models/support_intents
    """
    from tfft import finished

    click.echo(finished.export(run, base=base))
