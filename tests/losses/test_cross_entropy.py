"""Tests of tfft/losses/cross_entropy.py."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tests.losses.test_losses import gradient, rows
from tfft.losses import cross_entropy


def test_by_hand():
    # Probabilities 1/8, 2/8, 5/8.
    logits = np.log(np.array([[1.0, 2.0, 5.0]] * 3, "float32"))
    found = cross_entropy.build([1, 1, 1])(tf.constant([0, 1, 2]), tf.constant(logits))
    np.testing.assert_allclose(found, np.log([8, 4, 8 / 5]), rtol=1e-6)


def test_smoothing_by_hand():
    # Smoothing 3/10 over 3 labels: the target is 0.8 for the true label and 0.1 for each other one.
    logits = np.log(np.array([[1.0, 2.0, 5.0]], "float32"))
    found = cross_entropy.build([1, 1, 1], label_smoothing=0.3)(tf.constant([2]), tf.constant(logits))
    wanted = 0.1 * np.log(8) + 0.1 * np.log(4) + 0.8 * np.log(8 / 5)
    np.testing.assert_allclose(found, [wanted], rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_are_those_in_float64(smoothing, seed):
    labels, logits = rows(seed, labels=5)
    losses, slope = gradient(cross_entropy.build([1] * 5, label_smoothing=smoothing), labels, logits)
    target = (1 - smoothing) * np.eye(5)[labels] + smoothing / 5
    logs = special.log_softmax(np.float64(logits), axis=1)
    np.testing.assert_allclose(losses, -(target * logs).sum(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope, np.exp(logs) - target, atol=1e-6)


def test_smoothing_is_least_at_the_smoothed_target_and_not_at_certainty():
    loss = cross_entropy.build([1, 1], label_smoothing=0.2)
    sure, smoothed = [[0.0, 30.0]], [[np.log(0.1), np.log(0.9)]]
    found = loss(tf.constant([1, 1]), tf.constant(np.array(sure + smoothed, "float32")))
    assert found[0] > found[1]
    np.testing.assert_allclose(found[1], -0.9 * np.log(0.9) - 0.1 * np.log(0.1), rtol=1e-6)
