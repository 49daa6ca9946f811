"""`tfft rates`: the learning rate of every layer, as a table and as a picture."""

from pathlib import Path

import click

from tfft.cli import overrides


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the picture goes; by default rates.png in the current folder.",
    default="rates.png",
)
def command(config, overrides, plot):
    """Show what CONFIG would train, at which rates, without training.

    Prints a table for each phase of the run and draws the rates over the steps.

    \b
    Example:
      tfft rates configs/support_intents.yaml --set optimizer.layer_decay=0.8
    """
    from tfft.config import read

    settings = read(config, overrides)
    from tfft import run  # TensorFlow takes seconds to import; a typing error need not wait.

    click.echo(run.rates(settings, plot))
