"""Tests of each task's `judge`, by hand, and against the figure of the report that has its name."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tfft import plugins
from tfft.tasks import Facts

TEXTS = pa.table({"text": ["a", "b", "c", "d"]})
CASES = {
    "text_classification": (Facts(("no", "yes")), np.array([0, 1, 1, 0], np.int32), "accuracy"),
    "ordinal": (Facts(("1", "2", "3")), np.array([0, 2, 1, 1], np.int32), "accuracy"),
    "multi_label": (
        Facts(("x", "y"), rates=(0.5, 0.5)),
        np.array([[0, 1], [1, 1], [0, 0], [1, 0]], np.float32),
        "subset_accuracy",
    ),
    "regression": (Facts(mean=10.0, scale=4.0), np.array([0.5, -1, 2, 0], np.float32), "mae"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_answered_is_worth_what_was_reported(name):
    task, (facts, targets, figure) = plugins.load("tasks", name)(), CASES[name]
    outputs = task.outputs(facts, None)
    logits = np.random.default_rng(0).normal(0, 1, (4, outputs.size)).astype(np.float32)
    answered = {key: value.numpy().tolist() for key, value in outputs.answer(tf.constant(logits)).items()}
    texts = {key: answered[key] for key in answered if key in ("label", "labels")}
    answered |= {key: np.vectorize(bytes.decode)(value).tolist() for key, value in texts.items()}
    found, value = task.judge(answered, targets, facts)
    assert found == figure
    report = task.report(logits, targets, facts, None, TEXTS, "test")
    assert value == pytest.approx(report.figures[figure], rel=1e-6)


def test_by_hand():
    def judge(name, answers):
        facts, targets, _ = CASES[name]
        return plugins.load("tasks", name)().judge(answers, targets, facts)

    assert judge("text_classification", {"label": ["no", "yes", "no", "no"]}) == ("accuracy", 0.75)
    assert judge("ordinal", {"label": ["1", "1", "1", "1"]}) == ("accuracy", 0.25)
    labels = [["y", ""], ["y", "x"], ["", ""], ["x", "y"]]
    assert judge("multi_label", {"labels": labels}) == ("subset_accuracy", 0.75)
    assert judge("regression", {"score": [12.0, 6.0, 18.0, 14.0]}) == ("mae", 1.0)
    assert plugins.load("tasks", "token_classification")().judge is None
