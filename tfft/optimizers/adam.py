"""Adam: running means of the gradient and of its square, without weight decay.

Source: Kingma & Ba 2015, "Adam", algorithm 1. https://arxiv.org/abs/1412.6980

Keras adds epsilon to the root of the running mean before its bias correction, the form of the
remark above section 2.1; algorithm 1 and PyTorch add it after.
"""

from typing import Any

from tfft.optimizers import Beta, ClipNorm, Epsilon


def build(
    layerwise: Any,
    learning_rate: Any,
    /,
    *,
    beta_1: Beta = 0.9,
    beta_2: Beta = 0.999,
    epsilon: Epsilon = 1e-8,
    clip_norm: ClipNorm = 1.0,
) -> Any:
    """Adam with bias correction and without weight decay.

    Betas and epsilon are those of algorithm 1 and of PyTorch.

    Args:
        beta_1: Share of the running mean of the gradient that is kept each step.
        beta_2: Share of the running mean of its square that is kept each step.
        epsilon: Added to the denominator, so that tiny gradients stay tiny steps.
        clip_norm: Gradients are scaled down together when their common norm over all
            variables is above this. null switches it off.
    """
    import keras

    return layerwise(keras.optimizers.Adam)(
        learning_rate,
        weight_decay=None,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        amsgrad=False,
        global_clipnorm=clip_norm,
    )
