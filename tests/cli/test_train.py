"""Tests of `tfft train` on data that cannot be used: one message, exit code 2, nothing left behind."""

import logging

import pytest

from tfft import cli

GOOD = "text,label\nfine,good\nawful,bad\n"


def train(folder, monkeypatch, capsys, content, *overrides):
    """Return exit code and message of a run whose training file has this content."""
    (folder / "train.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "validation.csv").write_text(GOOD)
    (folder / "c.yaml").write_text(
        "data: {train: train.csv, validation: validation.csv}\n"
        "backbone: {preset: ./never_read}\n"
        "run: {directory: run}\n"
    )
    monkeypatch.chdir(folder)
    sets = [word for override in overrides for word in ("--set", override)]
    monkeypatch.setattr("sys.argv", ["tfft", "train", "c.yaml", *sets])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sorted(path.name for path in folder.iterdir()) == ["c.yaml", "train.csv", "validation.csv"]
    # Other lines are the story so far, and TensorFlow's own.
    assert captured.err.count("Error: ") == 1
    assert "Traceback" not in captured.err
    return ended.value.code, captured.err.partition("Error: ")[2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "train.csv: the file is empty; expected a header row with text, label."),
        ("text,label\n", "train.csv: no row can be used. Expected text, label in each row."),
        ("words,label\nfine,good\n", "train.csv:1: no column 'text'; the header row has 'words', 'label'."),
        ("text,text,label\na,b,c\n", "train.csv:1: the column 'text' stands twice; rename one."),
        (GOOD + ",good\n", "train.csv:4: 'text' is empty"),
        (GOOD + "nice,\n", "train.csv:4: 'label' is empty"),
        (GOOD + "nice\n", "train.csv:4: 1 field where the header row has 2"),
        (GOOD + "well, nice,good\n", "train.csv:4: 3 fields where the header row has 2"),
        (GOOD + '"never closed,good\n', "train.csv:4: a broken quote"),
        (
            GOOD.encode() + b"caf\xe9,good\n",
            "train.csv:4: a byte that is not utf-8; set data.source.encoding",
        ),
        ("text,label\nfine,good\nnice,good\n", "data.train: all rows have the label 'good'"),
    ],
)
def test_bad_files(tmp_path, monkeypatch, capsys, content, message):
    code, said = train(tmp_path, monkeypatch, capsys, content)
    assert code == 2
    assert message in said


def test_many_bad_rows_are_counted_and_the_first_ten_named(tmp_path, monkeypatch, capsys):
    code, said = train(tmp_path, monkeypatch, capsys, GOOD + ",x\n" * 30)
    assert code == 2
    assert "train.csv: 30 rows cannot be used:" in said
    assert said.count("'text' is empty") == 10
    assert "… and 20 more" in said
    assert "set data.on_bad_row to skip" in said


def test_an_encoding_that_python_does_not_know(tmp_path, monkeypatch, capsys):
    code, said = train(tmp_path, monkeypatch, capsys, GOOD, "data.source={encoding: klingon}")
    assert code == 2
    assert said.startswith("data.source.encoding: must be an encoding that Python knows, got 'klingon'.")


def test_a_preset_that_is_not_there(tmp_path, monkeypatch, capsys):
    code, said = train(tmp_path, monkeypatch, capsys, GOOD)
    assert code == 2
    assert said.startswith("backbone.preset: no such folder: never_read.")


@pytest.fixture(autouse=True)
def _quiet_again():
    """Undo what `main` does to the process's logging."""
    logger = logging.getLogger("tfft")
    level = logger.level
    yield
    logger.setLevel(level)
