"""Logit adjustment: cross entropy that accounts for how frequent each label is in training.

Source: Menon et al. 2021, "Long-tail learning via logit adjustment", section 4.2,
equation 10. https://arxiv.org/abs/2007.07314
"""

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from tfft.losses import RowLoss

OF = "label"


def build(counts: Sequence[int], /, *, tau: Annotated[float, Field(gt=0)] = 1.0) -> RowLoss:
    """Cross entropy of the logits plus tau times the log of each label's share of the training rows.

    A rare label must then win by more in training. The exported model answers with
    the plain logits, as the paper has it, which are those for equally frequent labels:
    its probabilities are no longer those of the training distribution.

    Args:
        tau: Strength; 1 is what minimises the balanced error.
    """
    import keras
    import tensorflow as tf

    total = sum(counts)
    shift = [tau * math.log(count / total) for count in counts]

    def loss(labels, logits):
        adjusted = logits + tf.constant(shift, tf.float32)
        return keras.losses.sparse_categorical_crossentropy(labels, adjusted, from_logits=True)

    return loss
