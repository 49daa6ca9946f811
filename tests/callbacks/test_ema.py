"""Tests of tfft/callbacks/ema.py, with the recursion written anew in float64 NumPy."""

import keras
import numpy as np
import pytest

from tests.callbacks.toys import STEPS, Record, enter, fitting, learner, rows, same, train
from tfft.callbacks import ema


def averages(steps, decay):
    """Return the average after each step, of weights that are given from the start on."""
    average = [np.float64(weight) for weight in steps[0]]
    found = [average]
    for n, weights in enumerate(steps[1:]):
        kept = min(decay, (1 + n) / (10 + n))
        average = [
            kept * old + (1 - kept) * np.float64(new) for old, new in zip(average, weights, strict=True)
        ]
        found.append(average)
    return found


def loss_by_hand(weights):
    """Return the cross entropy of the toy over all its rows, in float64."""
    features, ids = rows()
    hidden, hidden_bias, top, top_bias = weights
    logits = np.tanh(features.reshape(-1, 2) @ hidden + hidden_bias) @ top + top_bias
    true = np.take_along_axis(logits, ids.reshape(-1, 1), axis=1)[:, 0]
    return float((np.log(np.exp(logits).sum(axis=1)) - true).mean())


# After the first step 1/10 is kept, after the ninth (1 + 8) / (10 + 8) = 1/2, after which 0.5 rules.
@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_the_average_that_is_validated_is_the_recursion_over_the_steps(decay, tmp_path):
    record = Record()
    history = train(tmp_path, learner(), [ema.build(fitting(tmp_path), decay=decay), record])
    wanted = averages(record.steps, decay)
    for epoch in range(3):
        same(record.validated[epoch], wanted[(epoch + 1) * STEPS], rtol=1e-5, atol=1e-6)
        assert history["val_loss"][epoch] == pytest.approx(loss_by_hand(record.validated[epoch]), rel=1e-5)
    apart = np.abs(record.validated[-1][0] - record.steps[-1][0]).max()
    assert apart > 1e-3  # or the average would be compared with itself


def test_training_goes_on_from_the_plain_weights(tmp_path):
    record = Record()
    train(tmp_path, learner(), [ema.build(fitting(tmp_path)), record])
    for epoch in (1, 2):
        same(record.begun[epoch], record.steps[epoch * STEPS])
    plain, alone = learner(), Record()
    train(tmp_path, plain, [alone])
    same(record.steps[-1], alone.steps[-1])  # as if there were no average


def test_the_weights_that_are_kept_are_the_average(tmp_path):
    record, made = Record(), learner()
    history = train(tmp_path, made, [ema.build(fitting(tmp_path)), record], monitor="val_loss")
    best = int(np.argmin(history["val_loss"]))
    other = learner()
    other.load_weights(tmp_path / "best.weights.h5")
    same(other.get_weights(), record.validated[best])


def test_a_layer_that_thaws_late_is_averaged_with_the_steps_in_which_it_was_frozen(tmp_path):
    record, made = Record(), learner()
    hidden = made.get_layer("hidden")

    def freeze(trainable):
        hidden.trainable = trainable
        enter(made)

    phases = [(0, lambda: freeze(False)), (6, lambda: freeze(True))]
    train(tmp_path, made, [ema.build(fitting(tmp_path)), record], phases=phases)
    np.testing.assert_array_equal(record.steps[6][0], record.steps[0][0])
    assert (record.steps[-1][0] != record.steps[0][0]).any()
    same(record.validated[-1], averages(record.steps, 0.999)[-1], rtol=1e-5, atol=1e-6)


def test_weights_that_are_not_finite_leave_the_average_as_it_was(tmp_path):
    made = learner()
    callback = ema.build(fitting(tmp_path))
    callback.set_model(made)
    enter(made)
    callback.on_train_begin()
    callback.on_train_batch_end(0)  # a good step, in which nothing moved
    before = made.get_weights()
    bad = [np.nan, np.inf, -np.inf, np.nan]
    made.set_weights([np.full_like(weight, value) for weight, value in zip(before, bad, strict=True)])
    callback.on_train_batch_end(0)
    callback.on_test_begin()
    same(made.get_weights(), before)


def test_the_average_reads_through_a_loss_scaling_optimizer(tmp_path):
    made, record = learner(), Record()
    inside = made.optimizer
    made.optimizer = keras.optimizers.LossScaleOptimizer(inside, initial_scale=16.0)
    made.optimizer.build(made.weights)

    def begin():
        inside.enter(made.trainable_variables, {v.path: 1.0 for v in made.trainable_variables})

    train(tmp_path, made, [ema.build(fitting(tmp_path)), record], phases=[(0, begin)])
    same(record.validated[-1], averages(record.steps, 0.999)[-1], rtol=1e-5, atol=1e-6)
    assert (record.steps[-1][0] != record.steps[0][0]).any()
