"""The command line: each file is one command, named after the file."""

import logging
import os
import sys
from importlib import import_module
from pathlib import Path

import click

from tfft import __version__, interruption, plugins
from tfft.errors import TfftError

overrides = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Replace one value of CONFIG, as in training.epochs=1. May be repeated.",
)
"""The option of every command that reads a config."""


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


def what_to_train(config, overrides, resume):
    """Return what CONFIG says, read, and None where there is none.

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


class _Commands(click.Group):
    """The commands are the files of this folder, with `-` for `_`."""

    def list_commands(self, context):
        return [name.replace("_", "-") for name in plugins.names("cli")]

    def get_command(self, context, name):
        if name not in self.list_commands(context):
            return None
        return import_module(f"tfft.cli.{name.replace('-', '_')}").command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tfft")
def tfft():
    """Fine-tune text backbones, from labelled text to a model that TensorFlow Serving answers with.

    \b
    Example:
      tfft train configs/support_intents.yaml
    """


class _StandardError(logging.StreamHandler):
    """Writes to what is standard error at the time: a live progress bar stands in for it."""

    @property
    def stream(self):
        return sys.stderr

    @stream.setter
    def stream(self, value):
        """Ignored: the base class sets what this class looks up."""


def main() -> None:
    """Run a command; an error that the user can put right is shown without a traceback."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(format="%(message)s", handlers=[_StandardError()])
    logging.getLogger("tfft").setLevel(logging.INFO)
    interruption.terminable()
    try:
        sys.exit(tfft(prog_name="tfft", standalone_mode=False))
    except TfftError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:  # what click makes of Ctrl-C
        click.echo("Interrupted.", err=True)
        sys.exit(130)
