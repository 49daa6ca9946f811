"""Mixout: in every step, swap a random part of the weights for the pretrained ones.

Source: Lee et al. 2020, "Mixout: Effective Regularization to Finetune Large-scale
Pretrained Language Models", section 3. https://arxiv.org/abs/1909.11299
"""

from typing import Annotated

from pydantic import Field

from tfft.regularizers import Batch, Gradients, Parts, Regularizer


def build(parts: Parts, /, *, probability: Annotated[float, Field(gt=0, lt=1)] = 0.7) -> Regularizer:
    """Replace each weight of the backbone's kernels and embeddings with some probability.

    What stays is scaled so that the mean over all swaps is the weight itself:
    (m w0 + (1 - m) w - p w0) / (1 - p), where m is 1 with probability p. Biases and
    norms are left alone. The swap lasts for one step; copies of all that trains are
    kept in memory.

    Args:
        probability: Share p of the weights that are swapped; the paper has 0.7 to 0.9.

    Raises:
        SettingError: Nothing pretrained trains.
    """
    import tensorflow as tf

    start = parts.pretrained("mixout")
    mixed = [v for v in parts.backbone if len(v.shape) > 1 and v.name != "bias"]

    def around(inner: Gradients) -> Gradients:
        def swapped(batch: Batch):
            places = {variable.path: i for i, variable in enumerate(parts.learned())}
            now = [v for v in mixed if v.path in places]
            before = [tf.identity(v.value) for v in now]
            keep = []  # 1 - m
            for number, variable in enumerate(now):
                seed = tf.stack([tf.cast(parts.step, tf.int32), (parts.seed * 100_003 + number) % 2**31])
                draw = tf.random.stateless_uniform(variable.shape, seed)
                keep.append(tf.cast(draw >= probability, variable.dtype))
                old = start[variable.path]
                variable.assign(old + keep[-1] * (variable.value - old) / (1 - probability))
            loss, logits, gradients = inner(batch)
            for variable, value in zip(now, before, strict=True):
                variable.assign(value)
            gradients = list(gradients)
            for variable, kept in zip(now, keep, strict=True):
                place = places[variable.path]
                gradients[place] = tf.convert_to_tensor(gradients[place]) * kept / (1 - probability)
            return loss, logits, gradients

        return swapped

    return Regularizer(gradients=around)
