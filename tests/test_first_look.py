"""Tests of tfft/first_look.py."""

import json

import pytest
import yaml

from tests.conftest import write_csv
from tfft import first_look, plugins, sample
from tfft.errors import DataError, SettingError

GOOD_AND_BAD = [(f"film number {number} was seen", ("good", "bad")[number % 2]) for number in range(40)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, `films`, with a training file."""
    path = tmp_path / "films"
    path.mkdir()
    monkeypatch.chdir(path)
    write_csv(path / "train.csv", GOOD_AND_BAD)
    return path


def config_of(where="train.csv", **said):
    seen = first_look.look(where)
    text = first_look.config(seen, first_look.guessed(seen, **said), "bert_tiny_en_uncased", "films.yaml")
    return yaml.safe_load(text)["data"], text


def test_files_beside_are_used(folder):
    write_csv(folder / "dev.csv", GOOD_AND_BAD[:4])
    write_csv(folder / "test.csv", GOOD_AND_BAD[:4])
    data, text = config_of()
    assert (data["validation"], data["test"]) == ("dev.csv", "test.csv")
    assert "Not used" not in text


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("text\nso good\n", "it has no column 'label'"),
        ("id,words\n1,so good\n", "it has no column 'text', 'label'"),
        ("text,label\nso good,good\nso so,fine\n", "no training row has its label 'fine'"),
        ("text,label\nso good,\n", "no row of it can be used"),
    ],
)
def test_a_file_beside_that_cannot_be_compared_is_left_out(folder, rows, reason):
    (folder / "test.csv").write_text(rows)
    data, text = config_of()
    assert (data["validation"], data["test"]) == (0.1, 0.1)
    assert f"# Not used for test, for {reason}: test.csv\n" in text


def test_another_number_is_no_strange_label(folder):
    write_csv(folder / "train.csv", [(text, number / 8) for number, (text, _) in enumerate(GOOD_AND_BAD)])
    write_csv(folder / "test.csv", [("so good", 0.77)])
    assert config_of()[0]["test"] == "test.csv"


def test_bad_rows_of_all_files_are_skipped(folder):
    with open(folder / "train.csv", "a") as stream:
        stream.write(",good\n")
    (folder / "test.csv").write_text("text,label\nso good,good\nso bad\n")
    data, text = config_of()
    assert data["on_bad_row"] == "skip"
    assert "# 2 rows cannot be used, the first: train.csv:42: 'text' is empty\n" in text


def test_no_row_can_be_used(folder):
    # What is looked at is looser than what is read: an unclosed quote is a text to the former.
    (folder / "train.csv").write_text(
        'text,label\n"so good" it was,x\n"so bad" it was,y\n"a b" c,x\n"c d" e,y\n'
    )
    with pytest.raises(
        DataError, match=r"train\.csv:2: a broken quote .*\. No row can be used; correct them\."
    ):
        config_of()


def test_a_separator_is_counted_by(folder):
    tags = ["a;b", "a", "b", "b;c;a"]
    write_csv(folder / "train.csv", [(text, tags[n % 4]) for n, (text, _) in enumerate(GOOD_AND_BAD)])
    _, text = config_of()
    assert text.startswith("# films: 40 rows, 3 labels.\n")


def test_long_files_are_not_counted(folder, monkeypatch):
    monkeypatch.setattr(sample, "BYTES", 500)
    write_csv(folder / "test.csv", GOOD_AND_BAD)
    data, text = config_of()
    assert text.startswith("# films: about ")
    assert data["test"] == "test.csv"


def test_the_splits_of_a_folder_of_texts(folder):
    for split in ("train", "test"):
        for name, (text, label) in enumerate(GOOD_AND_BAD):
            (folder / "d" / split / label).mkdir(parents=True, exist_ok=True)
            (folder / "d" / split / label / f"{name}.txt").write_text(text)
    data, text = config_of("d")
    assert data == {
        "source": "folder", "train": "d/train", "validation": 0.1, "test": "d/test", "text_column": "text",
        "label_column": "label",
    }  # fmt: skip
    assert text.startswith("# d: 40 rows, 2 labels.\n")


def test_unknown_tasks_are_told_with_a_near_one(folder):
    with pytest.raises(SettingError) as caught:
        first_look.guessed(first_look.look("train.csv"), task="regresion")
    assert str(caught.value).startswith(
        "--task: must be a task, got 'regresion'. Did you mean 'regression'? The tasks are multi_label, "
    )


@pytest.fixture
def tokens(folder):
    rows = [{"tokens": ["a", f"b{number}"], "tags": ["X", "O"]} for number in range(40)]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return first_look.look("train.jsonl")


def test_tokens_and_tags_where_there_is_no_such_task(tokens, monkeypatch):
    monkeypatch.setattr(plugins, "names", lambda family: ["regression", "text_classification"])
    with pytest.raises(DataError) as caught:
        first_look.guessed(tokens)
    assert str(caught.value) == (
        "train.jsonl: each row of 'tags' has as many as 'tokens' in each of 40 rows: a tag for each word. "
        "That is of the task token_classification, which this version of tfft does not have; it has "
        "regression, text_classification. Name others by --text-column and --label-column."
    )
    with pytest.raises(SettingError, match="--task: must be a task, got 'token_classification'"):
        first_look.guessed(tokens, task="token_classification")


def test_tokens_and_tags_where_there_is_such_a_task(tokens, monkeypatch):
    monkeypatch.setattr(plugins, "names", lambda family: ["text_classification", "token_classification"])
    for task in (None, "token_classification"):
        found = first_look.guessed(tokens, task=task)
        assert (found.task, found.texts, found.label) == ("token_classification", ("tokens",), "tags")
    text = first_look.config(tokens, found, "bert_tiny_en_uncased", "films.yaml")
    assert text.startswith("# films: 40 rows, 2 labels.\n")
    assert yaml.safe_load(text)["data"] == {
        "source": "jsonl", "train": "train.jsonl", "validation": 0.1, "test": 0.1, "text_column": "tokens",
        "label_column": "tags",
    }  # fmt: skip


def test_what_is_shown(folder):
    write_csv(folder / "train.csv", [(f"[bold] {text}", label) for text, label in GOOD_AND_BAD])
    write_csv(folder / "test.csv", GOOD_AND_BAD)
    seen = first_look.look("train.csv")
    shown = first_look.shown(seen, first_look.guessed(seen))
    lines = shown.splitlines()
    assert lines[0] == "train.csv: 40 rows, read as delimited"
    assert lines[-2:] == ["test: test.csv", "task: text_classification ('label' has 2 values in 40 rows)"]
    assert "│ label  │ label      │ 2 values in 40 rows " in shown
    assert [f"[bold] film number {number} was seen" in shown for number in range(4)] == [
        True,
        True,
        True,
        False,
    ]
