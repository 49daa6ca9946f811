"""Tests of tfft/callbacks/wandb.py, with a module that notes its calls in W&B's place."""

import sys
import types

import pytest

from tests.callbacks.toys import fitting, learner, train
from tfft.callbacks import wandb
from tfft.errors import SettingError


@pytest.fixture
def calls(monkeypatch):
    """What is called of W&B, in order."""
    noted = []
    run = types.SimpleNamespace(
        log=lambda values, step: noted.append(("log", values, step)),
        finish=lambda: noted.append(("finish",)),
    )
    made = types.ModuleType("wandb")
    made.init = lambda **settings: noted.append(("init", settings)) or run
    monkeypatch.setitem(sys.modules, "wandb", made)
    return noted


def test_a_run_is_opened_logged_and_closed(tmp_path, calls):
    callback = wandb.build(fitting(tmp_path), project="reviews", entity="us")
    assert calls == []  # nothing before the training begins
    history = train(tmp_path, learner(), [callback], epochs=2)
    settings = {"project": "reviews", "entity": "us", "name": tmp_path.name, "dir": str(tmp_path)}
    assert calls[0] == ("init", settings)
    for epoch, call in enumerate(calls[1:3]):
        assert call == ("log", {name: column[epoch] for name, column in history.items()}, epoch + 1)
        assert all(type(value) is float for value in call[1].values())
    assert calls[3:] == [("finish",)]


def test_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    with pytest.raises(SettingError, match=r"^callbacks: .*, got 'wandb'\. pip install wandb$"):
        wandb.build(fitting(tmp_path))
