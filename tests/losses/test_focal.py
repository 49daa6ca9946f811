"""Tests of tfft/losses/focal.py."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tests.losses.test_losses import gradient, rows
from tfft.losses import focal


def by_hand(labels, logits, gamma):
    """Return values and gradients in float64, with 1 - p taken without cancellation."""
    logs = special.log_softmax(np.float64(logits), axis=1)
    true = np.eye(logits.shape[1])[labels]
    log_p = (true * logs).sum(axis=1)
    rest = ((1 - true) * np.exp(logs)).sum(axis=1)  # 1 - p
    # d/dlog p of -(1 - p)^gamma log p, times (1 - p) to be free of a division by it
    slope = rest**gamma * (gamma * np.exp(log_p) * log_p - rest)
    # dlog p / dz: 1 - p for the true logit, -q for one of probability q, whose share of 1 - p is q / (1 - p)
    share = np.where(true == 1, 1.0, -np.exp(logs) / np.maximum(rest, 1e-300)[:, None])
    return -(rest**gamma) * log_p, slope[:, None] * share


def test_by_hand_values():
    # Probability 1/4 of the true label: (3/4)^2 log 4; and 3/4: (1/4)^2 log 4/3.
    logits = np.log(np.array([[1.0, 3.0]] * 2, "float32"))
    found = focal.build([1, 1])(tf.constant([0, 1]), tf.constant(logits))
    np.testing.assert_allclose(found, [9 / 16 * np.log(4), np.log(4 / 3) / 16], rtol=1e-5)
    found = focal.build([1, 1], gamma=0.5)(tf.constant([0, 1]), tf.constant(logits))
    np.testing.assert_allclose(found, [np.sqrt(3) / 2 * np.log(4), np.log(4 / 3) / 2], rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("labels", [2, 5])
def test_value_and_gradient_are_those_in_float64(gamma, labels):
    ids, logits = rows(3, labels=labels)
    losses, slope = gradient(focal.build([1] * labels, gamma=gamma), ids, logits)
    wanted, wanted_slope = by_hand(ids, logits, gamma)
    np.testing.assert_allclose(losses, wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(slope, wanted_slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 1.5, 2.0, 5.0])
@pytest.mark.parametrize("height", [20.0, 60.0, 1000.0])
def test_the_gradient_is_right_where_the_model_is_certain(gamma, height):
    # Surely right, where nothing is left to learn, and surely wrong, where it is that of cross entropy.
    logits = np.array([[height, -height], [-height, height]], "float32")
    losses, slope = gradient(focal.build([1, 1], gamma=gamma), np.array([0, 0], "int32"), logits)
    np.testing.assert_allclose(losses, [0.0, 2 * height], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(slope, [[0.0, 0.0], [-1.0, 1.0]], atol=1e-6)


def test_a_row_that_is_answered_well_counts_less_the_higher_gamma_is():
    logits = tf.constant(np.log([[1.0, 9.0]]), tf.float32)
    losses = [focal.build([1, 1], gamma=gamma)(tf.constant([1]), logits) for gamma in (0.0, 1.0, 2.0)]
    found = np.concatenate(losses)
    np.testing.assert_allclose(np.divide(found[1:], found[:-1]), [0.1, 0.1], rtol=1e-5)
