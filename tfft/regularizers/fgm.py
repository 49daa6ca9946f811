"""FGM: train also on the token vectors that are moved to where the loss rises fastest.

Source: Miyato et al. 2017, "Adversarial Training Methods for Semi-Supervised Text
Classification", section 3. https://arxiv.org/abs/1605.07725
"""

from typing import Annotated

from pydantic import Field

from tfft.errors import SettingError
from tfft.regularizers import Batch, Gradients, Parts, Regularizer


def build(parts: Parts, /, *, epsilon: Annotated[float, Field(gt=0)] = 1.0) -> Regularizer:
    """Add the gradient at the perturbed token vectors; a step costs twice as much.

    The perturbation is epsilon times the gradient of the table of token vectors over
    its norm: one for all rows of a batch (of a micro-batch, where it is taken in pieces),
    where the paper has one for each row.
    In stages of `unfreezing` in which the table is frozen, nothing is added.

    Args:
        epsilon: Length of the perturbation.

    Raises:
        SettingError: The token embeddings never train.
    """
    import tensorflow as tf

    table = parts.token_embedding
    if not any(variable is table for variable in parts.backbone):
        raise SettingError(
            "regularizers",
            "fgm",
            "must not be set where the token embeddings are frozen, for it needs their gradient",
            fix="Train the embeddings, or take another regularizer.",
        )

    def around(inner: Gradients) -> Gradients:
        def adversarial(batch: Batch):
            loss, logits, gradients = inner(batch)
            places = [i for i, variable in enumerate(parts.learned()) if variable is table]
            if not places:
                return loss, logits, gradients
            gradient = tf.convert_to_tensor(gradients[places[0]])
            before = tf.identity(table.value)
            table.assign_add(epsilon * gradient / (tf.norm(gradient) + 1e-12))
            _, _, more = inner(batch)
            table.assign(before)  # not subtracted, which would round
            return loss, logits, [_add(a, b) for a, b in zip(gradients, more, strict=True)]

        return adversarial

    def _add(a, b):
        return tf.convert_to_tensor(a) + tf.convert_to_tensor(b)

    return Regularizer(gradients=around)
