"""Tests of tfft/finished.py: what is done with a run that is there."""

import csv
import json
import shutil

import numpy as np
import pyarrow as pa
import pytest

import tfft
from tests.conftest import write_csv
from tfft import finished
from tfft.errors import DataError, RunError


def test_evaluate_repeats_the_runs_own_figures(trained):
    assert tfft.evaluate(trained.directory) == trained.figures["test"]
    assert tfft.evaluate(trained.directory, split="validation") == trained.figures["validation"]


def test_evaluate_a_file(trained, tmp_path):
    write_csv(tmp_path / "other.csv", [("good film", "good"), ("awful film", "good")])
    figures = tfft.evaluate(trained.directory, file=tmp_path / "other.csv")
    assert (figures["rows"], figures["accuracy"]) == (2, 0.5)
    lines = (trained.directory / "evaluation" / "input-other-wrong.csv").read_text().splitlines()
    wrong = list(csv.DictReader(lines))
    assert [(row["row"], row["label"], row["predicted"], row["text"]) for row in wrong] == [
        ("2", "good", "bad", "awful film")
    ]


def test_evaluating_a_file_called_test_leaves_the_runs_own_figures(trained, tmp_path):
    before = (trained.directory / "evaluation" / "test.json").read_bytes()
    write_csv(tmp_path / "test.csv", [("awful film", "good"), ("good film", "good")])
    assert tfft.evaluate(trained.directory, file=tmp_path / "test.csv")["rows"] == 2
    assert (trained.directory / "evaluation" / "test.json").read_bytes() == before


def test_run_and_export_answer_alike(trained):
    texts = ["a great film", "the plot was awful", ""]
    by_run, by_export = tfft.predict(trained.directory, texts), tfft.predict(trained.export, texts)
    assert [row["label"] for row in by_run] == [row["label"] for row in by_export] != []
    assert [row["label"] for row in by_run][:2] == ["good", "bad"]
    np.testing.assert_allclose([r["score"] for r in by_run], [r["score"] for r in by_export], atol=1e-5)


def test_predict_streams(trained):
    def batches():
        yield pa.record_batch({"text": ["a great film !"] * 70})
        raise RuntimeError("asked for more than was needed")

    answers = finished.predict(finished.answer(trained.directory), batches())
    first = [next(answers) for _ in range(70)]
    assert {row["label"] for row in first} == {"good"}
    with pytest.raises(RuntimeError):
        next(answers)


def test_export_makes_the_next_version(trained, tmp_path):
    assert tfft.export(trained.directory, base=tmp_path / "models") == tmp_path / "models" / "1"
    assert tfft.export(trained.directory, base=tmp_path / "models") == tmp_path / "models" / "2"
    # The folder of the versions answers by its newest.
    assert tfft.predict(tmp_path / "models", ["a great film !"])[0]["label"] == "good"


def test_what_is_no_run_cannot_answer(tmp_path):
    with pytest.raises(RunError, match="is neither a run folder nor an export"):
        tfft.predict(tmp_path, ["x"])


def test_a_changed_file_is_not_the_split_of_the_run(trained):
    file = trained.directory.parent / "test.csv"
    old = file.read_bytes()
    try:
        write_csv(file, [("good", "good"), ("bad", "bad")])
        with pytest.raises(
            DataError, match=r"test\.csv: has changed since the run, so this is not the split"
        ):
            tfft.evaluate(trained.directory)
    finally:
        file.write_bytes(old)


def test_a_file_that_is_not_there(trained, tmp_path):
    with pytest.raises(DataError, match=r"nope\.csv: no such file"):
        tfft.evaluate(trained.directory, file=tmp_path / "nope.csv")


def test_export_needs_no_data(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(finished, "read_splits", None)
    assert tfft.export(trained.directory, base=tmp_path / "models").name == "1"
    proof = json.loads((tmp_path / "models" / "1" / "assets.extra" / "parity.json").read_text())
    assert proof["texts_compared"] >= 120


def test_a_damaged_run_is_told(trained, tmp_path):
    shutil.copytree(trained.directory, tmp_path / "run")
    (tmp_path / "run" / "model" / "description.json").unlink()
    with pytest.raises(
        RunError, match=r"cannot be read: FileNotFoundError.* The run is damaged; train again"
    ):
        tfft.predict(tmp_path / "run", ["good"])
