"""L2-SP: a pull towards the pretrained weights, against forgetting.

Source: Li et al. 2018, "Explicit Inductive Bias for Transfer Learning with
Convolutional Networks", section 3.2, equation 2. https://arxiv.org/abs/1802.01483
"""

from typing import Annotated

from pydantic import Field

from tfft.regularizers import Parts, Regularizer, penalty


def build(
    parts: Parts,
    /,
    *,
    alpha: Annotated[float, Field(gt=0)] = 0.01,
    beta: Annotated[float, Field(ge=0)] = 0.01,
) -> Regularizer:
    """Add `alpha / 2 * sum (w - w0)²` over the backbone and `beta / 2 * sum w²` over the head to the loss.

    w0 is the pretrained weight; a copy of all that trains is kept in memory. The
    optimizer's own decay pulls towards zero instead: set `optimizer.weight_decay` to 0.

    Args:
        alpha: Strength of the pull of the backbone towards where it started.
        beta: Strength of the pull of the head, which started nowhere, towards zero.

    Raises:
        SettingError: Nothing pretrained trains.
    """
    import tensorflow as tf

    start = parts.pretrained("l2_sp")

    def term():
        # l2_loss is half the sum of the squares.
        moved = [tf.nn.l2_loss(v.value - start[v.path]) for v in parts.backbone]
        fresh = [tf.nn.l2_loss(v.value) for v in parts.head]
        return alpha * tf.add_n(moved) + beta * tf.add_n(fresh)

    return penalty(term)
