"""Tests of the losses of numbers: tfft/losses/mean_squared_error.py and huber.py."""

import numpy as np
import tensorflow as tf

from tfft.losses import huber, mean_squared_error

TRUE, GIVEN = tf.constant([1.0, -2.0, 0.0]), tf.constant([[1.5], [2.0], [0.0]])


def test_the_squared_difference_by_hand():
    np.testing.assert_allclose(mean_squared_error.build([3])(TRUE, GIVEN), [0.25, 16.0, 0.0])


def test_hubers_loss_is_squared_near_and_linear_far():
    # 0.5 * 0.25; delta * (4 - delta / 2)
    np.testing.assert_allclose(huber.build([3])(TRUE, GIVEN), [0.125, 3.5, 0.0])
    np.testing.assert_allclose(huber.build([3], delta=2.0)(TRUE, GIVEN), [0.125, 6.0, 0.0])
