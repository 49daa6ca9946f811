"""From where on the positive one of two labels is answered, tuned on validation rows.

One half is the right threshold only where both mistakes cost the same and the share of
positives is that of the training rows. It is kept as a margin, the difference of the
two logits, for a sure model's probabilities are all one in float32.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn import metrics

from tfft.errors import SettingError


@dataclass(frozen=True)
class Threshold:
    """When the positive label is answered.

    Attributes:
        positive: Id of the positive label.
        margin: The lowest difference of its logit and the other's that counts as positive.
    """

    positive: int
    margin: float

    @property
    def probability(self) -> float:
        """The margin as a probability of the positive label."""
        return 1.0 / (1.0 + math.exp(-self.margin))

    def decide(self, logits: np.ndarray) -> np.ndarray:
        """Return label ids `[rows]` for logits `[rows, 2]`."""
        is_positive = _margins(logits, self.positive) >= np.float32(self.margin)
        return np.where(is_positive, self.positive, 1 - self.positive)


def check(positive: str | None, labels: Sequence[str], ids: np.ndarray) -> None:
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

    Half-way between two neighbouring margins that occur; of equals the one nearest to
    zero, which is the likelier label.

    Args:
        logits: float32 `[rows, 2]`.
        ids: True label ids, `[rows]`; both labels must occur.
        positive: Id of the positive label.
        metric: `f1` of the positive label, `accuracy`, or `balanced_accuracy`, the mean
            of the shares of both labels' rows that are answered right.
    """
    is_positive = ids == positive
    margins = _margins(logits, positive)
    false_rate, true_rate, found = metrics.roc_curve(is_positive, margins, drop_intermediate=False)
    positives, negatives = is_positive.sum(), (~is_positive).sum()
    right, wrong = true_rate * positives, false_rate * negatives
    reached = {
        "f1": 2 * right / (positives + right + wrong),
        "accuracy": (right + negatives - wrong) / len(ids),
        "balanced_accuracy": (true_rate + 1 - false_rate) / 2,
    }[metric]
    # Falling, the first being infinity, which calls nothing positive. Half-way, so that the last digit
    # of a margin, which may come out otherwise in another batch or process, decides nothing.
    found = found[1:].astype(np.float64)
    candidates = np.concatenate(([found[0] + 1], (found[:-1] + found[1:]) / 2, [found[-1] - 1]))
    best = np.flatnonzero(reached >= reached.max() - 1e-12)
    chosen = best[np.abs(candidates[best]).argmin()]
    return Threshold(positive, float(candidates[chosen])), float(reached[chosen])


def _margins(logits: np.ndarray, positive: int) -> np.ndarray:
    """Return the difference of the positive label's logit and the other's, as the export computes it."""
    logits = logits.astype(np.float32)
    return logits[:, positive] - logits[:, 1 - positive]
