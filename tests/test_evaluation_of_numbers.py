"""Tests of tfft/evaluation_of_numbers.py."""

import json

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn import metrics

from tfft import evaluation_of_numbers as evaluation


def test_figures_by_hand():
    figures = evaluation.score(np.array([1.0, 2.0, 3.0, 6.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert figures["rmse"] == 1.0
    assert figures["mae"] == 0.5
    assert figures["rmse_of_the_mean"] == pytest.approx(np.sqrt(1.25))
    assert figures["r2"] == pytest.approx(1 - 4 / 5)
    assert figures["spearman"] == pytest.approx(1)
    # Deviations -2 -1 0 3 and -1.5 -0.5 0.5 1.5: 8 / sqrt(14 * 5)
    assert figures["pearson"] == pytest.approx(8 / np.sqrt(70))
    assert json.loads(json.dumps(figures)) == figures


def test_the_interval_is_fishers():
    dice = np.random.default_rng(0)
    true = dice.normal(size=50)
    given = true + dice.normal(size=50)
    figures = evaluation.score(given, true)
    z = np.arctanh(stats.pearsonr(given, true).statistic)
    low, high = np.tanh([z - 1.959964 / np.sqrt(47), z + 1.959964 / np.sqrt(47)])
    assert [figures["pearson_95_low"], figures["pearson_95_high"]] == pytest.approx([low, high], abs=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_constant_side_has_no_correlation():
    figures = evaluation.score(np.zeros(5), np.arange(5.0))
    assert figures["pearson"] is figures["spearman"] is figures["r2"] is figures["pearson_95_low"] is None
    report = evaluation.report(np.zeros(5), np.arange(5.0), pa.table({"text": list("abcde")}), "test")
    assert "no pearson (a side is constant)" in report.headline
    assert report.wrong["text"].to_pylist() == ["e", "d", "c", "b", "a"]


def test_ranks_against_scikit_learn():
    dice = np.random.default_rng(0)
    ids, given = dice.integers(0, 4, 60), dice.integers(0, 4, 60)
    figures = evaluation.score_ranks(given, ids, list("abcd"))
    assert figures["accuracy"] == metrics.accuracy_score(ids, given)
    assert figures["mae"] == pytest.approx(metrics.mean_absolute_error(ids, given))
    assert figures["kappa"] == pytest.approx(metrics.cohen_kappa_score(ids, given, weights="quadratic"))
    assert figures["f1_macro"] == pytest.approx(metrics.f1_score(ids, given, average="macro"))
    assert figures["confusion"] == metrics.confusion_matrix(ids, given).tolist()
    assert json.loads(json.dumps(figures)) == figures


@pytest.mark.filterwarnings("error")
def test_one_label_alone_has_no_kappa():
    zeros = np.zeros(3, int)
    report = evaluation.report_ranks(zeros, zeros, pa.table({"text": list("abc")}), ["x", "y"], "test")
    assert report.figures["kappa"] is None
    assert "no kappa" in report.headline
    assert report.wrong.num_rows == 0


def test_the_farthest_miss_stands_first():
    given, true, texts = np.array([1, 2, 0]), np.array([1, 0, 1]), pa.table({"text": list("abc")})
    report = evaluation.report_ranks(given, true, texts, ["x", "y", "z"], "test")
    assert report.wrong.to_pylist() == [
        {"row": 2, "label": "x", "predicted": "z", "text": "b"},
        {"row": 3, "label": "y", "predicted": "x", "text": "c"},
    ]
