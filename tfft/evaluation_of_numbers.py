"""Answers that are numbers, or labels in an order, compared with the truth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table
from rich.text import Text
from scipy import stats
from sklearn import metrics

from tfft import intervals
from tfft.tasks import Report

_WORST = 200  # rows


def score(predicted: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    """Return the figures of numbers, both float `[rows]`.

    Returns:
        Ready for JSON: the root of the mean squared error with its bootstrap interval, beside that of
        answering the mean of the true numbers; the mean absolute error; the share of the variance that is
        explained; Pearson's and Spearman's correlation, None where one side is constant, with the 95 %
        interval of Pearson's (Fisher 1921, by z).
    """
    predicted, true = predicted.astype(np.float64), true.astype(np.float64)
    varies = len(true) > 3 and np.ptp(true) > 0 and np.ptp(predicted) > 0
    pearson = stats.pearsonr(predicted, true) if varies else None
    interval = None if pearson is None else pearson.confidence_interval()
    low, high = intervals.root_mean((predicted - true) ** 2)
    return {
        "rows": len(true),
        "rmse": float(metrics.root_mean_squared_error(true, predicted)),
        "rmse_95_low": low,
        "rmse_95_high": high,
        "rmse_of_the_mean": float(true.std()),
        "mae": float(metrics.mean_absolute_error(true, predicted)),
        "r2": float(metrics.r2_score(true, predicted)) if varies else None,
        "pearson": None if pearson is None else float(pearson.statistic),
        "pearson_95_low": None if interval is None else float(interval.low),
        "pearson_95_high": None if interval is None else float(interval.high),
        "spearman": float(stats.spearmanr(predicted, true).statistic) if varies else None,
    }


def report(predicted: np.ndarray, true: np.ndarray, texts: pa.Table, title: str) -> Report:
    """Compare numbers with the truth, in the units of the data.

    Returns:
        Its worst rows, 200 at most, have `row`, `true`, `predicted` and the texts, the farthest first.
    """
    figures = score(predicted, true)
    correlations = ", ".join(
        f"{name} {figures[name]:.4f}" if figures[name] is not None else f"no {name} (a side is constant)"
        for name in ("pearson", "spearman")
    )
    headline = (
        f"{title}: RMSE {figures['rmse']:.4f} (95 % interval {figures['rmse_95_low']:.4f}"
        f"-{figures['rmse_95_high']:.4f}; of answering the mean: {figures['rmse_of_the_mean']:.4f}), "
        f"MAE {figures['mae']:.4f}, {correlations}, {figures['rows']} rows"
    )
    rows = np.argsort(-np.abs(predicted - true), kind="stable")[:_WORST]
    wrong = {"row": rows + 1, "true": true[rows], "predicted": predicted[rows]}
    return Report(figures, headline, [], _beside(wrong, texts, rows))


def score_ranks(predicted: np.ndarray, ids: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Return the figures of labels in an order.

    Args:
        predicted: Ids that are answered, `[rows]`.
        ids: True ids, `[rows]`.
        labels: Names in their order.

    Returns:
        Ready for JSON: accuracy with its 95 % interval (Wilson 1927), mean distance in places, quadratic
        weighted kappa (Cohen 1968), None where all is one label, macro F1, and the confusion matrix.
    """
    right = int((predicted == ids).sum())
    low, high = intervals.share(right, len(ids))
    every = np.arange(len(labels))
    is_one = len(np.union1d(ids, predicted)) == 1
    kappa = None if is_one else metrics.cohen_kappa_score(ids, predicted, labels=every, weights="quadratic")
    return {
        "rows": len(ids),
        "accuracy": right / len(ids),
        "accuracy_95_low": low,
        "accuracy_95_high": high,
        "mae": float(np.abs(predicted - ids).mean()),
        "kappa": None if kappa is None else float(kappa),
        "f1_macro": float(metrics.f1_score(ids, predicted, average="macro", zero_division=0.0)),
        # confusion[i][j]: rows of label i that were called j
        "confusion": metrics.confusion_matrix(ids, predicted, labels=every).tolist(),
    }


def report_ranks(
    predicted: np.ndarray, ids: np.ndarray, texts: pa.Table, labels: Sequence[str], title: str
) -> Report:
    """Compare labels in an order with the truth; see `score_ranks`.

    Returns:
        Its rows with a wrong answer have `row`, `label`, `predicted` and the texts, the farthest first.
    """
    figures = score_ranks(predicted, ids, labels)
    kappa = "no kappa" if figures["kappa"] is None else f"kappa {figures['kappa']:.4f}"
    headline = (
        f"{title}: accuracy {figures['accuracy']:.4f} (95 % interval {figures['accuracy_95_low']:.4f}"
        f"-{figures['accuracy_95_high']:.4f}), {figures['mae']:.4f} places off, {kappa}, macro F1 "
        f"{figures['f1_macro']:.4f}, {figures['rows']} rows"
    )
    confusions = Table(title="Confusion: true label down, answer across", title_justify="left")
    confusions.add_column("")
    for name in labels:
        confusions.add_column(Text(name), justify="right")
    for name, counts in zip(labels, figures["confusion"], strict=True):
        confusions.add_row(Text(name), *map(str, counts))
    rows = np.flatnonzero(predicted != ids)
    rows = rows[np.argsort(-np.abs(predicted - ids)[rows], kind="stable")]
    names = np.array(labels, dtype=object)
    wrong = {
        "row": rows + 1,
        "label": pa.array(names[ids[rows]], pa.string()),
        "predicted": pa.array(names[predicted[rows]], pa.string()),
    }
    return Report(figures, headline, [confusions], _beside(wrong, texts, rows))


def _beside(columns: dict[str, Any], texts: pa.Table, rows: np.ndarray) -> pa.Table:
    taken = texts.take(pa.array(rows)).columns
    return pa.table(columns | dict(zip(texts.column_names, taken, strict=True)))
