"""Tests of tfft/cli/cross_validate.py; tests/test_run_folds.py has the story behind it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from tfft import run
from tfft.cli import tfft


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What the story was asked for; the current folder holds a config."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("text,label\na,b\n")
    (tmp_path / "mine.yaml").write_text("data: {train: rows.csv}\nbackbone: {preset: x}\n")
    found = []

    def cross_validate(settings, folds, name):
        found.append((settings.training.seed, folds, name))
        return run.CrossValidation(Path("there"), {})

    monkeypatch.setattr(run, "cross_validate", cross_validate)
    return found


def call(*arguments):
    return CliRunner().invoke(tfft, ["cross-validate", *arguments])


def test_the_folder_is_printed(asked):
    done = call("mine.yaml", "--folds", "3", "--set", "training.seed=4")
    assert (done.exit_code, done.stdout) == (0, "there\n")
    assert asked == [(4, 3, "mine")]


def test_there_are_five_folds_unless_told(asked):
    call("mine.yaml")
    assert asked == [(0, 5, "mine")]


def test_one_fold_is_none(asked):
    done = call("mine.yaml", "--folds", "1")
    assert done.exit_code == 2
    assert "Invalid value for '--folds': 1 is not in the range x>=2." in done.output
    assert asked == []


def test_the_command_has_a_hyphen():
    assert CliRunner().invoke(tfft, ["cross_validate", "--help"]).exit_code == 2
