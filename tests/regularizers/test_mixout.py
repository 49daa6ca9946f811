"""Tests of tfft/regularizers/mixout.py."""

import dataclasses
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.regularizers.toys import batch, dense, gradients, toy, values
from tfft.regularizers import mixout

STEPS = 40


def large(seed=0, rows=50):
    """Return parts of a kernel that started at 1 everywhere and is 3 everywhere now, and it; and a table."""
    kernel = keras.Variable(np.ones((rows, rows)), dtype="float32", name="kernel")
    other = keras.Variable(np.ones((rows, rows)), dtype="float32", name="embeddings")
    parts = dataclasses.replace(
        toy(seed=seed).parts, backbone=[kernel, other], head=[], token_embedding=other,
        learned=lambda: [kernel, other],
    )  # fmt: skip
    return parts, kernel, other


def swapped(parts, regularizer, variables, step):
    """Return what the variables hold while a step's gradient is taken, and the gradients for ones."""
    parts.step.assign(step)
    held = []

    def inner(rows):
        held.extend(np.array(v) for v in variables)
        return tf.constant(0.0), tf.zeros([1, 2]), [tf.ones(v.shape) for v in parts.learned()]

    return held, dense(regularizer.gradients(inner)(batch())[2])


def steps(probability, *, seed=0, count=STEPS):
    parts, kernel, _ = large(seed)
    regularizer = mixout.build(parts, probability=probability)
    kernel.assign(np.full(kernel.shape, 3.0))
    found = [swapped(parts, regularizer, [kernel], step) for step in range(count)]
    return np.array([held[0] for held, _ in found]), np.array([slopes[0] for _, slopes in found])


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.7, 0.9])
def test_the_share_is_swapped_and_the_mean_is_the_weight(probability):
    # 100,000 draws: a swapped weight is 1, one that stays 1 + 2 / (1 - p), so that the mean is 3.
    held, slopes = steps(probability)
    stays = 1 + 2 / (1 - probability)
    is_swapped = held == 1.0
    np.testing.assert_allclose(held[~is_swapped], stays, rtol=1e-5)
    five_sigma = 5 * np.sqrt(probability * (1 - probability) / held.size)
    assert is_swapped.mean() == pytest.approx(probability, abs=five_sigma)
    assert held.mean() == pytest.approx(3.0, abs=2 / (1 - probability) * five_sigma)
    # The slope of what stays is 1 / (1 - p), for it is the weight times that.
    assert (slopes[is_swapped] == 0).all()
    np.testing.assert_allclose(slopes[~is_swapped], 1 / (1 - probability), rtol=1e-5)


def test_each_weight_is_swapped_as_often_as_another():
    held, _ = steps(0.5, count=200)
    often = (held == 1.0).sum(axis=0)
    # Binomial(200, 1/2): mean 100, standard deviation 7.07; of 2500 none is 6 of them away.
    assert often.min() > 57
    assert often.max() < 143
    assert often.std() == pytest.approx(np.sqrt(50), rel=0.1)


def test_a_step_has_one_swap_and_each_step_variable_and_seed_another():
    parts, kernel, other = large()
    regularizer = mixout.build(parts, probability=0.5)
    for variable in (kernel, other):
        variable.assign(np.full(variable.shape, 3.0))
    both = [kernel, other]
    (first, table), (again, _), (later, _) = (swapped(parts, regularizer, both, s)[0] for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)  # so that micro-batches of one step agree
    elsewhere, kernel_elsewhere, _ = large(seed=1)
    regularizer = mixout.build(elsewhere, probability=0.5)
    kernel_elsewhere.assign(np.full(kernel.shape, 3.0))
    reseeded = swapped(elsewhere, regularizer, [kernel_elsewhere], 3)[0][0]
    for different in (table, later, reseeded):
        assert (first == different).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("seed", [21_474, 21_475, 123_456, 2**31 - 1])
def test_every_seed_that_the_config_takes_can_be_used(seed):
    held, _ = steps(0.5, seed=seed, count=2)
    assert (held == 1.0).mean() == pytest.approx(0.5, abs=0.1)
    assert (held[0] != held[1]).any()


@pytest.mark.parametrize("probability", [1e-9, 0.999])
def test_at_the_edges_weights_stay_finite_and_come_back(probability):
    made = toy()
    regularizer = mixout.build(made.parts, probability=probability)
    made.hidden.kernel.assign_add(tf.ones([3, 3]))
    before = values(made)
    loss, _, slopes = gradients(made, regularizer)(batch())
    plain = dense(gradients(made)(batch())[2])
    for one, other in zip(values(made), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.isfinite(loss)
    if probability < 0.5:  # as good as never
        for one, other in zip(dense(slopes), plain, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    else:
        assert all(np.isfinite(slope).all() for slope in dense(slopes))


def test_weights_that_the_swap_would_round_come_back_bit_by_bit():
    parts, kernel, _ = large()
    regularizer = mixout.build(parts, probability=0.7)
    odd = np.random.default_rng(0).normal(size=kernel.shape).astype("float32") * 1e-9
    kernel.assign(odd)
    held, _ = swapped(parts, regularizer, [kernel], 0)
    assert (held[0] != odd).all()
    np.testing.assert_array_equal(np.array(kernel), odd)


def test_biases_and_the_head_are_left_alone_in_value_and_gradient():
    made = toy()
    regularizer = mixout.build(made.parts, probability=0.5)
    for variable in made.learned:
        variable.assign_add(tf.ones_like(variable))
    held, slopes = swapped(made.parts, regularizer, made.learned, 0)
    now = values(made)
    for index, path in enumerate(v.path for v in made.learned):
        if path in ("tokens/embeddings", "hidden/kernel"):
            assert (held[index] != now[index]).any()
            assert set(slopes[index].ravel().tolist()) == {0.0, 2.0}
        else:
            np.testing.assert_array_equal(held[index], now[index])
            assert (slopes[index] == 1).all()


def test_a_bias_in_two_dimensions_is_left_alone():
    # As Keras's attention has it: [heads, width].
    parts, kernel, _ = large()
    bias = keras.Variable(np.ones((50, 50)), dtype="float32", name="bias")
    parts = replace(parts, backbone=[kernel, bias], learned=lambda: [kernel, bias])
    regularizer = mixout.build(parts, probability=0.5)
    for variable in (kernel, bias):
        variable.assign(np.full(variable.shape, 3.0))
    held, slopes = swapped(parts, regularizer, [kernel, bias], 0)
    assert (held[0] != 3).any()
    assert (held[1] == 3).all()
    assert (slopes[1] == 1).all()


def test_what_is_frozen_now_is_not_swapped():
    made = toy()
    regularizer = mixout.build(replace(made.parts, learned=lambda: made.learned[1:]), probability=0.5)
    for variable in made.learned:
        variable.assign_add(tf.ones_like(variable))
    held = []

    def inner(rows):
        held.append(values(made))
        return tf.constant(0.0), tf.zeros([4, 2]), [tf.ones(v.shape) for v in made.learned[1:]]

    slopes = dense(regularizer.gradients(inner)(batch())[2])
    np.testing.assert_array_equal(held[0][0], values(made)[0])
    assert (held[0][1] != values(made)[1]).any()
    assert [slope.shape for slope in slopes] == [v.shape for v in made.learned[1:]]
    assert set(slopes[0].ravel().tolist()) == {0.0, 2.0}
