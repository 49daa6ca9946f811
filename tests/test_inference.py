"""Tests of tfft/inference.py."""

import keras
import numpy as np
import tensorflow as tf

from tfft import inference


def test_outputs_come_back_in_the_order_of_the_rows():
    order = np.array([2, 0, 3, 1])
    rows = np.array([[0.0], [10.0], [20.0], [30.0]], dtype="float32")
    batches = tf.data.Dataset.from_tensor_slices((rows[order],)).batch(3)
    double = keras.Sequential([keras.Input([1]), keras.layers.Dense(1, use_bias=False)])
    double.set_weights([np.array([[2.0]])])
    found = inference.outputs(double, batches, order, title="")
    assert found.tolist() == [[0.0], [20.0], [40.0], [60.0]]


def test_outputs_run_in_inference_mode():
    model = keras.Sequential([keras.Input([3]), keras.layers.Dropout(0.9)])
    ones = np.ones((5, 3), dtype="float32")
    batches = tf.data.Dataset.from_tensor_slices((ones,)).batch(2)
    np.testing.assert_array_equal(inference.outputs(model, batches, np.arange(5), title=""), ones)
