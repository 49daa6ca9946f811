"""Tests of tfft/callbacks/early_stopping.py."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.callbacks.toys import MODES, Remember, fitting, follow, learner, train
from tfft.callbacks import early_stopping
from tfft.errors import SettingError


def test_it_counts_epochs_without_improvement(tmp_path):
    # At a rate of 0 nothing improves: the first epoch is the best, and two more are waited for.
    history = train(
        tmp_path, learner(rate=0.0), [early_stopping.build(fitting(tmp_path), patience=2)], epochs=6
    )
    assert len(history["loss"]) == 3


@pytest.mark.parametrize(("name", "mode"), MODES.items())
def test_better_is_higher_or_lower_as_the_value_has_it(name, mode, tmp_path):
    better = [0.1, 0.2, 0.3, 0.4] if mode == "max" else [0.4, 0.3, 0.2, 0.1]
    build = early_stopping.build
    assert follow(build(fitting(tmp_path), monitor=name, patience=2), name, better) is None
    assert follow(build(fitting(tmp_path), monitor=name, patience=2), name, better[::-1]) == 2


def test_the_value_is_by_default_the_one_that_chooses_the_best_epoch(tmp_path):
    made = early_stopping.build(fitting(tmp_path, monitor="val_loss"), patience=1)
    assert follow(made, "val_loss", [3.0, 2.0, 1.0, 1.5]) == 3


@pytest.mark.parametrize(
    ("name", "values"),
    # 0.0625 more, or less, than the best is less than 0.125; the third gains 0.125 or more on the first.
    [("val_accuracy", [0.5, 0.5625, 0.6875, 0.75, 0.75]), ("val_loss", [0.5, 0.4375, 0.3125, 0.25, 0.25])],
)
def test_a_change_below_min_delta_is_no_improvement(name, values, tmp_path):
    made = early_stopping.build(fitting(tmp_path), monitor=name, patience=2, min_delta=0.125)
    assert follow(made, name, values) == 4


def test_a_value_that_is_not_measured_is_refused(tmp_path):
    with pytest.raises(
        SettingError, match=r"^callbacks\.early_stopping\.monitor: .*, got 'val_auc'\. Known: "
    ):
        early_stopping.build(fitting(tmp_path), monitor="val_auc")


@settings(deadline=None)
@given(
    values=st.lists(st.integers(0, 8), min_size=1, max_size=12),
    cut=st.integers(0, 12),
    patience=st.integers(1, 4),
    delta=st.sampled_from([0.0, 1.0]),
    name=st.sampled_from(["val_accuracy", "val_loss"]),
)
def test_a_resumed_run_stops_where_an_uninterrupted_one_does(
    tmp_path_factory, values, cut, patience, delta, name
):
    def build():
        told = fitting(tmp_path_factory.getbasetemp())
        return early_stopping.build(told, monitor=name, patience=patience, min_delta=delta)

    values = [float(value) for value in values]
    whole = follow(build(), name, values)
    before = build()
    found = follow(before, name, values[:cut])
    if found is None:
        after = build()
        found = follow(after, name, values[cut:], first=cut, state=json.loads(json.dumps(before.state())))
    assert found == whole
    assert whole == by_hand(values, patience, delta, MODES[name])


def by_hand(values, patience, delta, mode):
    """Return the epoch after which there were `patience` ones in a row that gained nothing."""
    signed = [value if mode == "max" else -value for value in values]
    best, waited = signed[0], 0
    for epoch, value in enumerate(signed[1:], 1):
        if value > best + delta:
            best, waited = value, 0
        else:
            waited += 1
        if waited == patience:
            return epoch
    return None


def test_a_run_that_is_resumed_in_keras_stops_after_the_epochs_that_were_left(tmp_path):
    first = early_stopping.build(fitting(tmp_path), patience=3)
    kept = Remember(first)
    train(tmp_path, learner(rate=0.0), [first, kept], epochs=2)  # of three epochs without improvement one
    second = early_stopping.build(fitting(tmp_path), patience=3)
    history = train(tmp_path, learner(rate=0.0), [second], epochs=6, remembered=[(second, kept.state)])
    assert len(history["loss"]) == 2
