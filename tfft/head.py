"""The new layers on top of the backbone: token vectors to one vector, one vector to logits."""

from collections.abc import Sequence

import keras
from keras import ops


def encoder(backbone: keras.Model, *, pooling: str) -> keras.Model:
    """Return a model from the backbone's inputs to one vector a row, float32 `[N, width]`.

    Args:
        backbone: Gives the tokens' vectors, alone or as `sequence_output` beside `pooled_output`.
        pooling: `cls`, `last`, `mean`, `max` or `pooler`. Padding takes no part in it.

    Returns:
        A model that takes what the backbone takes, and `padding_mask` where its pooling needs it.
    """
    outputs, inputs = backbone.output, dict(backbone.input)
    tokens = outputs["sequence_output"] if isinstance(outputs, dict) else outputs  # [N, tokens, width]
    if pooling == "pooler":
        return keras.Model(inputs, outputs["pooled_output"], name="encoder")
    if pooling == "cls":
        return keras.Model(inputs, tokens[:, 0], name="encoder")
    if "padding_mask" not in inputs:
        inputs["padding_mask"] = keras.Input([None], dtype="int32", name="padding_mask")
    kinds: dict[str, type[keras.layers.Layer]] = {
        "last": LastPooling,
        "max": MaxPooling,
        "mean": MeanPooling,
    }
    pooled = kinds[pooling](name="pooling")(tokens, inputs["padding_mask"])
    return keras.Model(inputs, pooled, name="encoder")


def windows(encoder: keras.Model, *, pooling: str) -> keras.Model:
    """Return a model from the inputs of all windows of a row to one vector a row, `[N, width]`.

    Args:
        encoder: Gives one vector for each window.
        pooling: `mean` or `max` over the vectors of a row's windows.

    Returns:
        A model that takes what the encoder takes, `[N, windows, tokens]` each, and `window_mask`, int32
        `[N, windows]`, 1 for the windows that a row has.
    """
    inputs = {name: keras.Input([None, None], dtype="int32", name=name) for name in encoder.input}
    inputs["window_mask"] = keras.Input([None], dtype="int32", name="window_mask")
    apart = {name: Apart(name=f"{name}_apart")(inputs[name]) for name in encoder.input}
    together = Together(name="windows")(encoder(apart), inputs["window_mask"])
    kinds: dict[str, type[keras.layers.Layer]] = {"max": MaxPooling, "mean": MeanPooling}
    pooled = kinds[pooling](name="window_pooling")(together, inputs["window_mask"])
    return keras.Model(inputs, pooled, name="encoder")


class Apart(keras.layers.Layer):
    """Each window as a row: `[N, windows, tokens]` to `[N * windows, tokens]`."""

    def call(self, tensor):
        return ops.reshape(tensor, [-1, ops.shape(tensor)[-1]])


class Together(keras.layers.Layer):
    """Vectors of windows, `[N * windows, width]`, beside those of their row: `[N, windows, width]`."""

    def call(self, vectors, window_mask):
        return ops.reshape(vectors, [-1, ops.shape(window_mask)[1], vectors.shape[-1]])


def words(backbone: keras.Model) -> keras.Model:
    """Return a model from the backbone's inputs and `word_places` to a vector a word, `[N, words, width]`.

    Args:
        backbone: Gives the tokens' vectors, alone or as `sequence_output`.

    Returns:
        A model whose vector of a word is that of the token at its place, int32 `[N, words]`; for
        place -1 it is zeros.
    """
    outputs, inputs = backbone.output, dict(backbone.input)
    tokens = outputs["sequence_output"] if isinstance(outputs, dict) else outputs
    inputs["word_places"] = keras.Input([None], dtype="int32", name="word_places")
    return keras.Model(inputs, WordPlaces(name="words")(tokens, inputs["word_places"]), name="encoder")


class WordPlaces(keras.layers.Layer):
    """Vectors at places: `[N, tokens, width]` and `[N, words]` to `[N, words, width]`, zeros for place -1."""

    def call(self, tokens, places):
        found = ops.take_along_axis(tokens, ops.maximum(places, 0)[:, :, None], axis=1)
        return found * ops.cast(places >= 0, found.dtype)[:, :, None]


class LastPooling(keras.layers.Layer):
    """Vector of the last real token: `[N, tokens, width]` and `[N, tokens]` to `[N, width]`.

    In a causal model it is the only one that has seen the whole text.

    Source: Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training", section 3.2.
    """

    def call(self, tokens, padding_mask):
        last = ops.sum(ops.cast(padding_mask, "int32"), axis=1) - 1  # [N]
        return ops.take_along_axis(tokens, last[:, None, None], axis=1)[:, 0]


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
    shape: Sequence[int | None],
    outputs: int,
    *,
    bias: Sequence[float] = (),
    hidden_layers: Sequence[int],
    activation: str,
    dropout: float,
    initializer: str,
) -> keras.Model:
    """Return a model from vectors `[N, *shape]`, the last being their width, to logits, float32.

    Args:
        shape: Of what a row gives: `[width]` of one vector, `[None, width]` of one for each word.
        outputs: Number of logits.
        bias: What the logits begin with, `[outputs]`; none begins with zeros.
        hidden_layers: Width of each layer between the two.
        activation: Of the hidden layers.
        dropout: Rate before each dense layer.
        initializer: Distribution of the first kernels, `zeros` of the last alone; other biases
            start at zero.
    """

    def kernel(name):
        if name == "truncated_normal":
            return keras.initializers.TruncatedNormal(stddev=0.02)  # as in BERT's own code
        return keras.initializers.get(name)

    # No gradient comes through two layers of zeros.
    hidden = "truncated_normal" if initializer == "zeros" else initializer

    vector = pooled = keras.Input(shape, name="pooled")
    for index, units in enumerate(hidden_layers):
        vector = keras.layers.Dropout(dropout, name=f"dropout_{index}")(vector)
        layer = keras.layers.Dense(
            units, activation, kernel_initializer=kernel(hidden), name=f"hidden_{index}"
        )
        vector = layer(vector)
    vector = keras.layers.Dropout(dropout, name="dropout")(vector)
    layer = keras.layers.Dense(
        outputs,
        kernel_initializer=kernel(initializer),
        bias_initializer=keras.initializers.Constant(bias) if bias else "zeros",
        dtype="float32",
        name="logits",
    )
    return keras.Model(pooled, layer(vector), name="head")


def join(encoder: keras.Model, head: keras.Model) -> keras.Model:
    """Return the whole model, from the backbone's inputs to logits.

    A word without a place has logits of zero: of what was not seen every tag is as likely.
    """
    logits = head(encoder.output)
    if "word_places" in encoder.input:
        logits = Seen(name="seen")(logits, encoder.input["word_places"])
    return keras.Model(encoder.input, logits, name="classifier")


class Seen(keras.layers.Layer):
    """Logits `[N, words, tags]`, zeros where the place, `[N, words]`, is -1."""

    def call(self, logits, places):
        return ops.where(places[:, :, None] >= 0, logits, 0.0)
