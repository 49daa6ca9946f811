"""Tests of tfft/callbacks/time_budget.py, with a clock that the test turns."""

import logging
import types

import keras
import pytest

from tests.callbacks.toys import Remember, fitting, learner, train
from tfft.callbacks import time_budget


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until its `now` is set."""
    made = types.SimpleNamespace(now=1000.0)
    monkeypatch.setattr(time_budget, "time", types.SimpleNamespace(monotonic=lambda: made.now))
    return made


class Turn(keras.callbacks.Callback):
    """Turn the clock at each step and each validation, and count the steps."""

    def __init__(self, clock, *, step=0.0, validation=0.0):
        super().__init__()
        self.clock, self.step, self.validation, self.steps = clock, step, validation, 0

    def on_train_batch_begin(self, batch, logs=None):
        self.clock.now += self.step
        self.steps += 1

    def on_test_begin(self, logs=None):
        self.clock.now += self.validation


def test_it_ends_after_the_step_in_which_the_time_is_up_and_the_epoch_is_validated(tmp_path, clock, caplog):
    # 25 s a step: after two steps 50 s are spent, after three 75 s.
    caplog.set_level(logging.INFO, "tfft")
    turn = Turn(clock, step=25.0)
    history = train(tmp_path, learner(), [turn, time_budget.build(fitting(tmp_path), minutes=1.0)])
    assert turn.steps == 3
    assert len(history["val_loss"]) == 1
    assert (tmp_path / "best.weights.h5").exists()
    said = "The time budget of 1 minutes is spent: training ends after this validation"
    assert caplog.messages.count(said) == 1


def test_a_run_within_the_budget_is_left_alone(tmp_path, clock):
    turn = Turn(clock, step=15.0)  # 8 steps: 120 s, which is not more than two minutes
    train(tmp_path, learner(), [turn, time_budget.build(fitting(tmp_path), minutes=2.0)], epochs=2)
    assert turn.steps == 8


def test_validation_counts(tmp_path, clock):
    turn = Turn(clock, step=1.0, validation=60.0)
    train(tmp_path, learner(), [turn, time_budget.build(fitting(tmp_path), minutes=1.0)])
    assert turn.steps == 5  # the first of the second epoch


def test_a_resumed_run_has_what_is_left_and_not_the_time_in_between(tmp_path, clock):
    first = time_budget.build(fitting(tmp_path), minutes=1.0)
    kept = Remember(first)
    train(tmp_path, learner(), [Turn(clock, step=10.0), first, kept], epochs=1)  # 40 s
    clock.now += 9999.0
    second = time_budget.build(fitting(tmp_path), minutes=1.0)
    turn = Turn(clock, step=10.0)
    train(tmp_path, learner(), [turn, second], remembered=[(second, kept.state)])
    assert turn.steps == 3  # 50, 60, 70 s


def test_what_is_kept_at_the_end_of_an_epoch_holds_its_validation(tmp_path, clock):
    made = time_budget.build(fitting(tmp_path), minutes=5.0)
    train(tmp_path, learner(), [Turn(clock, step=10.0, validation=100.0), made], epochs=1)
    assert made.state() == {"spent": 140.0}
