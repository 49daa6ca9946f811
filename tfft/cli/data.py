"""`tfft data`: look at the rows of a config before anything is trained."""

from pathlib import Path

import click

from tfft.cli import overrides


@click.group()
def command():
    """Look at the data of a config.

    \b
    Example:
      tfft data preview configs/support_intents.yaml
    """


@command.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="train",
    show_default=True,
    help="Whose rows are looked at.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="How many rows are shown, drawn at random by training.seed.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path),
    help="Also write all of it to this file, as one HTML page. Default: no page.",
)
def preview(config, overrides, split, rows, page):
    """Show what the model will see of CONFIG's rows, without training.

    Some rows from the file to the token ids, padded as if they were one batch;
    then, of the whole split, labels, lengths, what is cut, padding, unknown
    tokens, unusual characters, and texts that stand twice.

    \b
    Example:
      tfft data preview configs/support_intents.yaml --rows 3 --html preview.html
    """
    from tfft.config import read

    settings = read(config, overrides)
    from rich.console import Console

    from tfft import run  # TensorFlow takes seconds to import; a typing error need not wait.

    shown = run.preview(settings, config.stem, split=split, rows=rows, page=page)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 100  # a file or a pipe has none
    console.print(shown)
