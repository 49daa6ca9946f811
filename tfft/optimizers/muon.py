"""Muon: momentum with all its directions made about equally long; AdamW for what is no matrix.

Sources: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks".
https://kellerjordan.github.io/posts/muon/ Liu et al. 2025, "Muon is Scalable for LLM
Training", section 2.2, for the size of the steps. https://arxiv.org/abs/2502.16982

Keras makes Muon's step for variables of two dimensions alone. The attention kernels of
KerasHub have three ([width, heads, width of a head], or the reverse), and are trained by AdamW,
as are embeddings, biases and norms, and by the source's advice the layer that gives the logits.
What is left in BERT are the two kernels of each feed-forward part, the pooler, and hidden
layers of the head.
"""

import inspect
from typing import Annotated, Any

from pydantic import Field

from tfft.errors import SettingError
from tfft.optimizers import Beta, ClipNorm, Decay, Epsilon


def build(
    layerwise: Any,
    learning_rate: Any,
    /,
    *,
    momentum: Beta = 0.95,
    nesterov: bool = True,
    newton_schulz_steps: Annotated[int, Field(ge=1, le=20)] = 5,
    weight_decay: Decay = 0.01,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: Epsilon = 1e-6,
    clip_norm: ClipNorm = 1.0,
) -> Any:
    """Muon for feed-forward kernels, AdamW for all else, both at one learning rate.

    The steps of Muon have the size of AdamW's (0.2 in root mean square, Liu et al. 2025), so that
    rate and decay are chosen as for AdamW; the decay is that of `adamw` here. For
    pretraining, Liu et al. and PyTorch have 0.1.

    Args:
        momentum: Share of Muon's momentum that is kept each step.
        nesterov: Whether Muon's step looks ahead along the momentum.
        newton_schulz_steps: Iterations that make the directions about equally long.
        weight_decay: Decay per step as a share of the learning rate, for kernels and
            embeddings, not for biases and norms. 0 switches it off.
        beta_1: Of AdamW: share of the running mean of the gradient that is kept each step.
        beta_2: Of AdamW: share of the running mean of its square that is kept each step.
        epsilon: Of AdamW: added to the denominator, so that tiny gradients stay tiny steps.
        clip_norm: Gradients are scaled down together when their common norm over all
            variables is above this; in Muon's step it weighs the steps in the momentum.
            null switches it off.

    Raises:
        SettingError: This Keras cannot match Muon's steps to AdamW's.
    """
    import keras

    # Up to Keras 3.12, AdamW had a tenth of the rate and looked up its slots by a path that the
    # TensorFlow backend does not hand to it.
    if "rms_rate" not in inspect.signature(keras.optimizers.Muon).parameters:
        raise SettingError(
            "optimizer.name",
            "muon",
            f"needs Keras 3.13 or newer, and this is {keras.__version__}",
            fix="Upgrade Keras, or take adamw.",
        )
    return layerwise(keras.optimizers.Muon)(
        learning_rate,
        momentum=momentum,
        nesterov=nesterov,
        ns_steps=newton_schulz_steps,
        # Jordan et al.: the coefficients of the iteration.
        muon_a=3.4445,
        muon_b=-4.7750,
        muon_c=2.0315,
        rms_rate=0.2,
        adam_lr_ratio=1.0,
        adam_beta_1=beta_1,
        adam_beta_2=beta_2,
        epsilon=epsilon,
        weight_decay=weight_decay,
        adam_weight_decay=weight_decay,
        exclude_embeddings=True,
        # Attention keeps its biases in two dimensions, [heads, width], but they are no matrices.
        exclude_layers=[r"(^|/)logits/", r"(^|/)bias$"],
        global_clipnorm=clip_norm,
    )
