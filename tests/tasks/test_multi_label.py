"""Tests of tfft/tasks/multi_label.py."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from sklearn import metrics

from tfft.errors import DataError, SettingError
from tfft.tasks import Facts, multi_label

TASK = multi_label.build()
FACTS = Facts(("joy", "fear", "é"))


def sets(*chunks):
    return pa.chunked_array([pa.array(rows, pa.list_(pa.string())) for rows in chunks])


def test_labels_are_collected_and_encoded_as_sets():
    column = sets([["b", "a"], [], ["b"], ["c", "b"]])
    facts = TASK.collect(column)
    assert facts.labels == ("a", "b", "c")
    assert facts.rates == (0.25, 0.75, 0.25)
    has = TASK.encode(column, facts, "data.train")
    assert has.tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert has.dtype == np.float32
    with pytest.raises(DataError, match=r"data\.test: 1 row has a label that no training row has: 'z'"):
        TASK.encode(sets([["a"], ["z"]]), facts, "data.test")


def test_the_head_starts_at_the_log_odds_of_each_label():
    outputs = TASK.outputs(Facts(("a", "b", "c"), rates=(0.25, 0.75, 1.0)), None)
    np.testing.assert_allclose(outputs.bias, [-np.log(3), np.log(3), np.log(999)], rtol=1e-6)


def test_sets_in_several_chunks():
    column = sets([["a"], ["b"]], [[], ["a", "b"]])
    assert TASK.encode(column.slice(1), Facts(("a", "b")), "x").tolist() == [[0, 1], [0, 0], [1, 1]]


def test_the_answer_is_sorted_and_filled_up():
    logits = tf.constant([[0.5, 2.0, -1.0], [-1.0, -2.0, -3.0], [0.0, 0.0, 0.0]])
    answer = {name: value.numpy() for name, value in TASK.outputs(FACTS, None).answer(logits).items()}
    names = [[one.decode() for one in row] for row in answer["labels"]]
    assert names == [["fear", "joy", ""], ["", "", ""], ["joy", "fear", "é"]]
    sigmoid = 1 / (1 + np.exp(-logits.numpy()))
    np.testing.assert_allclose(answer["probabilities"], sigmoid, rtol=1e-6)
    np.testing.assert_allclose(answer["scores"][0], [sigmoid[0, 1], sigmoid[0, 0], 0], rtol=1e-6)
    assert answer["scores"][1].tolist() == [0, 0, 0]


def test_a_threshold_for_each_label_decides_and_the_likeliest_stands_first():
    answer = TASK.outputs(FACTS, [1.0, -2.0, 5.0]).answer(tf.constant([[0.5, -1.0, 4.0], [1.5, 1.0, 6.0]]))
    names = [[one.decode() for one in row] for row in answer["labels"].numpy()]
    assert names == [["fear", "", ""], ["é", "joy", "fear"]]


def test_f1_in_training_is_that_of_all_rows():
    dice = np.random.default_rng(0)
    has, logits = (dice.random((60, 3)) < 0.4).astype("float32"), dice.normal(size=(60, 3)).astype("float32")
    (metric,) = TASK.outputs(FACTS, None).metrics()
    for start in range(0, 60, 16):
        metric.update_state(has[start : start + 16], logits[start : start + 16])
    wanted = metrics.f1_score(has, logits >= 0, average="micro")
    assert float(metric.result()) == pytest.approx(wanted, rel=1e-6)


def test_tuning_is_for_each_label():
    with pytest.raises(SettingError, match=r"threshold\.positive: must not be set with the task multi_label"):
        TASK.check(FACTS, None, "joy")
    TASK.check(FACTS, None, None)
    has = np.repeat([[1, 0, 0], [0, 1, 0]], 10, axis=0)
    logits = np.repeat([[-1.0, -3, -3], [-2.0, 3, -3]], 10, axis=0)
    margins, told = TASK.tune(logits, has, FACTS, None, "f1")
    assert margins == [-1.5, 0.0, 0.0]
    assert told == "Thresholds: 1 of 3 labels have one of their own, the rest one half"


def test_the_report_answers_as_the_export_does():
    dice = np.random.default_rng(1)
    has = (dice.random((30, 3)) < 0.5).astype("float32")
    logits = dice.normal(size=(30, 3)).astype("float32")
    margins = [0.3, -0.2, 0.0]
    texts = pa.table({"text": [f"row {n}" for n in range(30)]})
    report = TASK.report(logits, has, FACTS, margins, texts, "test")
    served = TASK.outputs(FACTS, margins).answer(tf.constant(logits))["labels"].numpy()
    answers = np.array([[name.encode() in row for name in FACTS.labels] for row in served])
    assert report.figures["f1_micro"] == pytest.approx(metrics.f1_score(has, answers, average="micro"))
    assert report.figures["subset_accuracy"] == np.mean((answers == has).all(axis=1))
    assert report.wrong.num_rows == np.sum((answers != has).any(axis=1))
    assert report.headline.startswith("test: micro F1 ")


def test_the_call_classify_has_all_labels_whatever_their_thresholds():
    names = TASK.outputs(FACTS, [9.0, 9.0, 9.0]).of_examples["classify"](tf.constant([[0.0, -2.0, 2.0]]))
    assert names["classes"].numpy().tolist() == [[FACTS.labels[place].encode() for place in (2, 0, 1)]]
    np.testing.assert_allclose(names["scores"], 1 / (1 + np.exp([[-2.0, 0.0, 2.0]])), rtol=1e-6)
