"""Tests of tfft/run.py: the whole story on a tiny random backbone."""

import csv
import json

import h5py
import numpy as np
import pytest
import tensorflow as tf

import tfft
from tests.conftest import write_csv
from tfft import config, fingerprint, run_folder
from tfft.errors import DataError, RunError, SettingError

pytestmark = pytest.mark.usefixtures("unproved")


def test_the_toy_is_learned(trained):
    assert trained.figures["test"]["accuracy"] >= 0.9
    assert trained.figures["test"]["rows"] == 20


def test_the_run_folder_is_complete(trained):
    found = {str(p.relative_to(trained.directory)) for p in trained.directory.rglob("*") if p.is_file()}
    assert {
        "config.yaml", "environment.json", "data.json", "labels.json", "layers.json", "history.csv",
        "status.json", "log.txt", "model/description.json", "model/vocabulary.txt", "model/best.weights.h5",
        "evaluation/validation.json", "evaluation/test.json", "evaluation/test-wrong.csv",
        "export/1/saved_model.pb", "export/1/assets.extra/parity.json",
    } <= found  # fmt: skip
    assert any(name.startswith("tensorboard/train/events") for name in found)
    assert json.loads((trained.directory / "labels.json").read_text()) == ["bad", "good"]
    data = json.loads((trained.directory / "data.json").read_text())
    assert [data[split]["rows"] for split in ("train", "validation", "test")] == [80, 20, 20]
    assert config.restore(trained.directory / "config.yaml").training.epochs == 6


def weights(directory):
    found = {}
    with h5py.File(directory / run_folder.WEIGHTS) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def test_two_runs_with_one_seed_are_bit_equal_and_another_seed_is_not(toy_config, tmp_path):
    def train(name, seed):
        directory = tmp_path / name
        tfft.train(toy_config, [f"run.directory={directory}", f"training.seed={seed}", "training.epochs=1"])
        return weights(directory)

    first, second, other = train("a", 0), train("b", 0), train("c", 1)
    assert len(first) > 20
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_a_frozen_backbone_trains_its_head_on_kept_features(toy_config, tmp_path, tiny_preset):
    finished = tfft.train(
        toy_config,
        ["freeze=all", "optimizer.learning_rate=0.1", "training.epochs=12", "callbacks=[]", "head.dropout=0"],
    )
    layers = json.loads((finished.directory / "layers.json").read_text())
    assert {row["layer"]: row["trainable"] for row in layers[0]["layers"]} == {
        "embeddings": 0, "block 0": 0, "block 1": 0, "head": 18,
    }  # fmt: skip
    assert "its outputs are computed once" in (finished.directory / "log.txt").read_text()
    # The head learned, as far as a random backbone lets it, and the figures are the whole model's.
    lines = (finished.directory / "history.csv").read_text().splitlines()
    losses = [float(row["loss"]) for row in csv.DictReader(lines)]
    assert losses[-1] < 0.97 * losses[0]
    assert tfft.evaluate(finished.directory) == finished.figures["test"]


def test_fractions_instead_of_files(toy_config):
    finished = tfft.train(toy_config, ["data.validation=0.25", "data.test=0.2", "training.epochs=1"])
    data = json.loads((finished.directory / "data.json").read_text())
    assert [data[split]["rows"] for split in ("train", "validation", "test")] == [48, 16, 16]
    assert tfft.evaluate(finished.directory) == finished.figures["test"]


def test_freezing_rules_and_layer_decay_reach_the_table(toy_config):
    finished = tfft.train(
        toy_config,
        ["freeze=[{layers: embeddings, trainable: false}]", "optimizer.layer_decay=0.5",
         "optimizer.head_learning_rate=0.1", "training.epochs=1"],
    )  # fmt: skip
    layers = json.loads((finished.directory / "layers.json").read_text())
    assert [phase["first_step"] for phase in layers] == [1]
    assert {row["layer"]: row["learning_rate"] for row in layers[0]["layers"]} == pytest.approx(
        {"embeddings": 0.0, "block 0": 0.0025, "block 1": 0.005, "head": 0.1}
    )


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("backbone.sequence_length=33", SettingError, "must be at most 32, the positions that the"),
        ("freeze=[{layers: block 9, trainable: false}]", SettingError, r"It has blocks 0-1\."),
        ("data.label_column=nope", DataError, r"train\.csv:1: no column 'nope'"),
    ],
)
def test_what_cannot_work_leaves_nothing_behind(toy_config, tmp_path, override, error, message):
    with pytest.raises(error, match=message):
        tfft.train(toy_config, [override])
    assert not (tmp_path / "run").exists()


def test_labels_that_training_never_saw(toy_config, tmp_path):
    write_csv(tmp_path / "test.csv", [("good", "good"), ("fine", "meh")])
    with pytest.raises(DataError, match=r"data\.test: 1 row has a label that no training row has: 'meh'"):
        tfft.train(toy_config)


def test_bad_rows_are_skipped_and_listed_when_asked(toy_config, tmp_path):
    with open(tmp_path / "train.csv", "a", encoding="utf-8") as file:
        file.write(",good\n")
    with pytest.raises(DataError, match=r"train\.csv:82: 'text' is empty"):
        tfft.train(toy_config)
    finished = tfft.train(toy_config, ["data.on_bad_row=skip", "training.epochs=1"])
    data = json.loads((finished.directory / "data.json").read_text())
    assert data["train"]["bad_rows"] == [f"{tmp_path}/train.csv:82: 'text' is empty"]


def test_whole_numbers_as_labels(toy_config, tmp_path, toy_rows):
    for name in ("train", "validation", "test"):
        rows = [(text, {"good": 10, "bad": 2}[label]) for text, label in toy_rows[:40]]
        write_csv(tmp_path / f"{name}.csv", rows)
    finished = tfft.train(toy_config, ["training.epochs=1"])
    assert json.loads((finished.directory / "labels.json").read_text()) == ["2", "10"]
    serve = tf.saved_model.load(str(finished.export)).signatures["serving_default"]
    assert set(serve(text=tf.constant(["good", "bad"]))["label"].numpy()) <= {b"2", b"10"}


def test_a_folder_for_exports_is_checked_before_the_training(toy_config, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        RunError, match=r"export\.directory: .*/file/x cannot be written: .*/file is no folder"
    ):
        tfft.train(toy_config, [f"export.directory={tmp_path}/file/x"])
    assert not (tmp_path / "run").exists()


def test_the_weights_that_were_read_are_on_record(trained, tiny_preset):

    kept = json.loads((trained.directory / "model" / "description.json").read_text())["preset"]
    assert kept == {
        "name": str(tiny_preset),
        "sha256": fingerprint.of_files(tiny_preset / "model.safetensors"),
    }
