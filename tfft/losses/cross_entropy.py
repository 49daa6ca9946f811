"""Cross entropy: the negative log probability of the true label, smoothed if asked.

Source of the smoothing: Szegedy et al. 2016, "Rethinking the Inception Architecture
for Computer Vision", section 7. https://arxiv.org/abs/1512.00567
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from tfft.losses import RowLoss

OF = "label"


def build(counts: Sequence[int], /, *, label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0) -> RowLoss:
    """Softmax cross entropy.

    Args:
        label_smoothing: Share of the target that is spread evenly over all labels, so
            that the model is not driven to certainty; 0.1 is usual.
    """
    import keras
    import tensorflow as tf

    def loss(labels, logits):
        if not label_smoothing:
            return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        return keras.losses.categorical_crossentropy(
            tf.one_hot(labels, len(counts)), logits, from_logits=True, label_smoothing=label_smoothing
        )

    return loss
