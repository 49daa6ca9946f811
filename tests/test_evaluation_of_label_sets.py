"""Tests of tfft/evaluation_of_label_sets.py."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from tfft import evaluation_of_label_sets as evaluation


def rows(seed, count=80):
    """Return logits and the truth of four labels, the last of which never occurs."""
    dice = np.random.default_rng(seed)
    has = (dice.random((count, 4)) < [0.5, 0.2, 0.1, 0.0]).astype("float32")
    return (dice.normal(size=(count, 4)) + 2 * has - 1).astype("float32"), has


@pytest.mark.filterwarnings("error")
def test_figures_are_those_of_scikit_learn():
    logits, has = rows(0)
    figures = evaluation.score(logits, has, list("abcd"), [0.0] * 4)
    answers = logits >= 0
    for average in ("micro", "macro", "weighted"):
        wanted = metrics.f1_score(has, answers, average=average, zero_division=0.0)
        assert figures[f"f1_{average}"] == pytest.approx(wanted)
    assert figures["subset_accuracy"] == pytest.approx(metrics.accuracy_score(has, answers))
    assert figures["hamming_loss"] == pytest.approx(metrics.hamming_loss(has, answers))
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    each = [metrics.log_loss(has[:, i], probability[:, i], labels=[0, 1]) for i in range(4)]
    assert figures["loss"] == pytest.approx(np.mean(each))
    average = [metrics.average_precision_score(has[:, i], logits[:, i]) for i in range(3)]
    assert figures["average_precision"] == pytest.approx(np.mean(average))
    assert figures["f1_micro_95_low"] < figures["f1_micro"] < figures["f1_micro_95_high"]
    assert [row["rows"] for row in figures["classes"]] == has.sum(axis=0).astype(int).tolist()
    assert json.loads(json.dumps(figures)) == figures


def test_no_row_has_a_label():
    figures = evaluation.score(np.full((3, 2), -1.0), np.zeros((3, 2)), ["a", "b"], [0.0, 0.0])
    assert (figures["average_precision"], figures["f1_micro"], figures["rows_without_answer"]) == (None, 0, 3)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_no_other_threshold_is_better(seed):
    logits, has = rows(seed)
    margins = evaluation.tune(logits, has)
    assert margins[3] == 0.0, "a label that never occurs keeps one half"
    for index in range(3):
        truth, values = has[:, index], logits[:, index].astype(np.float64)
        if truth.sum() < 5:
            assert margins[index] == 0.0
            continue
        edges = np.unique(values)
        cuts = [0.0, *((edges[1:] + edges[:-1]) / 2)]
        best = max(metrics.f1_score(truth, values >= cut, zero_division=0.0) for cut in cuts)
        assert metrics.f1_score(truth, values >= margins[index]) == pytest.approx(best)
        assert margins[index] not in edges, "half-way between two"


def test_the_worst_rows_stand_first():
    logits = np.array([[1.0, -1.0], [-4.0, 4.0], [2.0, -1.0], [-1.0, -3.0]])
    has = np.array([[1, 0], [1, 0], [0, 0], [0, 1]])
    texts = pa.table({"text": ["r0", "r1", "r2", "r3"]})
    report = evaluation.report(logits, has, texts, ["a", "b"], None, "test")
    assert report.wrong["text"].to_pylist() == ["r1", "r3", "r2"]
    assert report.wrong["labels"].to_pylist() == ["a", "b", ""]
    assert report.wrong["predicted"].to_pylist() == ["b", "", "a"]
    assert report.wrong["row"].to_pylist() == [2, 4, 3]
