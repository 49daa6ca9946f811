"""Tests of tfft/tasks/text_classification.py."""

import numpy as np
import tensorflow as tf

from tfft.tasks import text_classification


def test_the_answer_by_hand():
    task = text_classification.build(["no", "yes", "10"])
    assert task.outputs == 3
    answer = task.answer(tf.constant([[0.0, np.log(2.0), np.log(5.0)], [3.0, 0.0, 0.0]]))
    np.testing.assert_allclose(answer["probabilities"][0], [1 / 8, 2 / 8, 5 / 8], rtol=1e-6)
    np.testing.assert_allclose(answer["score"][0], 5 / 8, rtol=1e-6)
    assert answer["label"].numpy().tolist() == [b"10", b"no"]
    assert answer["probabilities"].dtype == answer["score"].dtype == tf.float32


def test_the_loss_takes_logits():
    task = text_classification.build(["a", "b"])
    loss = task.loss(np.array([0, 1]), np.array([[0.0, 0.0], [0.0, np.log(3.0)]]))
    np.testing.assert_allclose(loss, (np.log(2) + np.log(4 / 3)) / 2, rtol=1e-6)


def test_the_metric_is_called_accuracy():
    (metric,) = text_classification.build(["a", "b"]).metrics()
    metric.update_state([0, 1, 1], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert metric.name == "accuracy"
    np.testing.assert_allclose(metric.result(), 2 / 3)


def test_labels_of_any_script_come_back_whole():
    task = text_classification.build(["好评", "naïve 👍"])
    labels = task.answer(tf.constant([[1.0, 0.0], [0.0, 1.0]]))["label"].numpy()
    assert [label.decode() for label in labels] == ["好评", "naïve 👍"]
