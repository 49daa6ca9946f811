"""`tfft config`: show a config with every default written out."""

from pathlib import Path

import click

from tfft.cli import overrides


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
def command(config, overrides):
    """Check CONFIG and print it with every default written out.

    \b
    Example:
      tfft config configs/support_intents.yaml --set training.epochs=1
    """
    from tfft.config import read, to_yaml

    click.echo(to_yaml(read(config, overrides)), nl=False)
