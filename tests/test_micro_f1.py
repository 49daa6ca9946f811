"""Tests of tfft/micro_f1.py."""

import pytest
import tensorflow as tf

from tfft.micro_f1 import MicroF1


def test_counts_of_all_batches_make_one_figure():
    metric = MicroF1(name="f1")
    assert float(metric.result()) == 0
    metric.count(
        right=tf.constant([True, False]), answers=tf.constant([[True, True]]), truths=tf.constant(True)
    )
    metric.count(right=tf.constant([]) > 0, answers=tf.constant([True]), truths=tf.constant([True, True]))
    # One is right of three answers and three truths.
    assert float(metric.result()) == pytest.approx(2 / 6)
