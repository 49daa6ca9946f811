"""`tfft train`: fine-tune the model that one config file describes."""

from pathlib import Path

import click

from tfft.cli import overrides


@click.command()
@click.argument("config", type=click.Path(path_type=Path), required=False)
@overrides
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Go on with the training of this run folder, which was cut off. CONFIG, if given, must be its own.",
)
def command(config, overrides, resume):
    """Fine-tune the model that CONFIG describes, measure it and export it.

    All that comes of it goes to run.directory, or to a new folder below runs/.
    The folder of the exported model is printed last.

    A training that was cut off, by Ctrl-C, by SIGTERM, which ends with exit code
    143, or by anything else, goes on from its last save with --resume, and comes
    to the same weights, bit by bit, as if it had never stopped.

    \b
    Examples:
      tfft train configs/support_intents.yaml --set optimizer.learning_rate=3e-5
      tfft train --resume runs/support_intents/20260101-120000
    """
    if config is None and resume is None:
        raise click.UsageError("Name a CONFIG, or a run to go on with: --resume RUN.")
    if config is None and overrides:
        raise click.UsageError("--set changes a CONFIG; a resumed run has its own, which stays.")
    from tfft.config import read

    settings = read(config, overrides) if config is not None else None
    from tfft import run  # TensorFlow takes seconds to import; a typing error need not wait.

    if resume is not None:
        click.echo(run.resume(resume, settings).export)
    elif settings is not None:
        click.echo(run.train(settings, config.stem).export)
