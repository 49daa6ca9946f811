"""Tests of tfft/losses/logit_adjusted.py."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tests.losses.test_losses import gradient, rows
from tfft.losses import logit_adjusted


@pytest.mark.parametrize(("tau", "rare", "frequent"), [(1.0, 1 / 4, 3 / 4), (2.0, 1 / 10, 9 / 10)])
def test_by_hand(tau, rare, frequent):
    # With equal logits and shares 1/4 and 3/4 the probabilities are those to the power of tau.
    found = logit_adjusted.build([10, 30], tau=tau)(tf.constant([0, 1]), tf.zeros([2, 2]))
    np.testing.assert_allclose(found, -np.log([rare, frequent]), rtol=1e-6)


@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("counts", [[1, 1, 1], [1, 1000, 3], [100_000, 1, 50]])
def test_value_and_gradient_are_those_in_float64(tau, counts):
    labels, logits = rows(5)
    losses, slope = gradient(logit_adjusted.build(counts, tau=tau), labels, logits)
    logs = special.log_softmax(logits + tau * np.log(np.array(counts) / sum(counts)), axis=1)
    np.testing.assert_allclose(losses, -logs[np.arange(len(labels)), labels], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(slope, np.exp(logs) - np.eye(3)[labels], atol=1e-5)


def test_a_rare_label_must_win_by_more():
    loss = logit_adjusted.build([99, 1])
    _, slope = gradient(loss, np.array([0, 1], "int32"), np.zeros((2, 2), "float32"))
    # At equal logits, 0.01 is left to learn of the frequent label and 0.99 of the rare one.
    np.testing.assert_allclose(slope, [[-0.01, 0.01], [0.99, -0.99]], atol=1e-6)
