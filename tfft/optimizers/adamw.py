"""AdamW: Adam with weight decay that is decoupled from the gradient.

Source: Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization",
algorithm 2. https://arxiv.org/abs/1711.05101

Keras adds epsilon to the root of the running mean before its bias correction, as Kingma & Ba
do in the remark above section 2.1; algorithm 2 and PyTorch add it after. Its share is
therefore larger in the first steps.
"""

from typing import Any

from tfft.optimizers import Beta, ClipNorm, Decay, Epsilon


def build(
    layerwise: Any,
    learning_rate: Any,
    /,
    *,
    weight_decay: Decay = 0.01,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: Epsilon = 1e-6,
    clip_norm: ClipNorm = 1.0,
) -> Any:
    """AdamW with bias correction and decoupled weight decay.

    Keras's own defaults (decay 0.004, epsilon 1e-7, no clipping) are not those of
    the fine-tuning literature; these are, after Mosbach et al. 2021, appendix A
    (https://arxiv.org/abs/2006.04884).

    Args:
        weight_decay: Decay per step as a share of the learning rate, for kernels and
            embeddings, not for biases and norms. 0 switches it off.
        beta_1: Share of the running mean of the gradient that is kept each step.
        beta_2: Share of the running mean of its square that is kept each step.
        epsilon: Added to the denominator, so that tiny gradients stay tiny steps.
        clip_norm: Gradients are scaled down together when their common norm over all
            variables is above this. null switches it off.
    """
    import keras

    return layerwise(keras.optimizers.AdamW)(
        learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        amsgrad=False,
        global_clipnorm=clip_norm,
    )
