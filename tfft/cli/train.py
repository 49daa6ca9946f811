"""`tfft train`: fine-tune the model that one config file describes."""

from pathlib import Path

import click

from tfft.cli import overrides


def of_a_training(command):
    """Give a command what tells of a training: a config, changes to it, and a run to go on with."""
    command = click.option(
        "--resume",
        type=click.Path(path_type=Path),
        metavar="RUN",
        help="Go on with the training of this run folder, which was cut off. CONFIG, if given, must be its "
        "own.",
    )(command)
    return click.argument("config", type=click.Path(path_type=Path), required=False)(overrides(command))


def check(config, overrides, resume):
    """Return what CONFIG says, None where there is none.

    Raises:
        UsageError: There is nothing to train, or the changes are of nothing.
        ConfigError: It cannot be read.
    """
    if config is None and resume is None:
        raise click.UsageError("Name a CONFIG, or a run to go on with: --resume RUN.")
    if config is None and overrides:
        raise click.UsageError("--set changes a CONFIG; a resumed run has its own, which stays.")
    from tfft.config import read

    return read(config, overrides) if config is not None else None


@click.command()
@of_a_training
def command(config, overrides, resume):
    """Fine-tune the model that CONFIG describes, measure it and export it.

    All that comes of it goes to run.directory, or to a new folder below runs/.
    The folder of the exported model is printed last.

    A training that was cut off, by Ctrl-C, by SIGTERM, which ends with exit code
    143, or by anything else, goes on from its last save with --resume, and comes
    to the same weights, bit by bit, as if it had never stopped.

    Where TF_CONFIG or Slurm names several workers, it is one of them; the
    chief alone writes, and prints.

    \b
    Examples:
      tfft train configs/support_intents.yaml --set optimizer.learning_rate=3e-5
      tfft train --resume runs/support_intents/20260101-120000
    """
    settings = check(config, overrides, resume)
    from tfft import run  # TensorFlow takes seconds to import; a typing error need not wait.

    if resume is not None:
        made = run.resume(resume, settings)
    elif settings is not None:
        made = run.train(settings, config.stem)
    if made is not None:  # a worker that is not the chief has nothing to show
        click.echo(made.export)
