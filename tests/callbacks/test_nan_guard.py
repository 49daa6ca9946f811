"""Tests of tfft/callbacks/nan_guard.py."""

import json
import logging

import keras
import numpy as np
import pytest

from tests.callbacks.toys import STEPS, Record, Remember, enter, fitting, learner, same, train
from tfft.callbacks import json_lines, nan_guard
from tfft.errors import TrainingError
from tfft.learning_rates import Schedule, Segment
from tfft.schedules import constant


class RecordAll(keras.callbacks.Callback):
    """Note weights and slots, without the step counts, and the rates' scale: at first and after each step."""

    def on_train_begin(self, logs=None):
        self.states, self.scales = [self.now()], [1.0]

    def on_train_batch_end(self, batch, logs=None):
        self.states.append(self.now())
        self.scales.append(float(self.model.optimizer.rate_scale))

    def now(self):
        scale = self.model.optimizer.rate_scale
        others = [np.array(v) for v in self.model.optimizer.variables if v is not scale]
        return self.model.get_weights() + [slot for slot in others if slot.dtype == "float32"]


class Spoil(keras.callbacks.Callback):
    """Make the weights NaN at the end of a step, as an update that overflows does."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            self.model.set_weights([np.nan * weight for weight in self.model.get_weights()])


@pytest.mark.parametrize(("every", "good"), [(1, 5), (2, 4), (50, 0)])
def test_a_nan_goes_back_to_the_last_good_state_at_half_the_rates(every, good, tmp_path, caplog):
    # States are kept at the start and after the steps that `every` divides; step 6 is spoilt.
    caplog.set_level(logging.INFO, "tfft")
    made = learner(keras.optimizers.AdamW, rate=0.01)
    record = RecordAll()
    history = train(
        tmp_path, made, [nan_guard.build(fitting(tmp_path), every=every), record], epochs=2, spoilt=[6]
    )
    same(record.states[6], record.states[good])
    assert any((a != b).any() for a, b in zip(record.states[7], record.states[6], strict=True))
    assert record.scales == [1.0] * 6 + [0.5] * 3
    assert caplog.messages == [
        "Step 6: the loss is nan. Went back to the last good state; "
        "learning rates are now 0.5 of their peaks (return 1 of 3)"
    ]
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(history["val_loss"]).all()


@pytest.mark.parametrize("every", [2, 50])
def test_a_second_return_lowers_the_rates_further(every, tmp_path):
    # Whether a state was kept between the two, after step 4, or both go back to the one of the start.
    made = learner(keras.optimizers.AdamW, rate=0.01)
    guard, record = nan_guard.build(fitting(tmp_path), factor=0.25, every=every), RecordAll()
    train(tmp_path, made, [guard, record], epochs=2, spoilt=[3, 6])
    assert record.scales == [1.0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.0625, 0.0625, 0.0625]
    assert guard.returns == 2


def test_after_the_retries_the_next_spoilt_step_ends_the_run(tmp_path):
    with pytest.raises(TrainingError) as caught:
        train(tmp_path, learner(), [nan_guard.build(fitting(tmp_path), retries=2)], spoilt=[1, 2, 4, 5])
    assert str(caught.value) == (
        "Step 4: the loss is nan, after 2 returns to a good state at lower rates. "
        "Lower optimizer.learning_rate, or look at the data of these steps."
    )


def test_a_resumed_run_has_the_returns_that_were_left(tmp_path):
    first = nan_guard.build(fitting(tmp_path), retries=1)
    kept = Remember(first)
    train(tmp_path, learner(), [first, kept], epochs=1, spoilt=[2])
    second = nan_guard.build(fitting(tmp_path), retries=1)
    with pytest.raises(TrainingError, match=r"^Step 7: the loss is nan, after 1 returns"):
        train(tmp_path, learner(), [second], epochs=1, spoilt=[3], remembered=[(second, kept.state)])


def test_a_resumed_run_goes_back_to_the_good_state_that_was_kept_before_it_was_cut_off(tmp_path):
    first = nan_guard.build(fitting(tmp_path), every=3)
    record, kept = Record(), Remember(first)
    train(tmp_path, learner(), [record, first, kept], epochs=1)  # 4 steps, of which the third was kept
    made, second = learner(), nan_guard.build(fitting(tmp_path), every=50)
    after = Record()
    train(tmp_path, made, [second, after], epochs=1, spoilt=[1], remembered=[(second, kept.state)])
    same(after.steps[1], record.steps[3])


def test_weights_that_the_epochs_last_update_spoilt_are_put_right_before_validation(tmp_path, caplog):
    # The loss is taken before the update, so that no loss of the training shows it.
    caplog.set_level(logging.INFO, "tfft")
    made = learner(keras.optimizers.AdamW, rate=0.01)
    record = RecordAll()
    guard = nan_guard.build(fitting(tmp_path), every=3)
    history = train(tmp_path, made, [guard, record, Spoil(STEPS)], epochs=1)
    same(record.now(), record.states[3])
    assert float(made.optimizer.rate_scale) == 0.5
    assert caplog.messages[0].startswith("Step 4: weights are not finite. Went back to the last good state; ")
    assert np.isfinite(history["val_loss"]).all()
    other = learner()
    other.load_weights(tmp_path / "best.weights.h5")
    same(other.get_weights(), record.states[3][: len(other.weights)])


def test_it_works_with_a_loss_scaling_optimizer(tmp_path):
    made = learner(keras.optimizers.AdamW, rate=0.01)
    inside = made.optimizer
    made.optimizer = keras.optimizers.LossScaleOptimizer(inside, initial_scale=16.0)
    made.optimizer.build(made.weights)
    guard, seen = nan_guard.build(fitting(tmp_path), every=1), []

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            momentums = [np.array(v) for v in inside.variables if "momentum" in v.path]
            seen.append(made.get_weights() + momentums)

    def begin():
        inside.enter(made.trainable_variables, {v.path: 1.0 for v in made.trainable_variables})

    train(tmp_path, made, [Spoil(2), guard, Note()], epochs=1, phases=[(0, begin)])
    assert len(seen[0]) == 8
    same(seen[2], seen[0])  # step 3 meets the weights that step 2 spoilt
    assert float(inside.rate_scale) == 0.5
    assert guard.returns == 1


def test_spoilt_weights_are_not_kept_as_a_good_state(tmp_path):
    # Step 2 spoils its weights after a loss that is good; step 3 finds that out.
    made = learner(keras.optimizers.AdamW, rate=0.01)
    record = RecordAll()
    guard = nan_guard.build(fitting(tmp_path), every=1)
    train(tmp_path, made, [Spoil(2), guard, record], epochs=1)
    same(record.states[3], record.states[1])
    assert guard.returns == 1


def test_after_a_return_the_schedule_stays_with_the_phases_which_go_by_the_steps_of_the_run(tmp_path):
    # Stage two, from step 7 on, has a peak of 1/100 of the first: its first steps must have that rate.
    rate = Schedule([Segment(0, 6, 0, 0.1), Segment(6, 6, 0, 0.001)], constant.build())
    made = learner(keras.optimizers.AdamW, rate=rate)
    history = train(tmp_path, made, [nan_guard.build(fitting(tmp_path))], spoilt=[5])
    assert history["learning_rate"] == pytest.approx([0.1, 0.0005, 0.0005])  # of the steps 4, 8 and 12


def test_the_epochs_loss_does_not_count_what_was_undone(tmp_path):
    # The first three steps of the epoch are good, the last is not: their mean is not 0.
    history = train(tmp_path, learner(), [nan_guard.build(fitting(tmp_path))], epochs=1, spoilt=[STEPS])
    assert history["loss"][0] > 0.1


def test_the_callbacks_that_follow_see_no_loss_of_the_step_and_good_ones_after_it(tmp_path):
    told = fitting(tmp_path)
    callbacks = [nan_guard.build(told), json_lines.build(told, every=1)]
    history = train(tmp_path, learner(), callbacks, epochs=1, spoilt=[2])
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert ["loss" in line for line in lines] == [True, False, True, True, True]
    assert np.isfinite([line["loss"] for line in lines if "loss" in line]).all()
    assert history["loss"][0] == pytest.approx(lines[3]["loss"])


@pytest.mark.parametrize("optimizer_class", [keras.optimizers.SGD, keras.optimizers.AdamW])
def test_a_layer_that_thawed_after_the_good_state_is_put_right_too(optimizer_class, tmp_path):
    # Kept after step 3; `hidden` thaws before step 5; step 6 is spoilt.
    made = learner(optimizer_class, rate=0.01)
    hidden = made.get_layer("hidden")

    def freeze(trainable):
        hidden.trainable = trainable
        enter(made)

    guard = nan_guard.build(fitting(tmp_path), every=3)
    train(
        tmp_path,
        made,
        [guard],
        phases=[(0, lambda: freeze(False)), (4, lambda: freeze(True))],
        spoilt=[6],
    )
    assert guard.returns == 1
    assert all(np.isfinite(weight).all() for weight in made.get_weights())
