"""Tests of tfft/callbacks/saved_model_export.py."""

import json

import pytest

from tests.callbacks.toys import MODES, fitting, follow, learner, same, train
from tfft.callbacks import saved_model_export


def exports(folder, name, values):
    """Return the epochs after which there was an export, and the callback."""
    found = []
    made = saved_model_export.build(fitting(folder, monitor=name, export=lambda: found.append(epoch)))
    for epoch, value in enumerate(values):
        made.on_epoch_end(epoch, {name: value})
    return found, made


@pytest.mark.parametrize(("name", "mode"), MODES.items())
def test_it_exports_on_improvement_in_the_values_direction(name, mode, tmp_path):
    values = [0.5, 0.5, 0.7, 0.6, 0.7, 0.8, 0.1]
    if mode == "min":
        values = [1 - value for value in values]
    assert exports(tmp_path, name, values)[0] == [0, 2, 5]


def test_a_resumed_run_does_not_export_what_is_no_better_than_before(tmp_path):
    _, first = exports(tmp_path, "val_loss", [0.5, 0.25])
    found = []
    second = saved_model_export.build(
        fitting(tmp_path, monitor="val_loss", export=lambda: found.append("export"))
    )
    second.restore(json.loads(json.dumps(first.state())))
    follow(second, "val_loss", [0.375])
    assert found == []
    second.on_epoch_end(3, {"val_loss": 0.125})
    assert found == ["export"]


def test_the_weights_of_the_epoch_are_in_the_folder_when_it_exports(tmp_path):
    made, other, exported = learner(), learner(), []

    def export():
        other.load_weights(tmp_path / "best.weights.h5")
        exported.append(other.get_weights())
        same(exported[-1], made.get_weights())
        return tmp_path

    told = fitting(tmp_path, monitor="val_loss", export=export)
    history = train(tmp_path, made, [saved_model_export.build(told)], monitor="val_loss")
    values = history["val_loss"]
    assert len(exported) == sum(value < min([*values[:i], 9.0]) for i, value in enumerate(values)) >= 2
