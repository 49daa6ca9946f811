"""SGD: the gradient itself, with momentum.

Sources: Sutskever et al. 2013, "On the importance of initialization and momentum in deep
learning", section 2 (classical and Nesterov's momentum).
https://proceedings.mlr.press/v28/sutskever13.html Loshchilov & Hutter 2019, "Decoupled
Weight Decay Regularization", algorithm 1, for the decay. https://arxiv.org/abs/1711.05101

Keras keeps the learning rate inside of the velocity, as the first source does: when the rate
falls, the steps that are still in the velocity go on at the rate of their time. PyTorch
multiplies the whole velocity by today's rate, and adds its decay to the gradient.
"""

from typing import Any

from tfft.errors import SettingError
from tfft.optimizers import Beta, ClipNorm, Decay


def build(
    layerwise: Any,
    learning_rate: Any,
    /,
    *,
    momentum: Beta = 0.9,
    nesterov: bool = False,
    weight_decay: Decay = 0.0,
    clip_norm: ClipNorm = 1.0,
) -> Any:
    """Stochastic gradient descent with momentum.

    Steps are as large as the gradients are, so the rate is not that of Adam: begin some hundred
    times higher. 0.9 is the usual momentum (PyTorch and Keras default to none); decay is off
    as in PyTorch.

    Args:
        momentum: Share of the velocity that is kept each step. 0 switches it off.
        nesterov: Whether the step looks ahead along the velocity.
        weight_decay: Decay per step as a share of the learning rate, for kernels and
            embeddings, not for biases and norms. 0 switches it off.
        clip_norm: Gradients are scaled down together when their common norm over all
            variables is above this. null switches it off.

    Raises:
        SettingError: Nesterov's form is asked for without momentum.
    """
    import keras

    if nesterov and momentum == 0:
        raise SettingError(
            "optimizer.nesterov",
            nesterov,
            "needs a momentum above 0",
            fix="Set optimizer.momentum to 0.9, or leave optimizer.nesterov out.",
        )
    return layerwise(keras.optimizers.SGD)(
        learning_rate,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
    )
