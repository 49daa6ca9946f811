"""The probability from which on the positive one of two labels is answered, tuned on validation rows.

One half is the right threshold only where both mistakes cost the same and the share of
positives is that of the training rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special
from sklearn import metrics

from tfft.errors import SettingError


@dataclass(frozen=True)
class Threshold:
    """When the positive label is answered.

    Attributes:
        positive: Id of the positive label.
        probability: The lowest probability that counts as positive.
    """

    positive: int
    probability: float

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return label ids `[rows]` for probabilities `[rows, 2]`."""
        is_positive = probabilities[:, self.positive] >= self.probability
        return np.where(is_positive, self.positive, 1 - self.positive)


def check(positive: str, labels: Sequence[str], ids: np.ndarray) -> None:
    """Refuse what cannot be tuned, before a model is trained for it.

    Args:
        positive: The positive label.
        labels: Names in the order of their ids.
        ids: True label ids of the rows to tune on.

    Raises:
        SettingError: There are not two labels, `positive` is neither, or all rows have one.
    """
    if len(labels) != 2:
        raise SettingError(
            "threshold",
            f"{len(labels)} labels",
            "must not be set unless there are two labels",
            fix="Remove the section.",
        )
    if positive not in labels:
        raise SettingError(
            "threshold.positive", positive, "must be one of the labels", fix=f"They are {', '.join(labels)}."
        )
    if len(np.unique(ids)) != 2:
        raise SettingError(
            "threshold",
            f"{len(ids)} validation rows of one label",
            "needs validation rows of both labels",
            fix="Give more validation rows, or remove the section.",
        )


def tune(logits: np.ndarray, ids: np.ndarray, *, positive: int, metric: str) -> tuple[Threshold, float]:
    """Return the threshold that is best on the given rows, and what it reaches there.

    Half-way between two neighbouring probabilities that occur; of equals the one nearest
    to one half.

    Args:
        logits: float `[rows, 2]`.
        ids: True label ids, `[rows]`; both labels must occur.
        positive: Id of the positive label.
        metric: `f1` of the positive label, `accuracy`, or `balanced_accuracy`, the mean
            of the shares of both labels' rows that are answered right.
    """
    is_positive = ids == positive
    probabilities = special.softmax(logits.astype(np.float64), axis=1)[:, positive]
    false_rate, true_rate, candidates = metrics.roc_curve(is_positive, probabilities, drop_intermediate=False)
    positives, negatives = is_positive.sum(), (~is_positive).sum()
    found, wrong = true_rate * positives, false_rate * negatives
    reached = {
        "f1": 2 * found / (positives + found + wrong),
        "accuracy": (found + negatives - wrong) / len(ids),
        "balanced_accuracy": (true_rate + 1 - false_rate) / 2,
    }[metric]
    # Half-way to the next lower one, so that the last digit of a probability, which differs between
    # float64 here and float32 in the export, decides nothing. The first calls nothing positive.
    candidates = np.concatenate(([1.0 + 1e-6], (candidates[1:] + np.append(candidates[2:], 0.0)) / 2))
    best = np.flatnonzero(reached >= reached.max() - 1e-12)
    chosen = best[np.abs(candidates[best] - 0.5).argmin()]
    return Threshold(positive, float(candidates[chosen])), float(reached[chosen])
