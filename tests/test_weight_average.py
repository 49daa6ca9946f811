"""Tests of tfft/weight_average.py, with weights that the test sets by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfft.weight_average import WeightAverage


def make(share, *, start=0, every=1, weight=1.0):
    """Return a callback over a model of one weight, at the beginning of a training."""
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    model.layers[0].kernel.assign([[weight]])
    made = WeightAverage(share, start=start, every=every)
    made.set_model(model)
    made.on_train_begin()
    return made


def now(made):
    return float(np.array(made.model.layers[0].kernel)[0, 0])


def step(made, *weights):
    """End a step with each of the weights."""
    for weight in weights:
        made.model.layers[0].kernel.assign([[weight]])
        made.on_train_batch_end(0)


def validated(made):
    """Return what a validation sees; the weights are back after it."""
    made.on_test_begin()
    seen = now(made)
    made.on_epoch_begin(1)
    return seen


def test_the_share_is_that_of_the_present_weights():
    made = make(lambda n: tf.constant(0.25), weight=8.0)
    step(made, 0.0)
    assert validated(made) == 6  # 8 + (0 - 8) / 4
    step(made, 2.0)
    assert validated(made) == 5  # 6 + (2 - 6) / 4


def test_the_share_is_asked_with_the_number_of_updates_so_far():
    made = make(lambda n: 1.0 / (1.0 + n), weight=100.0)  # the plain mean; the first update forgets 100
    step(made, 3.0, 5.0, 10.0)
    assert validated(made) == pytest.approx(6, rel=1e-6)


@pytest.mark.parametrize(
    ("start", "every", "wanted"),
    # Steps 1 to 6 end with the weights 1 to 6.
    [(0, 1, (1 + 2 + 3 + 4 + 5 + 6) / 6), (2, 1, (3 + 4 + 5 + 6) / 4), (0, 3, (3 + 6) / 2), (2, 3, 5)],
)
def test_updates_come_every_so_many_steps_after_the_start(start, every, wanted):
    made = make(lambda n: 1.0 / (1.0 + n), start=start, every=every)
    step(made, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert validated(made) == pytest.approx(wanted, rel=1e-6)


def test_before_the_first_update_the_weights_themselves_are_validated():
    made = make(lambda n: tf.constant(0.5), start=2, weight=0.0)
    step(made, 7.0, 9.0)
    assert validated(made) == 9
    assert now(made) == 9


def test_the_weights_are_put_aside_once_and_come_back_bit_by_bit():
    made = make(lambda n: tf.constant(0.5), weight=0.0)
    odd = float(np.float32(0.1))
    step(made, odd)
    made.on_test_begin()
    made.on_test_begin()  # a second validation must not take the average for the weights
    assert now(made) == odd / 2
    made.on_epoch_begin(1)
    assert now(made) == odd
    made.on_epoch_begin(2)
    assert now(made) == odd


def test_after_the_last_epoch_the_model_has_the_average():
    made = make(lambda n: tf.constant(0.5), weight=0.0)
    step(made, 8.0)
    made.on_test_begin()
    made.on_train_end()
    assert now(made) == 4


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_step_that_is_spoilt_leaves_the_average_as_it_was(bad):
    made = make(lambda n: tf.constant(0.5), weight=0.0)
    step(made, 8.0, bad)
    assert np.isnan(now(made)) or np.isinf(now(made))
    made.on_test_begin()
    assert now(made) == 4


def test_variables_that_do_not_train_now_are_averaged_too():
    # The first layer is frozen when training begins and thaws later.
    model = keras.Sequential([keras.Input([1]), *(keras.layers.Dense(1, use_bias=False) for _ in range(2))])
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    model.layers[0].trainable = False
    model.set_weights([np.array([[2.0]]), np.array([[2.0]])])
    made = WeightAverage(lambda n: tf.constant(0.5), start=0, every=1)
    made.set_model(model)
    made.on_train_begin()
    model.set_weights([np.array([[2.0]]), np.array([[4.0]])])
    made.on_train_batch_end(0)
    model.layers[0].trainable = True
    model.set_weights([np.array([[6.0]]), np.array([[5.0]])])
    made.on_train_batch_end(0)
    made.on_test_begin()
    assert [float(weight[0, 0]) for weight in model.get_weights()] == [4, 4]  # (2 + 2) / 2, (2 + 6) / 2 …
    made.on_epoch_begin(1)
    assert [float(weight[0, 0]) for weight in model.get_weights()] == [6, 5]
