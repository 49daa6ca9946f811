"""The new layers on top of the backbone: token vectors to one vector, one vector to logits."""

from collections.abc import Sequence

import keras
from keras import ops


def encoder(backbone: keras.Model, *, pooling: str) -> keras.Model:
    """Return a model from the backbone's inputs to one vector a row, float32 `[N, width]`.

    Args:
        backbone: A BERT backbone with the outputs `sequence_output` and `pooled_output`.
        pooling: `cls`, `mean`, `max` or `pooler`. Padding takes no part in it.
    """
    tokens = backbone.output["sequence_output"]  # [N, tokens, width]
    if pooling == "pooler":
        pooled = backbone.output["pooled_output"]
    elif pooling == "cls":
        pooled = tokens[:, 0]
    else:
        layer = MeanPooling(name="pooling") if pooling == "mean" else MaxPooling(name="pooling")
        pooled = layer(tokens, backbone.input["padding_mask"])
    return keras.Model(backbone.input, pooled, name="encoder")


class MeanPooling(keras.layers.Layer):
    """Mean of the real tokens' vectors: `[N, tokens, width]` and `[N, tokens]` to `[N, width]`.

    Source: Reimers & Gurevych 2019, "Sentence-BERT", section 3. https://arxiv.org/abs/1908.10084
    """

    def call(self, tokens, padding_mask):
        weights = ops.cast(padding_mask, tokens.dtype)[:, :, None]
        return ops.sum(tokens * weights, axis=1) / ops.sum(weights, axis=1)


class MaxPooling(keras.layers.Layer):
    """Maximum of the real tokens' vectors: `[N, tokens, width]` and `[N, tokens]` to `[N, width]`."""

    def call(self, tokens, padding_mask):
        is_real = ops.cast(padding_mask, "bool")[:, :, None]
        return ops.max(ops.where(is_real, tokens, -float("inf")), axis=1)


def dense(
    width: int,
    outputs: int,
    *,
    hidden_layers: Sequence[int],
    activation: str,
    dropout: float,
    initializer: str,
) -> keras.Model:
    """Return a model from pooled vectors `[N, width]` to logits, float32 `[N, outputs]`.

    Args:
        width: Of the pooled vectors.
        outputs: Number of logits.
        hidden_layers: Width of each layer between the two.
        activation: Of the hidden layers.
        dropout: Rate before each dense layer.
        initializer: Distribution of the first kernels; biases start at zero.
    """

    def kernel():
        if initializer == "truncated_normal":
            return keras.initializers.TruncatedNormal(stddev=0.02)  # as in BERT's own code
        return keras.initializers.get(initializer)

    vector = pooled = keras.Input([width], name="pooled")
    for index, units in enumerate(hidden_layers):
        vector = keras.layers.Dropout(dropout, name=f"dropout_{index}")(vector)
        vector = keras.layers.Dense(units, activation, kernel_initializer=kernel(), name=f"hidden_{index}")(
            vector
        )
    vector = keras.layers.Dropout(dropout, name="dropout")(vector)
    logits = keras.layers.Dense(outputs, kernel_initializer=kernel(), dtype="float32", name="logits")(vector)
    return keras.Model(pooled, logits, name="head")


def join(encoder: keras.Model, head: keras.Model) -> keras.Model:
    """Return the whole model, from the backbone's inputs to logits."""
    return keras.Model(encoder.input, head(encoder.output), name="classifier")
