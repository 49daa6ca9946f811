"""Tests of tfft/regularizers/fgm.py."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tests.regularizers.toys import batch, dense, gradients, toy, values
from tfft.errors import SettingError
from tfft.regularizers import fgm


@pytest.mark.parametrize("sparse", [False, True])
def test_by_hand(sparse):
    # The gradient of the table is 3 at one place and 4 at another: of length 5.
    made, seen = toy(), []
    slope = np.zeros((5, 3), "float32")
    slope[1, 0], slope[4, 2] = 3.0, 4.0

    def inner(rows):
        seen.append(np.array(made.tokens.embeddings))
        table = tf.IndexedSlices(slope[[1, 4]], [1, 4], [5, 3]) if sparse else tf.constant(slope)
        rest = [len(seen) * tf.ones(v.shape) for v in made.learned[1:]]
        return tf.constant(float(len(seen))), tf.zeros([4, 2]), [table, *rest]

    loss, _, changed = fgm.build(made.parts, epsilon=0.5).gradients(inner)(batch())
    assert len(seen) == 2
    moved = np.zeros((5, 3))
    moved[1, 0], moved[4, 2] = 0.3, 0.4
    np.testing.assert_allclose(seen[1] - seen[0], moved, atol=1e-7)
    np.testing.assert_array_equal(np.array(made.tokens.embeddings), seen[0])
    assert float(loss) == 1.0  # that of the unmoved vectors
    changed = dense(changed)
    np.testing.assert_array_equal(changed[0], 2 * slope)
    assert all((gradient == 3).all() for gradient in changed[1:])  # 1 and 2


@pytest.mark.parametrize("epsilon", [0.01, 1.0, 30.0])
def test_it_is_the_sum_of_the_gradients_at_both_places(epsilon):
    made = toy()
    before = values(made)
    plain, logits, first = gradients(made)(batch())
    loss, found, changed = tf.function(gradients(made, fgm.build(made.parts, epsilon=epsilon)))(batch())
    for one, other in zip(values(made), before, strict=True):
        np.testing.assert_array_equal(one, other)
    slope = np.float64(dense(first)[0])
    made.tokens.embeddings.assign(before[0] + epsilon * slope / np.sqrt((slope**2).sum()))
    moved, _, second = gradients(made)(batch())
    assert float(moved) > float(plain)  # the loss rises there
    for one, a, b in zip(dense(changed), dense(first), dense(second), strict=True):
        # Far away, where tanh is flat, rounding is what two machines do not have in common.
        np.testing.assert_allclose(one, a + b, rtol=1e-4, atol=1e-5)
    assert float(loss) == pytest.approx(float(plain))
    np.testing.assert_allclose(found, logits, rtol=1e-6)


def test_a_table_that_the_move_would_round_comes_back_bit_by_bit():
    # 1e-8 + 1 - 1 is 0 in float32.
    made = toy()
    tiny = np.full((5, 3), 1e-8, "float32") * np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    made.tokens.embeddings.assign(tiny)
    gradients(made, fgm.build(made.parts, epsilon=1e4))(batch())
    np.testing.assert_array_equal(np.array(made.tokens.embeddings), tiny)


def test_a_gradient_of_nothing_moves_nothing():
    made = toy()
    made.head.kernel.assign(tf.zeros([3, 2]))  # so that nothing reaches the table
    plain = dense(gradients(made)(batch())[2])
    changed = dense(gradients(made, fgm.build(made.parts))(batch())[2])
    for one, other in zip(changed, plain, strict=True):
        np.testing.assert_allclose(one, 2 * other, rtol=1e-6)
        assert np.isfinite(one).all()


def test_embeddings_that_never_train_are_refused():
    made = toy()
    with pytest.raises(SettingError) as caught:
        fgm.build(replace(made.parts, backbone=made.hidden.weights))
    assert str(caught.value) == (
        "regularizers: must not be set where the token embeddings are frozen, for it needs their gradient, "
        "got 'fgm'. Train the embeddings, or take another regularizer."
    )


def test_while_the_table_is_frozen_nothing_is_added_and_the_rows_are_seen_once():
    made = toy()
    made.parts = replace(made.parts, learned=lambda: made.learned[1:])
    calls = []

    def inner(rows):
        calls.append(rows)
        return gradients(made)(rows)

    changed = fgm.build(made.parts).gradients(inner)(batch())[2]
    assert len(calls) == 1
    for one, other in zip(dense(changed), dense(gradients(made)(batch())[2]), strict=True):
        np.testing.assert_array_equal(one, other)
