"""Answers of any number of labels, compared with the truth: thresholds, figures, tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table
from rich.text import Text
from scipy import special
from sklearn import metrics

from tfft import intervals
from tfft.tasks import Report

_FEWEST = 5  # rows of a label from which a threshold can be tuned


def tune(logits: np.ndarray, has: np.ndarray) -> list[float]:
    """Return for each label the lowest logit that answers it, by its best F1; 0 is one half.

    A threshold lies half-way between two logits that occur. A label with fewer than five rows keeps
    one half, for what is best on so few is chance.

    Args:
        logits: float `[rows, labels]`.
        has: Which labels each row has, 0 or 1, `[rows, labels]`.
    """
    margins = []
    for index in range(has.shape[1]):
        truth, values = has[:, index] > 0, logits[:, index].astype(np.float64)
        if truth.sum() < _FEWEST:
            margins.append(0.0)
            continue
        order = np.argsort(-values, kind="stable")
        hits, answers = np.cumsum(truth[order]), np.arange(1, len(order) + 1)
        f1 = 2 * hits / (answers + truth.sum())
        falling = values[order]
        is_edge = np.append(falling[:-1] > falling[1:], False)  # only there a threshold can cut
        at_half = metrics.f1_score(truth, values >= 0, zero_division=0.0)
        best = int(np.argmax(np.where(is_edge, f1, -1.0)))
        is_better = is_edge[best] and f1[best] > at_half
        margins.append(float((falling[best] + falling[best + 1]) / 2) if is_better else 0.0)
    return margins


def score(
    logits: np.ndarray, has: np.ndarray, labels: Sequence[str], margins: Sequence[float]
) -> dict[str, Any]:
    """Return the figures of the answers.

    Args:
        logits: float `[rows, labels]`.
        has: Which labels each row has, 0 or 1, `[rows, labels]`.
        labels: Names in the order of their ids.
        margins: The lowest logit that answers each label.

    Returns:
        Figures by scikit-learn, ready for JSON. The interval of the micro F1 is the bootstrap's over rows.
        The average precision is the mean over the labels that occur.
    """
    logits = logits.astype(np.float64)
    truth, answers = has > 0, logits.astype(np.float32) >= np.asarray(margins, np.float32)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, answers, zero_division=0.0
    )
    low, high = intervals.micro_f1((truth & answers).sum(axis=1), truth.sum(axis=1), answers.sum(axis=1))
    occurs = support > 0
    return {
        "rows": len(truth),
        "loss": float(np.mean(np.logaddexp(0, logits) - logits * truth)),
        "f1_micro": float(metrics.f1_score(truth, answers, average="micro", zero_division=0.0)),
        "f1_micro_95_low": low,
        "f1_micro_95_high": high,
        "f1_macro": float(f1.mean()),
        "f1_weighted": float(np.average(f1, weights=support)) if occurs.any() else 0.0,
        "subset_accuracy": float((truth == answers).all(axis=1).mean()),
        "hamming_loss": float((truth != answers).mean()),
        "average_precision": (
            float(metrics.average_precision_score(truth[:, occurs], logits[:, occurs], average="macro"))
            if occurs.any()
            else None
        ),
        "rows_without_answer": int((~answers.any(axis=1)).sum()),
        "classes": [
            {
                "label": name,
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "rows": int(support[index]),
                "threshold": float(special.expit(margins[index])),
            }
            for index, name in enumerate(labels)
        ],
    }


def report(
    logits: np.ndarray,
    has: np.ndarray,
    texts: pa.Table,
    labels: Sequence[str],
    margins: Sequence[float] | None,
    title: str,
) -> Report:
    """Compare the answers with the truth; None for `margins` answers from one half on.

    Returns:
        Its rows with a wrong answer have `row`, `labels`, `predicted`, `loss` and the texts, the highest
        loss first.
    """
    cuts = [0.0] * len(labels) if margins is None else margins
    figures = score(logits, has, labels, cuts)
    headline = (
        f"{title}: micro F1 {figures['f1_micro']:.4f} (95 % interval {figures['f1_micro_95_low']:.4f}"
        f"-{figures['f1_micro_95_high']:.4f}), macro F1 {figures['f1_macro']:.4f}, all labels right "
        f"{figures['subset_accuracy']:.4f}, loss {figures['loss']:.4f}, {figures['rows']} rows"
    )
    table = Table(title="Per label", title_justify="left")
    for heading in ("label", "precision", "recall", "F1", "rows", "threshold"):
        table.add_column(heading, justify="left" if heading == "label" else "right")
    for row in figures["classes"]:
        shown = [f"{row[key]:.3f}" for key in ("precision", "recall", "f1")]
        table.add_row(Text(row["label"]), *shown, str(row["rows"]), f"{row['threshold']:.3f}")
    return Report(figures, headline, [table], _wrong(logits.astype(np.float64), has > 0, texts, labels, cuts))


def _wrong(logits, truth, texts, labels, cuts) -> pa.Table:
    answers = logits.astype(np.float32) >= np.asarray(cuts, np.float32)
    losses = np.mean(np.logaddexp(0, logits) - logits * truth, axis=1)
    rows = np.flatnonzero((truth != answers).any(axis=1))
    rows = rows[np.argsort(-losses[rows], kind="stable")]

    def named(has: np.ndarray) -> list[str]:
        return [
            "; ".join(name for name, is_there in zip(labels, row, strict=True) if is_there) for row in has
        ]

    wrong = {
        "row": rows + 1,
        "labels": pa.array(named(truth[rows]), pa.string()),
        "predicted": pa.array(named(answers[rows]), pa.string()),
        "loss": losses[rows],
    }
    return pa.table(wrong | dict(zip(texts.column_names, texts.take(pa.array(rows)).columns, strict=True)))
