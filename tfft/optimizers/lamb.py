"""LAMB: Adam's update, scaled in each variable to the size of its weights, for large batches.

Source: You et al. 2020, "Large Batch Optimization for Deep Learning: Training BERT in 76
minutes", algorithm 2. https://arxiv.org/abs/1904.00962

In the source the decay is a part of the update, and is scaled with it; in Keras it is
decoupled, and stands outside of the ratio. The source's code leaves biases and norms
unscaled; Keras scales every variable whose weights are not all zero, so that a bias which
starts at zero moves at the full rate once, and then in proportion to what it has become.
The ratio has no bounds.
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
    """LAMB with bias correction and decoupled weight decay.

    Steps are a share of the norm of a variable's weights, so the rate is not that of Adam:
    begin some ten times higher. Decay, betas and epsilon are those of the source and
    its code.

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

    return layerwise(keras.optimizers.Lamb)(
        learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=clip_norm,
    )
