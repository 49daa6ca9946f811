"""Tests of tfft/regularizers/__init__.py, and of what all regularizers have in common."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.regularizers.toys import batch, dense, gradients, toy, values
from tfft import plugins
from tfft.learner import Learner
from tfft.learning_rates import layerwise
from tfft.losses import cross_entropy
from tfft.regularizers import Parts, Regularizer, penalty
from tfft.steps import Steps

NAMES = plugins.names("regularizers")


def build(name, parts):
    made = plugins.load("regularizers", name)(dataclasses.replace(parts, chosen=[name]))
    assert isinstance(made, Regularizer)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_every_regularizer_changes_a_gradient_and_leaves_the_weights_as_they_are(name):
    made = toy(drop=0.5)  # with dropout, or R-Drop would have nothing to say
    regularizer = build(name, made.parts)
    made.hidden.kernel.assign_add(tf.ones([3, 3]))  # trained since, or there would be nothing to pull back
    before = values(made)
    plain = dense(gradients(made)(batch())[2])
    loss, logits, changed = tf.function(gradients(made, regularizer))(batch())
    changed = dense(changed)
    assert logits.shape == (4, 2)
    assert np.isfinite(loss)
    assert [g.shape for g in changed] == [v.shape for v in before]
    assert all(np.isfinite(g).all() for g in changed)
    apart = max(np.abs(a - b).max() for a, b in zip(changed, plain, strict=True))
    assert apart > 1e-5
    for one, other in zip(values(made), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("micro", [None, 3])
@pytest.mark.parametrize("name", NAMES)
def test_every_regularizer_trains_a_real_model_otherwise_than_none(name, micro):
    def train(names):
        keras.utils.set_random_seed(3)
        ids = keras.Input([3], dtype="int32")
        tokens = keras.layers.Embedding(5, 4, name="tokens")
        vectors = keras.layers.GlobalAveragePooling1D()(tokens(ids))
        dropped = keras.layers.Dropout(0.5, seed=4)(keras.layers.Dense(4, name="hidden")(vectors))
        head = keras.layers.Dense(2, name="head")
        made = Learner(keras.Model(ids, head(dropped)))
        optimizer = layerwise(keras.optimizers.SGD)(0.5)
        row_loss = cross_entropy.build([1, 1])
        parts = Parts(
            backbone=[v for v in made.weights if not v.path.startswith("head") and "seed" not in v.path],
            head=head.weights,
            token_embedding=tokens.embeddings,
            learned=lambda: made.trainable_variables,
            kind="label",
            step=optimizer._iterations,
            seed=0,
            encode=functools.partial(keras.Model(ids, dropped), training=True),
            classify=head,
            row_loss=row_loss,
            rows=micro or 8,
            chosen=names,
        )
        made.learn_by(row_loss, [build(name, parts) for name in names], micro)
        made.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", jit_compile=False)
        optimizer.build(made.trainable_variables)
        optimizer.enter(made.trainable_variables, {v.path: 1.0 for v in made.trainable_variables})
        dice = np.random.default_rng(5)
        ids_of_rows, labels = dice.integers(0, 5, (8, 3)), dice.integers(0, 2, 8).astype("int32")
        batch = ids_of_rows, labels, np.ones(8, "float32"), np.array([8, 8], "int32")
        batches = iter(tf.data.Dataset.from_tensors(batch).repeat(3))
        steps = Steps(made, tf.distribute.get_strategy())
        for _ in range(3):
            steps.train(batches)
        return [np.array(v) for v in made.trainable_variables]

    plain, regularized = train([]), train([name])
    assert all(np.isfinite(weight).all() for weight in regularized)
    assert max(np.abs(a - b).max() for a, b in zip(plain, regularized, strict=True)) > 1e-5


def test_a_term_of_the_weights_counts_once_however_a_step_is_cut():
    made = toy()
    loss = penalty(lambda: tf.constant(8.0)).loss(made.loss)
    plain = float(made.loss(batch())[0])
    assert float(loss(batch())[0]) == pytest.approx(plain + 8)
    pieces = [float(loss(batch(share))[0]) - plain for share in (0.25, 0.75)]
    assert pieces == pytest.approx([2, 6])


def test_what_is_copied_is_the_backbone_as_it_is_now():
    made = toy()
    before = values(made)[:3]
    found = made.parts.pretrained("mixout")
    for variable in made.parts.backbone:
        variable.assign_add(tf.ones_like(variable))
    assert found.keys() == {"tokens/embeddings", "hidden/kernel", "hidden/bias"}
    for copy, wanted in zip(found.values(), before, strict=True):
        np.testing.assert_array_equal(copy.numpy(), wanted)


def test_the_first_regularizer_is_innermost():
    # 2 is added to each piece, then the whole is doubled: 2 (x + 2), and not 2 x + 2.
    made = toy()

    def double(inner):
        def doubled(batch):
            loss, logits = inner(batch)
            return 2 * loss, logits

        return doubled

    found, _, _ = gradients(made, penalty(lambda: tf.constant(2.0)), Regularizer(loss=double))(batch())
    assert float(found) == pytest.approx(2 * (float(made.loss(batch())[0]) + 2))
