"""Adafactor: the running mean of the squared gradient from that of its rows and columns.

Sources: Shazeer & Stern 2018, "Adafactor", algorithms 4 and 5.
https://arxiv.org/abs/1804.04235 Raffel et al. 2020, "T5", section 3.1.2, for the rate.
https://arxiv.org/abs/1910.10683

Three things differ in Keras. It keeps a slot of the variable's full size next to the rows and
columns, so that it saves no memory over RMSprop. It takes the smaller of the rate and
1 / sqrt(step) also for a given rate: from step 10,000 on, more than 0.01 is not to be had.
And a kernel of three dimensions, as attention has them, is factored over its last two.
"""

from typing import Annotated, Any

from pydantic import Field

from tfft.optimizers import ClipNorm, Decay, Epsilon


def build(
    layerwise: Any,
    learning_rate: Any,
    /,
    *,
    beta_2_decay: Annotated[float, Field(lt=0)] = -0.8,
    epsilon_1: Epsilon = 1e-30,
    epsilon_2: Epsilon = 1e-3,
    clip_threshold: Annotated[float, Field(gt=0)] = 1.0,
    weight_decay: Decay = 0.0,
    clip_norm: ClipNorm = None,
) -> Any:
    """Adafactor without momentum, at the learning rate of the config.

    Steps are a share of the size of a variable's weights (the root of their mean square), so
    the rate is not that of Adam: T5 was fine-tuned at 1e-3. The numbers are the
    source's; the clipping of updates takes the place of `clip_norm`.

    Args:
        beta_2_decay: The running mean keeps the share 1 - step ** beta_2_decay.
        epsilon_1: Added to the squared gradient.
        epsilon_2: Least size that is taken for a variable's weights, so that a bias at
            zero can leave it.
        clip_threshold: An update whose root mean square is above this is scaled down to it,
            each variable by itself.
        weight_decay: Decay per step as a share of the learning rate, for kernels and
            embeddings, not for biases and norms. 0 switches it off.
        clip_norm: Gradients are scaled down together when their common norm over all
            variables is above this. null switches it off.
    """
    import keras

    return layerwise(keras.optimizers.Adafactor)(
        learning_rate,
        beta_2_decay=beta_2_decay,
        epsilon_1=epsilon_1,
        epsilon_2=epsilon_2,
        clip_threshold=clip_threshold,
        relative_step=False,
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
    )
