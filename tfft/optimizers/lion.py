"""Lion: the sign of a mix of gradient and momentum; every weight moves by the learning rate.

Source: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2, and
section 5 for the numbers. https://arxiv.org/abs/2302.06675

Keras's form is the source's.
"""

from typing import Annotated, Any

from pydantic import Field

from tfft.optimizers import Beta, ClipNorm, Decay


def build(
    layerwise: Any,
    learning_rate: Any,
    /,
    *,
    weight_decay: Decay = 0.1,
    beta_1: Annotated[float, Field(gt=0, lt=1)] = 0.9,
    beta_2: Beta = 0.99,
    clip_norm: ClipNorm = 1.0,
) -> Any:
    """Lion with decoupled weight decay.

    Every step is as large as the rate, so take a rate 3 to 10 times below AdamW's, and a decay as
    many times above it (section 5); the default is ten times AdamW's.

    Args:
        weight_decay: Decay per step as a share of the learning rate, for kernels and
            embeddings, not for biases and norms. 0 switches it off.
        beta_1: Share of the momentum, against that of the gradient, in what gives the sign.
        beta_2: Share of the momentum that is kept each step.
        clip_norm: Gradients are scaled down together when their common norm over all
            variables is above this; it weighs the steps in the momentum. null switches it off.
    """
    import keras

    return layerwise(keras.optimizers.Lion)(
        learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        global_clipnorm=clip_norm,
    )
