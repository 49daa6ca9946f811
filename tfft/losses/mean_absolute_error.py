"""Absolute error: its best answer is the median of what the target may be, however far off some are."""

from collections.abc import Sequence

from tfft.losses import RowLoss

OF = "number"


def build(counts: Sequence[float], /) -> RowLoss:
    """Size of the difference, in units of the scaled target."""
    import keras

    def loss(targets, logits):
        return keras.losses.mean_absolute_error(targets[:, None], logits)  # over the one logit of a row

    return loss
