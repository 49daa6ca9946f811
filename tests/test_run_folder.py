"""Tests of tfft/run_folder.py."""

import json
import logging
import os

import pytest

from tfft import run_folder
from tfft.errors import LostWorkerError, RunError


def test_a_run_leaves_its_log_and_status(tmp_path):
    with run_folder.new(tmp_path / "a" / "run", "") as directory:
        assert json.loads((directory / "status.json").read_text()) == {"status": "training"}
        logging.getLogger("tfft").info("one line")
    logging.getLogger("tfft").info("after the end")
    assert json.loads((directory / "status.json").read_text()) == {"status": "finished"}
    log = (directory / "log.txt").read_text()
    assert log.endswith(" one line\n")


def test_a_run_that_learned_nothing_leaves_nothing(tmp_path):
    with pytest.raises(RunError, match="no"), run_folder.new(tmp_path / "run", ""):
        raise RunError("no")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "interrupted"), (RunError("x"), "failed")]
)
def test_a_run_that_ends_early_keeps_its_best_weights(tmp_path, error, status):
    with pytest.raises(type(error)), run_folder.new(tmp_path / "run", "") as directory:  # noqa: PT012
        (directory / run_folder.WEIGHTS).write_bytes(b"weights")
        raise error
    assert json.loads((directory / "status.json").read_text())["status"] == status
    assert (directory / run_folder.WEIGHTS).read_bytes() == b"weights"


@pytest.mark.parametrize("error", [LostWorkerError("gone"), SystemExit(143)])
def test_a_folder_that_other_workers_may_have_seen_stays(tmp_path, error):
    with pytest.raises(type(error)), run_folder.new(tmp_path / "run", "task: regression\n") as directory:
        raise error
    assert json.loads((directory / "status.json").read_text())["status"] == "interrupted"
    assert (directory / "config.yaml").read_text() == "task: regression\n"
    assert not run_folder.is_finished(directory)


def test_what_a_killed_process_left_of_a_folder_is_in_nobodys_way(tmp_path):
    (tmp_path / f".run-{os.getpid()}").mkdir()
    with run_folder.new(tmp_path / "run", ""):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_does_not_write_over_another(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    message = r"run\.directory: .*run exists, and a run does not write over another"
    with pytest.raises(RunError, match=message), run_folder.new(tmp_path / "run", ""):
        pass
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"


def test_existing_tells_a_run_from_other_folders(tmp_path):
    with pytest.raises(RunError, match=r"is not a run folder: it has no config\.yaml"):
        run_folder.existing(tmp_path)
    (tmp_path / "config.yaml").touch()
    with pytest.raises(RunError, match="holds no weights: its first epoch has not ended"):
        run_folder.existing(tmp_path)
    (tmp_path / run_folder.WEIGHTS).parent.mkdir()
    (tmp_path / run_folder.WEIGHTS).touch()
    assert run_folder.existing(tmp_path) == tmp_path


def test_environment_tells_versions_and_git_state():
    found = run_folder.environment()
    assert found["packages"]["tensorflow"].startswith("2.")
    assert {"started", "command", "python", "platform", "cpus", "git"} <= set(found)


def test_outside_a_repository_there_is_no_git_state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert run_folder.environment()["git"] is None


def test_written_json_reads_back_and_leaves_no_other_file(tmp_path):
    run_folder.write_json(tmp_path / "sub" / "x.json", {"ß": [1, 2.5]})
    assert run_folder.read_json(tmp_path / "sub" / "x.json") == {"ß": [1, 2.5]}
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["x.json"]


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(RunError, match=r"x\.json cannot be read: .* The run is damaged"):
        run_folder.read_json(tmp_path / "x.json")


def test_a_cross_validation_is_kept_whole(tmp_path):
    with run_folder.several(tmp_path / "a" / "cv", "") as directory:
        for number in (1, 2):
            with run_folder.fold(directory / f"fold-{number}", "") as place:
                logging.getLogger("tfft").info(f"line {number}")
    assert {str(path.relative_to(directory)) for path in directory.rglob("*")} == {
        ".lock", "config.yaml", "environment.json", "log.txt", "status.json", "fold-1", "fold-2",
        *(
            f"fold-{number}/{name}"
            for number in (1, 2)
            for name in (".lock", "config.yaml", "environment.json", "log.txt", "model", "status.json")
        ),
    }  # fmt: skip
    assert json.loads((place / "status.json").read_text()) == {"status": "finished"}
    assert [line.split(" ", 2)[2] for line in (directory / "log.txt").read_text().splitlines()] == [
        "line 1",
        "line 2",
    ]
    assert (place / "log.txt").read_text().endswith(" line 2\n")
    with pytest.raises(RunError) as caught:
        run_folder.existing(config_in(directory))
    assert str(caught.value) == (
        f"{directory} is of a cross-validation. Name one of its folds, as in {directory}/fold-1."
    )


def config_in(directory):
    (directory / "config.yaml").touch()
    return directory


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RunError("x")])
def test_a_cross_validation_that_ends_early_leaves_nothing(tmp_path, error, caplog):
    def fail():
        with (
            run_folder.several(tmp_path / "cv", "") as directory,
            run_folder.fold(directory / "fold-1", "") as place,
        ):
            (place / run_folder.WEIGHTS).write_bytes(b"weights")
            raise error

    with caplog.at_level(logging.INFO, "tfft"), pytest.raises(type(error)):
        fail()
    assert list(tmp_path.iterdir()) == []
    assert caplog.messages == [
        f"Nothing is kept of a cross-validation that did not end: {tmp_path}/cv is gone again"
    ]


def test_a_cross_validation_does_not_write_over_a_run(tmp_path):
    (tmp_path / "run").mkdir()
    with (
        pytest.raises(RunError, match="a run does not write over another"),
        run_folder.several(tmp_path / "run", ""),
    ):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]
