"""`tfft init`: look at data, guess what it is, and write a first config."""

import contextlib
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import click

from tfft.errors import ConfigError, SettingError, TfftError


@click.command()
@click.argument("where", metavar="FILE")
@click.option("--task", help="What is to be answered, as in regression; guessed by default.")
@click.option(
    "--text-column",
    "texts",
    metavar="COLUMN",
    multiple=True,
    help='Column of the text, or a template as in "{title}: {body}"; twice for a pair. Guessed by default.',
)
@click.option(
    "--label-column", "label", metavar="COLUMN", help="Column of what is to be answered. Guessed by default."
)
@click.option("--preset", help="Backbone to fine-tune; by default that of the quickstart, all-MiniLM-L6-v2.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The config to write; by default NAME.yaml in the current folder, after the data.",
)
@click.option("--yes", "is_agreed", is_flag=True, help="Take all guesses and ask nothing.")
def command(where, task, texts, label, preset, output, is_agreed):
    """Look at FILE, guess its format, columns, task and lengths, and write a config that trains.

    FILE is CSV, TSV, JSON Lines or Parquet, a pattern of such files, or a folder: with a folder of
    texts for each class, or with files called train, validation and test. A sample of at most 4,000
    rows is looked at. On a terminal each guess can be changed.

    \b
    Examples:
      tfft init reviews.csv
      tfft init data/ --label-column stars --task ordinal --output stars.yaml --yes
    """
    if len(texts) > 2:
        fix = 'Join columns by a template, as in "{title}: {body}".'
        raise SettingError("--text-column", [*texts], "must be given at most twice", fix=fix)
    if output is not None:
        _check_free(output)
    from tfft import first_config, first_look

    seen = first_look.look(where)
    found = first_look.guessed(seen, task=task, texts=texts, label=label)
    output = output or Path(f"{seen.files.name}.yaml")
    preset = preset or first_config.PRESET
    click.echo(first_look.shown(seen, found))
    if is_agreed or not _is_terminal():
        _check_free(output)
    else:
        found = _asked(
            "Column of the text, or two with a comma between",
            ", ".join(found.texts),
            lambda answer: first_look.guessed(seen, task=task, texts=_columns(answer, seen), label=label),
        )
        found = _asked(
            "Column of what is to be answered",
            found.label,
            lambda answer: first_look.guessed(seen, task=task, texts=found.texts, label=answer),
        )
        found = _asked(
            "Task",
            found.task,
            lambda answer: first_look.guessed(seen, task=answer, texts=found.texts, label=found.label),
        )
        preset = click.prompt("Backbone", preset)
        output = _asked("Config to write", str(output), lambda answer: _check_free(Path(answer)))
    _write(output, first_look.config(seen, found, preset, str(output)))
    click.echo(f"Written: {output}. Look through it, then:\n  tfft train {shlex.quote(str(output))}")


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _asked(question: str, default: str, take: Callable):
    """Ask until the answer can be taken, and return what is made of it."""
    while True:
        answer = click.prompt(question, default)
        try:
            return take(answer)
        except TfftError as error:
            click.echo(f"Error: {error}", err=True)


def _columns(answer: str, seen) -> list[str]:
    """Return one column, whose name may hold a comma, or a template, or two."""
    if answer in seen.sample.columns or "{" in answer:
        return [answer]
    return [part.strip() for part in answer.split(",", 1)]


def _check_free(output: Path) -> Path:
    if os.path.lexists(output):
        fix = "Remove or rename it, or name another file by --output."
        raise SettingError("--output", str(output), "must be a file that is not there yet", fix=fix)
    if not output.absolute().parent.is_dir():
        raise SettingError(
            "--output", str(output), "must be in a folder that is there", fix="Make the folder."
        )
    return output


def _write(output: Path, text: str) -> None:
    """Write a config that `tfft train` reads; until then it has another name."""
    from tfft import config

    temporary = output.with_name(f".{output.name}.writing")
    try:
        temporary.write_text(text, encoding="utf-8")
        config.read(temporary)
        os.replace(temporary, _check_free(output))
    except OSError as error:
        raise ConfigError(output, [f"cannot be written: {error}"]) from error
    finally:
        with contextlib.suppress(OSError):  # renamed, or never written
            temporary.unlink()
