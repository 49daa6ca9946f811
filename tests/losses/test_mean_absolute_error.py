"""Tests of tfft/losses/mean_absolute_error.py."""

import numpy as np
import tensorflow as tf

from tests.losses.test_losses import gradient, sample
from tfft.losses import mean_absolute_error


def test_by_hand():
    found = mean_absolute_error.build([])(tf.constant([1.0, 2.0, -1.0]), tf.constant([[1.0], [0.0], [2.0]]))
    np.testing.assert_allclose(found, [0.0, 2.0, 3.0], rtol=1e-6)


def test_value_and_gradient_are_those_in_float64():
    targets, logits = sample("number")
    losses, slope = gradient(mean_absolute_error.build([]), targets, logits)
    difference = np.float64(logits[:, 0]) - targets
    np.testing.assert_allclose(losses, np.abs(difference), rtol=1e-5)
    np.testing.assert_array_equal(slope[:, 0], np.sign(difference))
