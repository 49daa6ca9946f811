"""Tests of tfft/callbacks/reduce_on_plateau.py."""

import itertools
import json
import logging

import keras
import pytest

from tests.callbacks.toys import MODES, fitting, learner, train
from tfft import plugins
from tfft.callbacks import reduce_on_plateau
from tfft.errors import SettingError


def scales(callback, name, values, made=None):
    """Return the scale of all rates after each epoch."""
    callback.set_model(made or learner())
    found = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {name: value})
        found.append(float(callback.model.optimizer.rate_scale))
    return found


@pytest.mark.parametrize("name", [name for name in plugins.names("schedules") if name != "constant"])
def test_a_schedule_that_falls_by_itself_is_refused(name, tmp_path):
    with pytest.raises(SettingError) as caught:
        reduce_on_plateau.build(fitting(tmp_path, schedule=name))
    assert str(caught.value) == (
        "schedule: must be constant with the callback reduce_on_plateau, or the rate would be lowered twice, "
        f"got '{name}'. Set schedule to constant, or remove the callback."
    )


def test_a_value_that_is_not_measured_is_refused(tmp_path):
    with pytest.raises(
        SettingError, match=r"^callbacks\.reduce_on_plateau\.monitor: .*, got 'auc'\. Known: "
    ):
        reduce_on_plateau.build(fitting(tmp_path), monitor="auc")


@pytest.mark.parametrize(("name", "mode"), MODES.items())
def test_better_is_higher_or_lower_as_the_value_has_it(name, mode, tmp_path):
    values = [1.0, 2.0, 3.0] if mode == "max" else [3.0, 2.0, 1.0]
    build = reduce_on_plateau.build
    assert scales(build(fitting(tmp_path), monitor=name), name, values) == [1, 1, 1]
    assert scales(build(fitting(tmp_path), monitor=name), name, values[::-1]) == [1, 0.5, 0.25]


def test_the_rates_fall_after_the_patience_and_again_after_it(tmp_path):
    # Epoch 2 improves; 3 and 4 do not; 5 improves by less than 0.125; 6 is the second wait.
    values = [0.25, 0.5, 0.5, 0.25, 0.5625, 0.5, 0.75]
    made = reduce_on_plateau.build(fitting(tmp_path), patience=2, min_delta=0.125, factor=0.25)
    assert scales(made, "val_accuracy", values) == [1, 1, 1, 0.25, 0.25, 0.0625, 0.0625]


def test_the_rates_stay_above_the_lowest(tmp_path):
    made = reduce_on_plateau.build(fitting(tmp_path), factor=0.25, lowest=0.125)
    assert scales(made, "val_accuracy", [0.0] * 5) == [1, 0.25, 0.125, 0.125, 0.125]


@pytest.mark.parametrize("lowest", [0.01, 0.1, 0.125, 0.3])
def test_it_speaks_once_for_each_fall(lowest, tmp_path, caplog):
    caplog.set_level(logging.INFO, "tfft")
    made = reduce_on_plateau.build(fitting(tmp_path), factor=0.5, lowest=lowest)
    found = scales(made, "val_accuracy", [0.0] * 12)
    assert found[-1] == pytest.approx(lowest)
    falls = sum(after < before for before, after in itertools.pairwise(found))
    assert caplog.messages[0] == "val_accuracy has not improved: learning rates are now 0.5 of their peaks"
    assert len(caplog.messages) == falls


def test_a_resumed_run_goes_on_counting(tmp_path):
    build = reduce_on_plateau.build
    first = build(fitting(tmp_path), patience=3)
    assert scales(first, "val_accuracy", [0.5, 0.25, 0.25]) == [1, 1, 1]
    second = build(fitting(tmp_path), patience=3)
    second.restore(json.loads(json.dumps(first.state())))
    assert scales(second, "val_accuracy", [0.375]) == [0.5]


def test_in_a_run_the_updates_are_those_of_the_lower_rate(tmp_path):
    # The loss never improves on 0 (its mode is min), so that each epoch halves the rate of the next.
    made = learner(keras.optimizers.SGD, rate=0.5)
    callback = reduce_on_plateau.build(fitting(tmp_path), monitor="val_loss", min_delta=100.0)
    history = train(tmp_path, made, [callback], epochs=3)
    assert history["learning_rate"] == pytest.approx([0.5, 0.5, 0.25])  # the first has nothing to compare
    assert float(made.optimizer.learning_rate) == pytest.approx(0.125)
