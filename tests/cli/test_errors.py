"""What a user can put right ends with exit code 2 and one message, without a traceback or a trace on disk."""

import logging
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tfft import cli

CONFIG = "data:\n  train: rows.csv\nbackbone:\n  preset: bert_tiny_en_uncased\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a config and its data."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("text,label\na,b\n")
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def call(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process; return exit code, output and errors."""
    monkeypatch.setattr(sys, "argv", ["tfft", *arguments])
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")  # so that what main sets goes again
    log = logging.getLogger("tfft")
    level = log.level
    try:
        with pytest.raises(SystemExit) as caught:
            cli.main()
    finally:
        log.setLevel(level)
    return caught.value.code or 0, *capsys.readouterr()


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("command", ["train", "config", "cross-validate"])
@pytest.mark.parametrize(
    ("arguments", "errors"),
    [
        (
            ["c.yaml", "--set", "training.epochs=0", "--set", "freeze=most"],
            "Error: c.yaml: 2 problems\n"
            "  freeze: must be 'none', 'all' or 'all_but_biases' or a list, got 'most'\n"
            "  training.epochs: must be at least 1, got 0\n",
        ),
        (
            ["c.yaml", "--set", "training.epochs"],
            "Error: c.yaml: 1 problem\n  --set training.epochs: write it as key.of.setting=value\n",
        ),
        (
            ["none.yaml"],
            "Error: none.yaml: 1 problem\n"
            "  cannot be read: [Errno 2] No such file or directory: 'none.yaml'\n",
        ),
        (["."], "Error: .: 1 problem\n  cannot be read: [Errno 21] Is a directory: '.'\n"),
        (
            ["c.yaml", "--set", "data.train=gone.csv"],
            "Error: c.yaml: 1 problem\n  data.train: FOLDER/gone.csv: no such file or folder. "
            "In FOLDER there is 'rows.csv'. Correct the path, or bring the file back.\n",
        ),
    ],
)
def test_a_bad_config(folder, monkeypatch, capsys, command, arguments, errors):
    before = tree(folder)
    assert call(monkeypatch, capsys, command, *arguments) == (2, "", errors.replace("FOLDER", str(folder)))
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "run"], "Error: Give either --text or --input."),
        (["predict", "run", "--text", "a", "--input", "rows.csv"], "Error: Give either --text or --input."),
        (["predict", "run", "--text", "a", "--format", "xml"], "Error: Invalid value for '--format'"),
        (
            ["evaluate", "run", "--split", "test", "--input", "x"],
            "Error: --split and --input exclude each other.",
        ),
        (["evaluate"], "Error: Missing argument 'RUN'."),
        (["trian", "c.yaml"], "Error: No such command 'trian'."),
        (["train", "c.yaml", "--epochs", "3"], "Error: No such option"),
    ],
)
def test_wrong_usage(folder, monkeypatch, capsys, arguments, message):
    before = tree(folder)
    code, output, errors = call(monkeypatch, capsys, *arguments)
    assert (code, output) == (2, "")
    usage, *_, last = errors.splitlines()
    assert usage.startswith("Usage: tfft ")
    assert last.startswith(message)
    assert tree(folder) == before


def test_config_prints_what_read_takes(folder, monkeypatch, capsys):
    code, output, errors = call(monkeypatch, capsys, "config", "c.yaml", "--set", "training.epochs=2")
    assert (code, errors) == (0, "")
    (folder / "whole.yaml").write_text(output)
    assert call(monkeypatch, capsys, "config", "whole.yaml") == (0, output, "")


def test_schema_is_json(folder, monkeypatch, capsys):
    code, output, _ = call(monkeypatch, capsys, "schema")
    assert (code, output[:1], output[-2:]) == (0, "{", "}\n")


def test_help_and_version_end_well(monkeypatch, capsys):
    assert call(monkeypatch, capsys, "--help")[0] == 0
    assert call(monkeypatch, capsys, "--version")[0] == 0


@pytest.mark.parametrize(
    ("error", "code", "errors"),
    [
        (cli.TfftError("It is wrong."), 2, "Error: It is wrong.\n"),
        (KeyboardInterrupt(), 130, "\nInterrupted.\n"),
    ],
)
def test_how_a_command_may_end(monkeypatch, capsys, error, code, errors):
    @click.command()
    def command():
        raise error

    monkeypatch.setattr(cli._Commands, "get_command", lambda self, context, name: command)
    assert call(monkeypatch, capsys, "train") == (code, "", errors)


def test_a_defect_shows_its_traceback(monkeypatch):
    @click.command()
    def command():
        raise ZeroDivisionError

    monkeypatch.setattr(cli._Commands, "get_command", lambda self, context, name: command)
    monkeypatch.setattr(sys, "argv", ["tfft", "train"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_training_errors_end_with_one():
    from tfft.errors import TrainingError

    assert (cli.TfftError.exit_code, TrainingError.exit_code) == (2, 1)


def test_a_missing_input_is_told_before_tensorflow_is_imported(folder, monkeypatch, capsys):
    monkeypatch.delattr("tfft.run", raising=False)
    monkeypatch.setitem(sys.modules, "tfft.run", None)  # an import would fail
    code, output, errors = call(monkeypatch, capsys, "predict", "run", "--input", "gone.csv")
    assert (code, output, errors) == (2, "", "Error: gone.csv: no such file.\n")


def test_a_folder_that_is_no_run(folder):
    # One process for all, because importing TensorFlow takes seconds.
    before = tree(folder)
    calls = [["evaluate", "nothing"], ["export", "."], ["predict", ".", "--text", "a"]]
    code = (
        "import runpy, sys\n"
        f"for call in {calls}:\n"
        "    sys.argv = ['tfft', *call]\n"
        "    try:\n"
        "        runpy.run_module('tfft', run_name='__main__')\n"
        "    except SystemExit as end:\n"
        "        print(end.code, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    name_one = "Name a folder that tfft train made."
    # What stands above are TensorFlow's own words at its import.
    assert done.stderr.splitlines()[-6:] == [
        f"Error: nothing is not a run folder: it has no config.yaml. {name_one}",
        "2",
        f"Error: . is not a run folder: it has no config.yaml. {name_one}",
        "2",
        f"Error: . is neither a run folder nor an export. {name_one}",
        "2",
    ]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert tree(folder) == before
