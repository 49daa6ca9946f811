"""Tests of tfft/tasks/ordinal.py."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tfft.errors import SettingError
from tfft.tasks import Facts, ordinal

FACTS = Facts(("low", "mid", "high"))
LOGITS = np.log([[1 / 3, 1 / 9], [3, 1 / 3], [3, 3], [1 / 3, 3]]).astype("float32")


def column(*texts):
    return pa.chunked_array([list(texts)], pa.string())


def test_the_answer_by_hand():
    # Above the first and the second step: 1/4 1/10; 3/4 1/4; 3/4 3/4; 1/4 3/4, which contradicts itself.
    answer = ordinal.build().outputs(FACTS, None).answer(tf.constant(LOGITS))
    assert answer["label"].numpy().tolist() == [b"low", b"mid", b"high", b"low"]
    np.testing.assert_allclose(
        answer["probabilities"],
        [[0.75, 0.15, 0.1], [0.25, 0.5, 0.25], [0.25, 0, 0.75], [0.75, 0, 0.25]],
        atol=1e-6,
    )
    np.testing.assert_allclose(answer["score"], [0.75, 0.5, 0.75, 0.75], rtol=1e-6)
    np.testing.assert_allclose(answer["rank"], [0.35, 1.0, 1.5, 0.5], rtol=1e-6)


def test_the_metrics_and_the_loss_by_hand():
    outputs = ordinal.build().outputs(FACTS, None)
    accuracy, mae = outputs.metrics()
    ids = np.array([2, 1, 2, 1])
    for metric in (accuracy, mae):
        metric.update_state(ids[:, None], LOGITS)
    assert (accuracy.name, mae.name) == ("accuracy", "mae")
    assert float(accuracy.result()) == 0.5
    assert float(mae.result()) == pytest.approx((2 + 0 + 0 + 1) / 4)
    np.testing.assert_allclose(outputs.loss(ids[:1], LOGITS[:1]), [np.log(4) + np.log(10)], rtol=1e-6)


def test_numbers_have_their_order_and_words_need_one():
    assert ordinal.build().collect(column("10", "2", "1")).labels == ("1", "2", "10")
    with pytest.raises(
        SettingError, match=r"task\.order: must be set, for these labels are no numbers: a, b"
    ):
        ordinal.build().collect(column("b", "a"))
    given = ordinal.build(order=["low", "mid", "high"])
    assert given.collect(column("high", "low", "mid")).labels == ("low", "mid", "high")
    with pytest.raises(SettingError, match=r"task\.order: must list each label of the training rows once"):
        given.collect(column("high", "low"))


def test_the_report_answers_as_the_export_does():
    dice = np.random.default_rng(0)
    logits, ids = dice.normal(size=(40, 2)).astype("float32"), dice.integers(0, 3, 40)
    task = ordinal.build()
    report = task.report(logits, ids, FACTS, None, pa.table({"text": ["x"] * 40}), "test")
    served = task.outputs(FACTS, None).answer(tf.constant(logits))["label"].numpy()
    right = [FACTS.labels[i].encode() == label for i, label in zip(ids, served, strict=True)]
    assert report.figures["accuracy"] == np.mean(right)
    assert report.wrong.num_rows == 40 - sum(right)


def test_the_call_classify_has_the_likeliest_first():
    found = ordinal.build().outputs(FACTS, None).of_examples["classify"](tf.constant(LOGITS[:3]))
    assert found["classes"].numpy().tolist() == [
        [b"low", b"mid", b"high"],
        [b"mid", b"low", b"high"],  # equally likely ones in the order of the labels
        [b"high", b"low", b"mid"],
    ]
    np.testing.assert_allclose(
        found["scores"], [[0.75, 0.15, 0.1], [0.5, 0.25, 0.25], [0.75, 0.25, 0]], atol=1e-6
    )
