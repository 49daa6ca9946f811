"""`tfft cross-validate`: measure a config on all of its training rows."""

from pathlib import Path

import click

from tfft.cli import overrides


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Parts that the training rows are cut into, by data.splitter; as many models are trained.",
)
def command(config, overrides, folds):
    """Train CONFIG once for each fold, and measure all of its training rows.

    Each model is tested on one fold and has seen the others, so that each row is
    answered once, by a model that has not seen it. The pooled figures go to
    evaluation/pooled.json in the folder that is printed last; each fold's run
    lies in it, without an export.

    \b
    Example:
      tfft cross-validate configs/support_intents.yaml --folds 5 --set data.test=null
    """
    from tfft.config import read

    settings = read(config, overrides)
    from tfft import run  # TensorFlow takes seconds to import; a typing error need not wait.

    click.echo(run.cross_validate(settings, folds, config.stem).directory)
