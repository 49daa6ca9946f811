"""Tests of tfft/callbacks/mlflow.py, with a module that notes its calls in MLflow's place."""

import sys
import types

import pytest

from tests.callbacks.toys import fitting, learner, train
from tfft.callbacks import mlflow
from tfft.errors import SettingError


@pytest.fixture
def calls(monkeypatch):
    """What is called of MLflow, in order."""
    noted = []

    def note(name):
        return lambda *args, **kwargs: noted.append((name, args, kwargs))

    made = types.ModuleType("mlflow")
    for name in ("set_tracking_uri", "set_experiment", "start_run", "log_artifact", "log_metrics", "end_run"):
        setattr(made, name, note(name))
    monkeypatch.setitem(sys.modules, "mlflow", made)
    return noted


def test_a_run_is_opened_logged_and_closed(tmp_path, calls):
    callback = mlflow.build(fitting(tmp_path), experiment="reviews", tracking_uri="file:///elsewhere")
    assert calls == []  # nothing before the training begins
    history = train(tmp_path, learner(), [callback], epochs=2)
    assert calls[:4] == [
        ("set_tracking_uri", ("file:///elsewhere",), {}),
        ("set_experiment", ("reviews",), {}),
        ("start_run", (), {"run_name": tmp_path.name}),
        ("log_artifact", (str(tmp_path / "config.yaml"),), {}),
    ]
    for epoch, call in enumerate(calls[4:6]):
        values = {name: column[epoch] for name, column in history.items()}
        assert call == ("log_metrics", (values,), {"step": epoch + 1})
        assert all(type(value) is float for value in call[1][0].values())
    assert calls[6:] == [("end_run", (), {})]


def test_the_place_is_left_to_the_environment_by_default(tmp_path, calls):
    mlflow.build(fitting(tmp_path)).on_train_begin()
    assert [(name, args) for name, args, _ in calls][:2] == [("set_experiment", ("tfft",)), ("start_run", ())]


def test_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)  # as if it were not installed
    with pytest.raises(SettingError, match=r"^callbacks: .*, got 'mlflow'\. pip install mlflow-skinny$"):
        mlflow.build(fitting(tmp_path))
