"""A toy backbone and head, small enough to work by hand, for the tests of the regularizers."""

from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf

from tfft.regularizers import Batch, Parts

IDS = np.array([[1, 4, 0], [2, 2, 3], [4, 1, 1], [0, 3, 2]], "int32")
LABELS = np.array([0, 1, 1, 0], "int32")
WEIGHTS = np.array([0.25, 0.25, 0.5, 0.125], "float32")


def toy(*, seed=7, drop=0.0, chosen=()):
    """Return layers, the `parts` of them, and `loss` from a batch to the loss and the logits.

    Args:
        seed: Of the run.
        drop: Share of the hidden units that are dropped: which ones depends on the place of
            the row in the batch alone, so that each call drops the same.
        chosen: Names of all regularizers.
    """
    keras.utils.set_random_seed(1)
    tokens = keras.layers.Embedding(5, 3, name="tokens")
    hidden = keras.layers.Dense(3, activation="tanh", name="hidden")
    head = keras.layers.Dense(2, name="head")
    tokens.build([None, None])
    hidden.build([None, 3])
    head.build([None, 3])
    for layer in (hidden, head):
        layer.bias.assign([0.25, -0.5, 0.125][: layer.units])
    backbone = [*tokens.weights, *hidden.weights]
    learned = [*backbone, *head.weights]
    step = tf.Variable(0, dtype=tf.int64)
    kept = np.random.default_rng(2).random((8, 3)) >= drop

    def encode(inputs):
        vectors = hidden(tf.reduce_mean(tokens(inputs["token_ids"]), axis=1))
        return vectors * tf.constant(kept, tf.float32)[: tf.shape(vectors)[0]]

    def row_loss(labels, logits):
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    def loss(batch):
        logits = head(encode(batch.inputs))
        return tf.reduce_sum(batch.weights * row_loss(batch.labels, logits)), logits

    parts = Parts(
        backbone=backbone,
        head=head.weights,
        token_embedding=tokens.embeddings,
        learned=lambda: learned,
        kind="label",
        step=step,
        seed=seed,
        encode=encode,
        classify=head,
        row_loss=row_loss,
        rows=4,
        chosen=chosen,
    )
    return SimpleNamespace(tokens=tokens, hidden=hidden, head=head, learned=learned, parts=parts, loss=loss)


def batch(share=1.0):
    """Return four rows of unlike weights."""
    return Batch(
        {"token_ids": tf.constant(IDS)}, tf.constant(LABELS), tf.constant(WEIGHTS), tf.constant(share)
    )


def gradients(made, *regularizers):
    """Return the function from a batch to loss, logits and gradients, as a learner lays it together."""
    loss = made.loss
    for regularizer in regularizers:
        loss = regularizer.loss(loss)
    whole = loss

    def plain(batch):
        with tf.GradientTape() as tape:
            value, logits = whole(batch)
        return value, logits, tape.gradient(value, [variable.value for variable in made.parts.learned()])

    found = plain
    for regularizer in regularizers:
        found = regularizer.gradients(found)
    return found


def dense(gradients_of_all):
    """Return gradients as arrays, those of a table of vectors too."""
    return [tf.convert_to_tensor(gradient).numpy() for gradient in gradients_of_all]


def values(made):
    """Return what all variables hold."""
    return [np.array(variable) for variable in made.learned]
