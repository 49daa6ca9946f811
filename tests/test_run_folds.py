"""Cross-validation on a tiny random backbone: what is pooled is what the folds answer."""

import csv
import json
import statistics
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

import tfft
from tests.conftest import write_csv
from tfft import config, finished, run
from tfft.errors import DataError, RunError, SettingError

FAST = ["training.epochs=1", "callbacks=[]", "data.test=null", "optimizer.learning_rate=0.02"]


def written(folder, header, rows):
    """Write the training rows of `toy_config` anew."""
    with open(folder / "train.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])


def folds_of(directory):
    """Yield for each fold its folder, and its splits as they are read again."""
    for number in range(1, len([*directory.glob("fold-*")]) + 1):
        place = directory / f"fold-{number}"
        yield place, finished.read_splits(config.restore(place / "config.yaml"))


def served(directory, rows):
    """Return what the model in a run's folder answers to the rows, by the name of each output."""
    texts = tf.constant(rows.table["text"].to_pylist())
    return {name: value.numpy() for name, value in finished.restore(directory).serve(text=texts).items()}


def read(directory, name):
    return json.loads((directory / "evaluation" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def validated(tmp_path_factory, tiny_preset, toy_rows):
    """A cross-validation of three folds by group; its folder, its config and its rows."""
    from tests.conftest import write_toy

    folder = tmp_path_factory.mktemp("folds")
    path = write_toy(folder, tiny_preset, toy_rows, learning_rate=2e-2, epochs=1)
    rows = [(*row, f"user {number % 17}") for number, row in enumerate(toy_rows[:96])]
    written(folder, ("text", "label", "user"), rows)
    overrides = [*FAST, "data.validation=0.2", "data.splitter={name: group, column: user}"]
    return tfft.cross_validate(path, 3, overrides), (path, overrides), rows


def test_pooled_figures_are_those_of_the_folds_own_answers(validated):
    directory = validated[0].directory
    labels, answers, losses = [], [], []
    for place, rows in folds_of(directory):
        found = served(place, rows["test"])
        true = rows["test"].table["label"].to_pylist()
        labels += true
        answers += [label.decode() for label in found["label"]]
        columns = [("bad", "good").index(label) for label in true]
        losses += (-np.log(found["probabilities"][np.arange(len(true)), columns])).tolist()
    pooled = read(directory, "pooled")
    assert pooled == validated[0].figures
    assert pooled["rows"] == 96
    assert pooled["accuracy"] == metrics.accuracy_score(labels, answers)
    assert pooled["f1_macro"] == pytest.approx(metrics.f1_score(labels, answers, average="macro"))
    assert pooled["confusion"] == metrics.confusion_matrix(labels, answers).tolist()
    assert pooled["loss"] == pytest.approx(np.mean(losses), rel=1e-4)


def test_each_row_is_answered_once_by_a_model_that_has_not_seen_its_group(validated):
    directory, rows = validated[0].directory, validated[2]
    users = {
        (text, label): {user for t, one, user in rows if (t, one) == (text, label)} for text, label, _ in rows
    }
    tested = Counter()
    for _, parts in folds_of(directory):
        sides = {
            split: list(zip(*(part.table[name].to_pylist() for name in ("text", "label")), strict=True))
            for split, part in parts.items()
        }
        assert sum(map(len, sides.values())) == 96
        tested.update(sides["test"])
        # A row that stands once in the file tells its group.
        single = {
            split: [users[row] for row in side if len(users[row]) == 1] for split, side in sides.items()
        }
        groups = {split: set().union(*found) for split, found in single.items()}
        assert not groups["test"] & groups["train"]
        assert not groups["test"] & groups["validation"]
        assert not groups["validation"] & groups["train"]
    assert tested == Counter((text, label) for text, label, _ in rows)


def test_the_spread_is_that_of_the_folds(validated):
    directory = validated[0].directory
    each = [read(directory / f"fold-{number}", "test") for number in (1, 2, 3)]
    assert list(validated[0].figures["folds"]) == [
        "loss", "accuracy", "f1_macro", "f1_weighted", "calibration_error",
    ]  # fmt: skip
    for name, spread in validated[0].figures["folds"].items():
        values = [figures[name] for figures in each]
        assert spread["folds"] == values
        assert spread["mean"] == pytest.approx(statistics.mean(values))
        assert spread["standard_deviation"] == pytest.approx(statistics.stdev(values))
    log = (directory / "log.txt").read_text()
    for figures in each:
        assert f"{figures['rows']} │ {figures['loss']:.4f} │" in log
    low, high = (validated[0].figures[f"accuracy_95_{bound}"] for bound in ("low", "high"))
    assert f"{low:.4f} to {high:.4f}" in log


def test_wrong_rows_are_told_by_their_row_and_fold(validated):
    directory, rows = validated[0].directory, validated[2]
    with open(directory / "evaluation" / "pooled-wrong.csv", encoding="utf-8") as stream:
        wrong = list(csv.DictReader(stream))
    assert len(wrong) == 96 - sum(read(directory, "pooled")["confusion"][i][i] for i in (0, 1))
    tests = {str(n): parts["test"] for n, (_, parts) in enumerate(folds_of(directory), start=1)}
    for row in wrong:
        assert (row["text"], row["label"]) == rows[int(row["row"]) - 1][:2]
        assert row["text"] in tests[row["fold"]].table["text"].to_pylist()


def test_the_folder_holds_a_run_for_each_fold_and_no_export(validated):
    directory = validated[0].directory
    assert {path.name for path in directory.iterdir()} == {
        ".lock", "config.yaml", "data.json", "environment.json", "evaluation", "fold-1", "fold-2", "fold-3",
        "log.txt", "status.json",
    }  # fmt: skip
    assert not [*directory.rglob("export")]
    assert {path.read_text() for path in directory.rglob("status.json")} == {'{\n  "status": "finished"\n}\n'}
    data = json.loads((directory / "data.json").read_text())
    assert data["train"]["rows"] == 96
    assert sum(data[f"fold-{number}"]["rows"] for number in (1, 2, 3)) == 96
    assert data["fold-2"]["splitter"] == {"name": "group", "column": "user"}
    assert (data["fold-2"]["folds"], data["fold-2"]["number"], data["fold-2"]["seed"]) == (3, 2, 0)
    assert sum(data[f"fold-{number}"]["extent"]["groups"] for number in (1, 2, 3)) == 17
    with pytest.raises(RunError) as caught:
        tfft.evaluate(directory)
    assert str(caught.value) == (
        f"{directory} is of a cross-validation. Name one of its folds, as in {directory}/fold-1."
    )


def test_a_fold_is_a_run_like_any_other(validated, tmp_path, unproved):
    directory, (path, overrides), _ = validated[0].directory, *validated[1:]
    second = read(directory / "fold-2", "test")
    assert tfft.evaluate(directory / "fold-2") == second
    alone = tfft.train(
        path, [*overrides, "data.fold={folds: 3, number: 2}", f"run.directory={tmp_path}/alone"]
    )
    assert alone.figures["test"] == second


def test_numbers_are_pooled_in_units_of_the_data(toy_config, tmp_path):
    # Two folds whose numbers lie far apart: each has a mean and a scale of its own.
    rows = [
        (f"good {'very ' * (number % 5)}film {number}", str(1000 * (number % 3) + number))
        for number in range(40)
    ]
    write_csv(tmp_path / "train.csv", rows)
    found = tfft.cross_validate(
        toy_config, 2, [*FAST, "task=regression", "freeze=all", "data.validation=0.25", "data.splitter=hash"]
    )
    predicted, true, scales = [], [], set()
    for place, parts in folds_of(found.directory):
        predicted += served(place, parts["test"])["score"].tolist()
        true += map(float, parts["test"].table["label"].to_pylist())
        scales.add(finished.restore(place).facts.scale)
    assert len(scales) == 2
    assert sorted(true) == sorted(float(label) for _, label in rows)
    assert found.figures["rmse"] == pytest.approx(metrics.root_mean_squared_error(true, predicted), rel=1e-5)
    assert found.figures["mae"] == pytest.approx(metrics.mean_absolute_error(true, predicted), rel=1e-5)
    assert "rmse" in found.figures["folds"]


@pytest.mark.parametrize(
    ("folds", "overrides", "error", "message"),
    [
        (1, [], SettingError, "--folds: must be at least 2, got 1. Common are 5 and 10."),
        (
            2,
            ["data.test=0.2"],
            SettingError,
            "data.test: must not be set in a cross-validation, for each fold is the test split of its run, "
            "got 0.2. Set it to null, and measure the final model on it with tfft train.",
        ),
        (
            2,
            ["data.fold={folds: 3, number: 1}"],
            SettingError,
            "data.fold: must not be set in a cross-validation, which trains all folds, got {'folds': 3, "
            "'number': 1}. Remove it.",
        ),
        (
            2,
            ["threshold={positive: good}"],
            SettingError,
            "threshold: must not be set in a cross-validation, for each fold would tune its own, and pooled "
            "answers need one decision, got {'positive': 'good', 'metric': 'f1'}. Set it to null.",
        ),
        (
            2,
            ["callbacks=[saved_model_export]"],
            SettingError,
            "callbacks: must not be set in a cross-validation, whose models are not served, got "
            "'saved_model_export'. Remove saved_model_export.",
        ),
        (
            2,
            ["data.splitter={name: time, column: text}"],
            SettingError,
            "data.splitter: must not be set with folds, of which all but the last would be answered by who "
            "knows the future, got 'time'. Set data.test to a share instead, or take another splitter.",
        ),
        (
            41,
            [],
            DataError,
            "data.train: 40 rows of the most frequent label cannot be cut into 41 folds. Ask for fewer, or "
            "add rows.",
        ),
    ],
)
def test_what_cannot_be_cross_validated_is_told_and_leaves_nothing(
    toy_config, tmp_path, folds, overrides, error, message
):
    with pytest.raises(error) as caught:
        tfft.cross_validate(toy_config, folds, [*FAST, *overrides])
    assert str(caught.value) == message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("validation", ["validation.csv", "0.3"])
def test_a_label_that_a_fold_does_not_learn_is_named(toy_config, tmp_path, toy_rows, validation):
    write_csv(tmp_path / "train.csv", [*toy_rows[:60], ("a film", "rare")])
    value = validation if validation == "0.3" else tmp_path / validation
    with pytest.raises(DataError) as caught:
        tfft.cross_validate(
            toy_config, 2, [*FAST, f"data.validation={value}", "data.splitter=random", "training.seed=1"]
        )
    number = str(caught.value)[len("data.train: in fold ")]
    assert number in "12"
    assert str(caught.value) == (
        f"data.train: in fold {number} of 2 no training row has the label 'rare': its rows are all set "
        "aside. Add rows with it, leave its rows out, or cut otherwise (data.splitter, training.seed, "
        "the number of folds)."
    )
    assert not (tmp_path / "run").exists()


def test_an_interrupted_cross_validation_leaves_nothing(toy_config, tmp_path, monkeypatch, caplog):
    def interrupted(settings, rows, replicas, directory, base):
        (directory / "model" / "best.weights.h5").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tfft.cross_validate(toy_config, 2, FAST)
    assert not (tmp_path / "run").exists()
    assert caplog.messages[-1] == (
        f"Nothing is kept of a cross-validation that did not end: {tmp_path}/run is gone again"
    )


def test_tags_are_pooled_word_by_word(toy_config, tmp_path, toy_rows):
    rows = []
    for text, _ in toy_rows[:60]:
        words = text.split()
        rows.append(
            {"tokens": words, "tags": ["N" if word in ("film", "plot", "actor") else "X" for word in words]}
        )
    rows = [row for row in rows if row["tokens"]]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = tfft.cross_validate(
        toy_config, 2,
        [*FAST, "task=token_classification", f"data.train={tmp_path}/rows.jsonl", "data.source=jsonl",
         "data.validation=0.25", "data.splitter=hash", "freeze=all"],
    )  # fmt: skip
    each = [read(found.directory / f"fold-{number}", "test") for number in (1, 2)]
    words = [figures["tokens"] for figures in each]
    assert sum(words) == found.figures["tokens"] == sum(len(row["tags"]) for row in rows)
    for name in ("token_accuracy", "loss"):
        mean = sum(count * figures[name] for count, figures in zip(words, each, strict=True)) / sum(words)
        assert found.figures[name] == pytest.approx(mean, rel=1e-5)


def test_several_workers_are_refused(toy_config, monkeypatch):
    cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}}))
    with pytest.raises(
        SettingError, match="strategy: must not be set in a cross-validation, which has no use"
    ):
        tfft.cross_validate(toy_config, 2, FAST)
