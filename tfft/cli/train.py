"""`tfft train`: fine-tune the model that one config file describes."""

from pathlib import Path

import click

from tfft.cli import overrides


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
def command(config, overrides):
    """Fine-tune the model that CONFIG describes, measure it and export it.

    All that comes of it goes to run.directory, or to a new folder below runs/.
    The folder of the exported model is printed last.

    \b
    Example:
      tfft train configs/support_intents.yaml --set optimizer.learning_rate=3e-5
    """
    from tfft.config import read

    settings = read(config, overrides)
    from tfft import run  # TensorFlow takes seconds to import; a typing error need not wait.

    click.echo(run.train(settings, config.stem).export)
