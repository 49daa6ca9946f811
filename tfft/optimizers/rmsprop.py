"""RMSprop: the gradient over the root of the running mean of its square.

Source: Hinton 2012, "Neural Networks for Machine Learning", lecture 6e.
https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf

Keras adds epsilon to the mean, inside of the root, where PyTorch adds it to the root. There is
no bias correction: the means start at zero, and the first steps of a variable are up to
1 / sqrt(1 - rho) times the learning rate, which a warmup keeps small. Momentum keeps the
learning rate inside of the velocity, as in `sgd`.
"""

from typing import Any

from tfft.optimizers import Beta, ClipNorm, Decay, Epsilon


def build(
    layerwise: Any,
    learning_rate: Any,
    /,
    *,
    rho: Beta = 0.9,
    momentum: Beta = 0.0,
    epsilon: Epsilon = 1e-16,
    weight_decay: Decay = 0.0,
    clip_norm: ClipNorm = 1.0,
) -> Any:
    """RMSprop, with plain momentum on request.

    The source's 0.9 is also Keras's; PyTorch has 0.99. Keras's own epsilon, 1e-7 inside of the
    root, would drown gradients below 3e-4, as most are when a large model is fine-tuned.

    Args:
        rho: Share of the running mean of the squared gradient that is kept each step.
        momentum: Share of the velocity that is kept each step. 0 switches it off.
        epsilon: Added to the running mean inside of the root: 1e-16 acts like PyTorch's
            1e-8, which is added to the root.
        weight_decay: Decay per step as a share of the learning rate, for kernels and
            embeddings, not for biases and norms. 0 switches it off.
        clip_norm: Gradients are scaled down together when their common norm over all
            variables is above this. null switches it off.
    """
    import keras

    return layerwise(keras.optimizers.RMSprop)(
        learning_rate,
        rho=rho,
        momentum=momentum,
        epsilon=epsilon,
        # Mean square less squared mean can round to below zero, and its root to no number.
        centered=False,
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
    )
