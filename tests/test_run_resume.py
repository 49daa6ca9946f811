"""Runs that are cut off and go on: the process killed at once, told to end, or refused."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

import tfft
from tests.conftest import kept_weights, write_csv, write_toy
from tfft import config, fit, run, run_folder, same_run, saved_model
from tfft.errors import DataError, RunError, SettingError, TrainingError

pytestmark = pytest.mark.usefixtures("unproved")

SETTINGS = ["training.epochs=2", "saves.every_steps=3", "callbacks=[saved_model_export, json_lines, ema]"]


class Killed(BaseException):
    """Stands in for the end of the process."""


def check_same(found, wanted):
    """Check that two runs left the same weights, figures and history, times aside."""
    one, other = kept_weights(found), kept_weights(wanted)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    for file in ("validation.json", "test.json"):
        assert (found / "evaluation" / file).read_text() == (wanted / "evaluation" / file).read_text()
    rows = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(path.open())]
        for path in (found / "history.csv", wanted / "history.csv")
    ]
    assert rows[0] == rows[1]
    exports = [sorted(path.name for path in (folder / "export").iterdir()) for folder in (found, wanted)]
    assert exports[0] == exports[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_preset, toy_rows):
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved_model, "_prove", lambda *_: {"texts_compared": 0, "largest_difference": 0.0})
        path = write_toy(folder, tiny_preset, toy_rows, learning_rate=1e-2, epochs=2)
        return tfft.train(path, SETTINGS).directory


def kill_at(monkeypatch, owner, name, number):
    """End the run when a function is called for the n-th time."""
    real, calls = getattr(owner, name), []

    def killing(*arguments, **named):
        calls.append(1)
        if len(calls) == number:
            raise Killed
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, killing)


@pytest.mark.parametrize(
    ("owner", "name", "number"),
    [
        (fit.saves.os, "fsync", 5), (fit.Loop, "_validate", 2), (run.finished, "measure", 2),
        (saved_model, "publish", 1),
    ],
    ids=["inside a save", "validation", "evaluation", "inside an export"],
)  # fmt: skip
def test_killed_anywhere_it_comes_to_the_same(toy_config, tmp_path, whole, monkeypatch, owner, name, number):
    with monkeypatch.context() as patch:
        kill_at(patch, owner, name, number)
        for module in (run_folder, saved_model):  # as when the process dies: nothing is cleaned up
            patch.setattr(module, "shutil", SimpleNamespace(rmtree=lambda *_, **__: None))
        with pytest.raises(Killed):
            tfft.train(toy_config, SETTINGS)
    finished = run.resume(tmp_path / "run")
    check_same(finished.directory, whole)
    assert json.loads((tmp_path / "run" / "status.json").read_text()) == {"status": "finished"}
    assert not (tmp_path / "run" / "saves").exists()  # three times the weights, and needed no more
    again = run.resume(tmp_path / "run")  # of one that has ended
    assert (again.export, again.figures) == (finished.export, finished.figures)


def test_a_real_kill_a_second_writer_and_a_real_sigterm(toy_config, tmp_path):
    # Of a training that would take minutes; where it ends is told above, and by the drill.
    settings = ["training.epochs=1000", "saves.every_steps=3", "callbacks=[]"]
    directory = tmp_path / "run"

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "tfft", "train", *map(str, arguments)],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def wait_for(process, is_there):
        until = time.monotonic() + 120
        while not is_there():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.02)

    first = start(toy_config, *(part for setting in settings for part in ("--set", setting)))
    wait_for(first, lambda: [*directory.glob("saves/step-*")])
    with pytest.raises(RunError, match=f"is being written to by process {first.pid}"):
        run.resume(directory)
    first.kill()
    first.communicate()

    second = start("--resume", directory)
    wait_for(second, lambda: "Going on after step" in (directory / "log.txt").read_text())
    second.send_signal(signal.SIGTERM)
    told = second.communicate()[1]
    assert second.returncode == 143, told
    assert f"Go on where it stopped: tfft train --resume {directory}" in told
    assert json.loads((directory / "status.json").read_text())["status"] == "interrupted"


@pytest.fixture
def cut_off(toy_config, tmp_path, monkeypatch):
    """The folder of a run that was cut off."""
    with monkeypatch.context() as patch:
        kill_at(patch, fit.Loop, "_validate", 1)
        with pytest.raises(Killed):
            tfft.train(toy_config, SETTINGS)
    return tmp_path / "run"


def test_what_does_not_belong_to_the_run_is_refused(toy_config, tmp_path, toy_rows, cut_off):
    changed = config.read(toy_config, [*SETTINGS, "training.epochs=3", "optimizer.learning_rate=0.5"])
    with pytest.raises(SettingError) as caught:
        run.resume(cut_off, changed)
    assert str(caught.value) == (
        "--resume: must go on with the config that the run was begun with, and some keys differ, got "
        "'optimizer.learning_rate, training.epochs'. Put them back, leave CONFIG out, or begin a new run."
    )
    write_csv(tmp_path / "train.csv", toy_rows[1:81])
    with pytest.raises(DataError, match=r"train\.csv: has changed since the run"):
        run.resume(cut_off)
    with pytest.raises(RunError, match="is not a run folder"):
        run.resume(tmp_path)


def test_a_file_of_paraphrases_that_has_changed_is_refused(toy_config, tmp_path, toy_rows, monkeypatch):
    file = tmp_path / "made.csv"
    file.write_text(f"text,paraphrase\n{toy_rows[0][0]},a film\n")
    chosen = [*SETTINGS, f"augmentations=[{{name: back_translation, files: [{file}]}}]"]
    with monkeypatch.context() as patch:
        kill_at(patch, fit.Loop, "_validate", 1)
        with pytest.raises(Killed):
            tfft.train(toy_config, chosen)
    file.write_text(f"text,paraphrase\n{toy_rows[0][0]},a story\n")
    with pytest.raises(DataError, match=r"^augmentations: .*made\.csv has changed since the run"):
        run.resume(tmp_path / "run")


def test_where_the_training_is_done_no_other_worker_is_needed(
    toy_config, tmp_path, whole, monkeypatch, caplog
):
    with monkeypatch.context() as patch:
        kill_at(patch, run.finished, "measure", 1)
        with pytest.raises(Killed):
            tfft.train(toy_config, SETTINGS)
    cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}  # where nobody is
    caplog.set_level("INFO", "tfft")
    caplog.clear()
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 1}}))
    assert run.resume(tmp_path / "run") is None
    assert caplog.messages[-1].endswith("is done: there is nothing left for this worker")
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}}))
    check_same(run.resume(tmp_path / "run").directory, whole)
    assert "Epoch" not in "".join(caplog.messages)
    assert run.resume(tmp_path / "run").export.is_dir()  # of one that has ended


def test_a_cross_validation_is_refused(tmp_path):
    (tmp_path / "fold-1").mkdir()
    with pytest.raises(RunError, match="is of a cross-validation, which cannot go on"):
        run.resume(tmp_path)


def test_of_two_processes_one_writes_and_of_a_file_system_without_locks_one_is_warned(
    tmp_path, monkeypatch, caplog
):
    with run_folder.new(tmp_path / "a", "") as directory:
        run_folder.write_text(directory / "config.yaml", "")
        second = run_folder.resumed(directory)
        with pytest.raises(RunError, match=f"is being written to by process {os.getpid()}"):
            second.__enter__()
    with pytest.raises(RunError, match="has ended meanwhile"), run_folder.resumed(directory):
        pass

    def unknown(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(run_folder.fcntl, "flock", unknown)
    with run_folder.new(tmp_path / "b", ""):
        pass
    assert "cannot be locked: [Errno 38] Function not implemented" in caplog.text


def test_no_one_is_told_to_go_on_to_the_same_error(tmp_path, caplog):
    caplog.set_level("INFO", "tfft")
    for error, told in ((TrainingError("the loss is nan"), False), (ValueError("a defect"), True)):
        caplog.clear()
        folder = tmp_path / type(error).__name__
        saves = folder / "saves"
        with contextlib.suppress(type(error)), run_folder.new(folder, ""):
            saves.mkdir()
            (saves / "step-1").touch()
            raise error
        assert (f"tfft train --resume {folder}" in caplog.text) == told


def test_other_versions_are_told(tmp_path, caplog):
    record = run_folder.environment()
    record["packages"]["keras"] = "2.0"
    run_folder.write_json(tmp_path / "environment.json", record)
    same_run.tell_versions(tmp_path)
    (told,) = caplog.messages
    assert told.startswith("Warning: the run was begun with keras 2.0, and goes on with 3.")
