"""Tests of tfft/losses/cumulative.py."""

import numpy as np
import tensorflow as tf

from tfft.losses import cumulative


def test_by_hand():
    # Above the first step with 3/4, above the second with 1/2.
    logits = tf.constant([[np.log(3.0), 0.0]] * 3, tf.float32)
    found = cumulative.build([5, 5, 5])(tf.constant([0, 1, 2]), logits)
    near, far, half = np.log(4 / 3), np.log(4), np.log(2)
    np.testing.assert_allclose(found, [far + half, near + half, near + half], rtol=1e-6)


def test_a_far_miss_costs_more_than_a_near_one():
    sure_of_the_lowest = tf.constant([[-3.0, -3.0, -3.0]] * 4)
    found = cumulative.build([1] * 4)(tf.constant([0, 1, 2, 3]), sure_of_the_lowest).numpy()
    assert (np.diff(found) > 2.9).all()
