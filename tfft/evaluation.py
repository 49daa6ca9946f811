"""Logits and true labels to a report: figures for machines, tables for people."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table
from rich.text import Text
from scipy import special
from sklearn import metrics

from tfft import intervals
from tfft.tasks import Report

_BINS = 15  # of probabilities, for the calibration error
_WIDEST = 12  # labels; a wider confusion matrix is told as its largest cells


def _likeliest(logits: np.ndarray) -> np.ndarray:
    return logits.argmax(axis=1)


def report(
    logits: np.ndarray,
    ids: np.ndarray,
    texts: pa.Table,
    labels: Sequence[str],
    title: str,
    decide: Callable[[np.ndarray], np.ndarray] = _likeliest,
) -> Report:
    """Compare a classifier's answers with the truth.

    Args:
        logits: float `[rows, labels]`.
        ids: True label ids, `[rows]`.
        texts: The rows' columns of text.
        labels: Names in the order of their ids.
        title: Of the rows.
        decide: Logits `[rows, labels]` to the ids that are answered, `[rows]`.

    Returns:
        Its rows with a wrong answer have `row`, `label`, `predicted`, `score` and the texts, the
        surest first.
    """
    figures = score(logits, ids, labels, decide)
    wrong = _wrong(logits, decide(logits), ids, texts, labels)
    return Report(figures, headline(figures, title), tables(figures, labels), wrong)


def score(
    logits: np.ndarray,
    ids: np.ndarray,
    labels: Sequence[str],
    decide: Callable[[np.ndarray], np.ndarray] = _likeliest,
) -> dict[str, Any]:
    """Return the figures: rows, loss, accuracy with its 95 % interval, F1, a table per class, confusions.

    Args:
        logits: float `[rows, labels]`.
        ids: True label ids, `[rows]`.
        labels: Names in the order of their ids.
        decide: Logits `[rows, labels]` to the ids that are answered, `[rows]`.

    Returns:
        Figures by scikit-learn; a class without a row counts as F1 0 in the macro mean
        only if it was predicted. The interval is Wilson's (Wilson 1927,
        https://doi.org/10.2307/2276774). `calibration_error` is the expected one (Guo et al. 2017, "On
        Calibration of Modern Neural Networks", equation 3): how far the likeliest label's probability is
        from the share of rows in which it is right, in the mean over rows, in 15 bins of equal width.
    """
    log_probabilities = special.log_softmax(logits.astype(np.float64), axis=1)
    predicted = decide(logits)
    right = int((predicted == ids).sum())
    low, high = intervals.share(right, len(ids))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        ids, predicted, labels=np.arange(len(labels)), zero_division=0.0
    )
    seen = np.union1d(ids, predicted)
    return {
        "rows": len(ids),
        "loss": float(-log_probabilities[np.arange(len(ids)), ids].mean()),
        "accuracy": right / len(ids),
        "accuracy_95_low": low,
        "accuracy_95_high": high,
        "f1_macro": float(f1[seen].mean()),
        "f1_weighted": float(np.average(f1, weights=support)),
        "calibration_error": _calibration_error(log_probabilities, ids),
        "classes": [
            {
                "label": name,
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "rows": int(support[index]),
            }
            for index, name in enumerate(labels)
        ],
        # confusion[i][j]: rows of label i that were called j
        "confusion": metrics.confusion_matrix(ids, predicted, labels=np.arange(len(labels))).tolist(),
    }


def _calibration_error(log_probabilities: np.ndarray, ids: np.ndarray) -> float:
    surest = np.exp(log_probabilities.max(axis=1))
    is_right = log_probabilities.argmax(axis=1) == ids
    bins = np.minimum((surest * _BINS).astype(int), _BINS - 1)
    return float(np.abs(np.bincount(bins, surest - is_right)).sum() / len(ids))


def headline(figures: dict, title: str) -> str:
    """Return the figures of a report in one line."""
    return (
        f"{title}: accuracy {figures['accuracy']:.4f} (95 % interval {figures['accuracy_95_low']:.4f}"
        f"-{figures['accuracy_95_high']:.4f}), macro F1 {figures['f1_macro']:.4f}, weighted F1 "
        f"{figures['f1_weighted']:.4f}, loss {figures['loss']:.4f}, {figures['rows']} rows"
    )


def tables(figures: dict, labels: Sequence[str]) -> tuple[Table, Table]:
    """Return a table of the labels, and one of the confusions: all of them, or the largest."""
    classes = Table(title="Per label", title_justify="left")
    for heading in ("label", "precision", "recall", "F1", "rows"):
        classes.add_column(heading, justify="left" if heading == "label" else "right")
    for row in figures["classes"]:
        classes.add_row(
            Text(row["label"]),
            *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")),
            str(row["rows"]),
        )
    matrix = np.array(figures["confusion"])
    if len(labels) <= _WIDEST:
        confusions = Table(title="Confusion: true label down, answer across", title_justify="left")
        confusions.add_column("")
        for index in range(len(labels)):
            confusions.add_column(str(index), justify="right")
        for index, name in enumerate(labels):
            confusions.add_row(Text(f"{index} {name}"), *map(str, matrix[index]))
    else:
        confusions = Table(title="Largest confusions", title_justify="left")
        for heading in ("label", "answer", "rows"):
            confusions.add_column(heading)
        np.fill_diagonal(matrix, 0)
        for flat in np.argsort(-matrix, axis=None, kind="stable")[:_WIDEST]:
            true, answer = divmod(int(flat), len(labels))
            if matrix[true, answer]:
                confusions.add_row(Text(labels[true]), Text(labels[answer]), str(matrix[true, answer]))
    return classes, confusions


def _wrong(logits, predicted, ids, texts, labels) -> pa.Table:
    probabilities = special.softmax(logits.astype(np.float64), axis=1)
    rows = np.flatnonzero(predicted != ids)
    rows = rows[np.argsort(-probabilities[rows, predicted[rows]], kind="stable")]
    names = np.array(labels, dtype=object)
    wrong = {
        "row": rows + 1,
        "label": pa.array(names[ids[rows]], pa.string()),
        "predicted": pa.array(names[predicted[rows]], pa.string()),
        "score": probabilities[rows, predicted[rows]],
    }
    return pa.table(wrong | dict(zip(texts.column_names, texts.take(pa.array(rows)).columns, strict=True)))
