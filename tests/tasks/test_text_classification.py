"""Tests of tfft/tasks/text_classification.py."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

from tfft.tasks import Facts, text_classification


def outputs(labels, decision):
    return text_classification.build().outputs(Facts(tuple(labels)), decision)


def macro_f1(batches, labels):
    """Return the metric `f1_macro` over batches of (ids, logits)."""
    metric = outputs([str(n) for n in range(labels)], None).metrics()[1]
    for ids, logits in batches:
        metric.update_state(ids, logits)
    return float(metric.result())


def test_the_answer_by_hand():
    task = outputs(["no", "yes", "10"], None)
    assert task.size == 3
    answer = task.answer(tf.constant([[0.0, np.log(2.0), np.log(5.0)], [3.0, 0.0, 0.0]]))
    np.testing.assert_allclose(answer["probabilities"][0], [1 / 8, 2 / 8, 5 / 8], rtol=1e-6)
    np.testing.assert_allclose(answer["score"][0], 5 / 8, rtol=1e-6)
    assert answer["label"].numpy().tolist() == [b"10", b"no"]
    assert answer["probabilities"].dtype == answer["score"].dtype == tf.float32


@pytest.mark.parametrize(
    ("threshold", "labels", "scores"),
    [
        # Probabilities of "yes": 1/4, 1/2, 7/8.
        ((1, 0.3), [b"no", b"yes", b"yes"], [3 / 4, 1 / 2, 7 / 8]),
        ((1, 0.5), [b"no", b"yes", b"yes"], [3 / 4, 1 / 2, 7 / 8]),  # itself is enough
        ((1, 0.2), [b"yes", b"yes", b"yes"], [1 / 4, 1 / 2, 7 / 8]),
        ((1, 0.9), [b"no", b"no", b"no"], [3 / 4, 1 / 2, 1 / 8]),
        ((0, 0.6), [b"no", b"yes", b"yes"], [3 / 4, 1 / 2, 7 / 8]),
        ((0, 0.1), [b"no", b"no", b"no"], [3 / 4, 1 / 2, 1 / 8]),
        ((1, 0.999999), [b"no", b"no", b"no"], [3 / 4, 1 / 2, 1 / 8]),
    ],
)
def test_a_threshold_decides_and_the_score_is_that_of_the_answer(threshold, labels, scores):
    logits = tf.constant(np.log([[3.0, 1.0], [1.0, 1.0], [1.0, 7.0]]), tf.float32)
    positive, probability = threshold
    margin = np.log(probability / (1 - probability))
    answer = outputs(["no", "yes"], {"positive": positive, "margin": margin}).answer(logits)
    assert answer["label"].numpy().tolist() == labels
    np.testing.assert_allclose(answer["score"], scores, rtol=1e-6)
    np.testing.assert_allclose(answer["probabilities"][:, 1], [1 / 4, 1 / 2, 7 / 8], rtol=1e-6)


def test_the_loss_takes_logits():
    task = outputs(["a", "b"], None)
    loss = task.loss(np.array([0, 1]), np.array([[0.0, 0.0], [0.0, np.log(3.0)]]))
    np.testing.assert_allclose(loss, (np.log(2) + np.log(4 / 3)) / 2, rtol=1e-6)


def test_the_metrics_by_hand():
    accuracy, f1 = outputs(["a", "b"], None).metrics()
    ids, logits = [0, 1, 1], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    for metric in (accuracy, f1):
        metric.update_state(ids, logits)
    assert (accuracy.name, f1.name) == ("accuracy", "f1_macro")
    np.testing.assert_allclose(accuracy.result(), 2 / 3)
    np.testing.assert_allclose(f1.result(), 2 / 3)  # both labels: 2 * 1 / (2 * 1 + 1)
    f1.reset_state()
    f1.update_state([0], [[1.0, 0.0]])
    np.testing.assert_allclose(f1.result(), 1.0)


def test_each_metric_and_the_loss_tell_good_from_bad():
    task = outputs(["a", "b"], None)
    assert task.modes == {"accuracy": "max", "f1_macro": "max", "loss": "min"}
    assert task.modes.keys() == {metric.name for metric in task.metrics()} | {"loss"}


@pytest.mark.parametrize("seed", range(8))
def test_f1_over_several_batches_is_that_of_scikit_learn_over_all_rows(seed):
    dice = np.random.default_rng(seed)
    labels, rows = 6, 90
    ids = dice.choice([0, 1, 2, 4], size=rows, p=[0.6, 0.3, 0.05, 0.05])  # 3 and 5 have no rows
    logits = (dice.normal(0, 1.5, (rows, labels)) + 2 * np.eye(labels)[ids]).astype("float32")
    logits[:, 3] = -100.0  # label 3 is not answered either, and counts nothing; 5 is answered now and then
    assert (logits.argmax(axis=1) == 5).any()
    pieces = [(ids[i : i + 16], logits[i : i + 16]) for i in range(0, rows, 16)]  # the last is shorter
    wanted = metrics.f1_score(ids, logits.argmax(axis=1), average="macro")
    assert macro_f1(pieces, labels) == pytest.approx(wanted, rel=1e-5)
    mean_of_batches = np.mean([macro_f1([piece], labels) for piece in pieces])
    assert abs(mean_of_batches - wanted) > 1e-3  # which is not the same


def test_f1_takes_ids_in_a_column_too():
    ids, logits = np.array([0, 1, 1]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], "float32")
    assert macro_f1([(ids[:, None], logits)], 2) == pytest.approx(2 / 3)


def test_f1_of_no_rows_is_no_nan():
    _, f1 = outputs(["a", "b"], None).metrics()
    f1.update_state([0], [[1.0, 0.0]])
    f1.reset_state()
    assert float(f1.result()) == 0


def test_f1_in_keras_is_that_of_all_validation_rows():
    task = outputs(["a", "b", "c"], None)
    dice = np.random.default_rng(1)
    rows = dice.normal(size=(30, 3)).astype("float32")
    ids = dice.integers(0, 3, 30)
    inputs = keras.Input([3])
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    model.compile(loss=task.loss, metrics=task.metrics(), jit_compile=False)
    found = model.evaluate(rows, ids, batch_size=7, return_dict=True, verbose=0)
    wanted = metrics.f1_score(ids, rows.argmax(axis=1), average="macro")
    assert found["f1_macro"] == pytest.approx(wanted, rel=1e-5)
    assert found["accuracy"] == pytest.approx(np.mean(ids == rows.argmax(axis=1)), rel=1e-5)


def test_labels_of_any_script_come_back_whole():
    task = outputs(["好评", "naïve 👍"], None)
    labels = task.answer(tf.constant([[1.0, 0.0], [0.0, 1.0]]))["label"].numpy()
    assert [label.decode() for label in labels] == ["好评", "naïve 👍"]


def test_the_call_classify_has_the_likeliest_first():
    task = outputs(["no", "yes", "10"], {"positive": 1, "margin": 9.0})  # which decides the label alone
    found = task.of_examples["classify"](tf.math.log([[0.2, 0.5, 0.3]]))
    assert found["classes"].numpy().tolist() == [[b"yes", b"10", b"no"]]
    np.testing.assert_allclose(found["scores"], [[0.5, 0.3, 0.2]], rtol=1e-6)
