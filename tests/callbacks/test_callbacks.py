"""Tests of tfft/callbacks/__init__.py, and of what all callbacks have in common."""

import sys
import types

import keras
import pytest

from tests.callbacks.toys import MODES, Remember, fitting, holds_arrays, learner, same, train
from tfft import plugins
from tfft.callbacks import module, rate_scale
from tfft.errors import SettingError

NEEDED = {"time_budget": {"minutes": 1.0}}


@pytest.mark.parametrize("name", plugins.names("callbacks"))
def test_every_callback_is_a_keras_callback(name, tmp_path, monkeypatch):
    for package in ("mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    made = plugins.load("callbacks", name)(fitting(tmp_path), **NEEDED.get(name, {}))
    assert isinstance(made, keras.callbacks.Callback)


@pytest.mark.parametrize("name", plugins.names("callbacks"))
def test_what_a_callback_remembers_is_taken_back_by_a_new_one(name, tmp_path, monkeypatch):
    for package in ("mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    build = plugins.load("callbacks", name)
    made, other = (build(fitting(tmp_path), **NEEDED.get(name, {})) for _ in range(2))
    assert hasattr(made, "state") == hasattr(made, "restore")
    if not hasattr(made, "state"):
        return
    kept, again = Remember(made), Remember(other)
    train(tmp_path, learner(), [made, kept], epochs=1)
    for callback in (other, again):
        callback.set_model(learner())
        callback.on_train_begin()
    other.restore(kept.state)
    again.on_train_end()
    assert again.state.keys() == kept.state.keys()
    for key, value in kept.state.items():
        if holds_arrays(value):
            same(again.state[key], value)
        else:
            assert again.state[key] == value
    if hasattr(other, "close"):
        other.close()


def test_every_value_of_the_logs_tells_good_from_bad(tmp_path):
    # The task's loss falls, its metrics rise, in validation as in training.
    told = fitting(tmp_path)
    assert {name: told.mode("training.monitor", name) for name in MODES} == {
        "loss": "min", "accuracy": "max", "f1_macro": "max",
        "val_loss": "min", "val_accuracy": "max", "val_f1_macro": "max",
    }  # fmt: skip


def test_a_value_that_is_not_measured_is_refused(tmp_path):
    with pytest.raises(SettingError) as caught:
        fitting(tmp_path, modes={"loss": "min", "val_loss": "min"}).mode("training.monitor", "val_auc")
    assert str(caught.value) == (
        "training.monitor: must be a value that this task measures, got 'val_auc'. Known: loss, val_loss."
    )


def test_the_scale_of_all_rates_is_found_inside_a_loss_scaling_optimizer_too():
    made = learner()
    inside = made.optimizer
    assert rate_scale(made) is inside.rate_scale
    made.optimizer = keras.optimizers.LossScaleOptimizer(inside)
    assert rate_scale(made) is inside.rate_scale


def test_a_package_that_is_there_is_imported():
    assert module("json", "no-matter") is sys.modules["json"]


def test_a_package_that_is_not_there_is_named_with_what_to_install():
    with pytest.raises(SettingError) as caught:
        module("no_such_package", "no-such-package[all]")
    assert str(caught.value) == (
        "callbacks: needs a package that is not installed (No module named 'no_such_package'), "
        "got 'no_such_package'. pip install no-such-package[all]"
    )
