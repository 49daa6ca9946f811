"""Tests of what tfft/finished.py does with data.splitter: which rows each split gets, and what is told."""

import csv
import json
import logging
from collections import Counter

import pytest

from tfft import config, finished
from tfft.errors import DataError, SettingError


@pytest.fixture
def read(tmp_path, caplog):
    """Return the splits of rows with user and time, and what was said, under a config's settings."""

    def read(*overrides, rows=None, header=("text", "label", "user", "when")):
        with open(tmp_path / "train.csv", "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([header, *(rows or ROWS)])
        (tmp_path / "c.yaml").write_text(f"data: {{train: {tmp_path}/train.csv}}\nbackbone: {{preset: x}}\n")
        caplog.clear()
        with caplog.at_level(logging.INFO, "tfft"):
            found = finished.read_splits(config.read(tmp_path / "c.yaml", overrides))
        return found, caplog.messages

    return read


ROWS = [
    (f"text {number}", "ab"[number % 2], f"user {number // 4}", f"2024-01-{1 + number // 2:02d}")
    for number in range(60)
]


def texts(part):
    return part.table["text"].to_pylist()


def numbers(part):
    return [int(text.split()[1]) for text in texts(part)]


def test_without_a_word_it_is_stratified_and_on_record(read):
    rows, said = read("data.validation=0.2", "data.test=0.2", "training.seed=5")
    assert [rows[split].table.num_rows for split in ("train", "validation", "test")] == [38, 10, 12]
    assert Counter(rows["test"].table["label"].to_pylist()) == {"a": 6, "b": 6}
    record = {"splitter": {"name": "stratified"}, "seed": 5, "fraction": 0.2}
    for split in ("validation", "test"):
        assert record.items() <= rows[split].source.items()
        assert rows[split].source["share_for"] == split
    assert "splitter" not in rows["train"].source
    assert said == ["Splitter stratified: train 38 rows; validation 10 rows; test 12 rows"]
    by_name, _ = read("data.validation=0.2", "data.test=0.2", "training.seed=5", "data.splitter=stratified")
    assert {split: texts(part) for split, part in rows.items()} == {
        split: texts(part) for split, part in by_name.items()
    }


@pytest.mark.parametrize("task", ["regression", "multi_label"])
def test_where_a_row_has_not_one_label_it_is_random(read, task):
    rows = [(text, str(number), *more) for number, (text, _, *more) in enumerate(ROWS)]
    found, said = read(f"task={task}", "data.label_column=label", rows=rows)
    assert found["validation"].source["splitter"] == {"name": "random"}
    assert said == ["Splitter random: train 54 rows; validation 6 rows"]


def test_test_has_the_latest_rows_and_validation_the_latest_of_the_rest(read):
    rows, said = read("data.validation=0.25", "data.test=0.2", "data.splitter={name: time, column: when}")
    assert numbers(rows["train"]) == list(range(36))
    assert numbers(rows["validation"]) == list(range(36, 48))
    assert numbers(rows["test"]) == list(range(48, 60))
    assert said == [
        "Splitter time (when): train 36 rows, first 2024-01-01, last 2024-01-18; validation 12 rows, first "
        "2024-01-19, last 2024-01-24; test 12 rows, first 2024-01-25, last 2024-01-30"
    ]
    assert rows["test"].source["extent"] == {"first": "2024-01-25", "last": "2024-01-30"}
    assert rows["test"].source["splitter"] == {"name": "time", "column": "when"}
    json.dumps([part.source for part in rows.values()])


def test_groups_stay_together_and_the_model_never_sees_their_column(read):
    rows, said = read("data.test=0.2", "data.validation=0.25", "data.splitter={name: group, column: user}")
    users = {split: {number // 4 for number in numbers(part)} for split, part in rows.items()}
    assert {split: len(found) for split, found in users.items()} == {"train": 9, "validation": 3, "test": 3}
    assert len(set().union(*users.values())) == 15
    assert said == [
        "Splitter group (user): train 36 rows, groups 9; validation 12 rows, groups 3; test 12 rows, groups 3"
    ]
    assert {tuple(part.table.column_names) for part in rows.values()} == {("text", "label")}


def test_a_file_for_validation_needs_no_column_for_the_splitter(read, tmp_path):
    (tmp_path / "validation.csv").write_text("text,label\nx,a\ny,b\n")
    rows, said = read(
        f"data.validation={tmp_path}/validation.csv", "data.test=0.2",
        "data.splitter={name: group, column: user}",
    )  # fmt: skip
    assert texts(rows["validation"]) == ["x", "y"]
    assert "splitter" not in rows["validation"].source
    assert said == ["Splitter group (user): train 48 rows, groups 12; test 12 rows, groups 3"]


def test_a_missing_group_is_a_bad_row(read, tmp_path):
    rows = [*ROWS, ("text 60", "a", " ", "2024-02-01")]
    splitter = "data.splitter={name: group, column: user}"
    with pytest.raises(DataError) as caught:
        read(splitter, rows=rows)
    assert f"{tmp_path}/train.csv:62: 'user' is empty" in str(caught.value)
    found, _ = read(splitter, "data.on_bad_row=skip", rows=rows)
    assert sum(part.table.num_rows for part in found.values()) == 60
    # What the splitter does not read may be missing.
    assert sum(part.table.num_rows for part in read(rows=rows)[0].values()) == 61


def test_a_column_that_is_not_there_is_told(read, tmp_path):
    with pytest.raises(DataError, match=r"train\.csv:1: no column 'nope'; the header row has 'text'"):
        read("data.splitter={name: hash, column: nope}")


def test_a_splitter_may_go_by_one_text_of_a_pair(read):
    # Pairs of which three share a first text, as in entailment.
    rows = [(f"premise {number // 3}", f"text {number}", "ab"[number % 2]) for number in range(60)]
    found, _ = read(
        "data.text_column=[premise, text]", "data.validation=0.3",
        "data.splitter={name: group, column: premise}", rows=rows, header=("premise", "text", "label"),
    )  # fmt: skip
    assert found["train"].table.column_names == ["text_a", "text_b", "label"]
    sides = [set(found[split].table["text_a"].to_pylist()) for split in ("train", "validation")]
    assert not sides[0] & sides[1]
    assert found["train"].source["extent"] == {"groups": 14}


def test_weights_stay_beside_the_rows(read):
    rows = [(*row, str(number + 1)) for number, row in enumerate(ROWS)]
    found, _ = read(
        "data.weight_column=weight", "data.splitter={name: time, column: when}",
        rows=rows, header=("text", "label", "user", "when", "weight"),
    )  # fmt: skip
    assert found["train"].table["weight"].to_pylist() == [str(number + 1) for number in range(54)]


def test_by_hash_rows_that_come_later_move_none(read):
    shares = ("data.test=0.3", "data.validation=0.3", "data.splitter=hash")
    first, _ = read(*shares)
    more = [(f"text {number}", "a", "u", "2024-03-01") for number in range(60, 90)]
    rows, _ = read(*shares, rows=[*reversed(more), *reversed(ROWS)])
    for split in ("train", "validation", "test"):
        assert set(texts(first[split])) <= set(texts(rows[split]))


def test_a_fold_takes_the_place_of_the_test_split(read):
    tested = []
    for number in (1, 2, 3):
        rows, _ = read(f"data.fold={{folds: 3, number: {number}}}", "data.validation=0.2")
        assert [part.table.num_rows for part in rows.values()] == [32, 8, 20]
        tested += texts(rows["test"])
        assert {"folds": 3, "number": number, "share_for": "test"}.items() <= rows["test"].source.items()
    assert sorted(tested) == sorted(text for text, *_ in ROWS)


def test_a_splitter_without_a_share_is_refused(read, tmp_path):
    (tmp_path / "validation.csv").write_text("text,label\nx,a\ny,b\n")
    with pytest.raises(SettingError) as caught:
        read(f"data.validation={tmp_path}/validation.csv", "data.splitter=hash")
    assert str(caught.value) == (
        "data.splitter: must not be set where neither data.validation nor data.test is a share, got 'hash'. "
        "Remove it, or set one of the two to a share such as 0.1."
    )
    rows, said = read(f"data.validation={tmp_path}/validation.csv")
    assert (rows["train"].table.num_rows, said) == (60, [])


@pytest.mark.parametrize("splitter", ["random", "stratified", "hash", "{name: group, column: user}"])
def test_equal_texts_on_both_sides_are_told(read, splitter):
    # By hand: twenty texts, each of three times; a fifth of the rows is twelve.
    rows = [(f"text {number % 20}", "ab"[number % 2], *ROWS[number][2:]) for number in range(60)]
    found, said = read("data.validation=0.2", f"data.splitter={splitter}", rows=rows)
    learned = set(texts(found["train"]))
    shared = sum(text in learned for text in texts(found["validation"]))
    if splitter == "hash":
        assert shared == 0
    warnings = [line for line in said if line.startswith("Warning")]
    if splitter not in ("random", "stratified"):
        assert warnings == []
        return
    assert shared > 0
    assert warnings == [
        f"Warning: {shared} of 12 validation rows ({shared / 12:.1%}) have a text that a training row has, "
        "too, which flatters the figures. With data.splitter: hash, equal texts stay on one side."
    ]
