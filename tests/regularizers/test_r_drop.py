"""Tests of tfft/regularizers/r_drop.py, with the divergence taken anew in float64 NumPy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tests.regularizers.toys import LABELS, WEIGHTS, batch, dense, gradients, toy
from tfft.regularizers import Batch, r_drop


def test_by_hand():
    # One row of weight 1/2: the passes give 1/2, 1/2 and 1/4, 3/4.
    # KL(p|q) + KL(q|p) = (1/2 - 1/4) log(1/2 / 1/4) + (1/2 - 3/4) log(1/2 / 3/4) = log(3) / 4
    seen = []

    def inner(both):
        seen.append(both)
        return tf.constant(7.0), tf.constant(np.log([[2.0, 2.0], [1.0, 3.0]]), tf.float32)

    row = Batch(tf.constant([[5]]), tf.constant([1]), tf.constant([0.5]), tf.constant(0.25))
    loss, logits = r_drop.build(toy().parts, alpha=2.0).loss(inner)(row)
    assert float(loss) == pytest.approx(7 + 2 / 4 * 0.5 * np.log(3) / 4)
    np.testing.assert_allclose(logits, np.log([[2.0, 2.0]]), rtol=1e-6)
    (both,) = seen
    assert both.inputs.numpy().tolist() == [[5], [5]]
    assert both.labels.numpy().tolist() == [1, 1]
    assert both.weights.numpy().tolist() == [0.25, 0.25]  # half each: the mean of the two losses
    assert float(both.share) == 0.25


@pytest.mark.parametrize("alpha", [0.5, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_value_is_the_mean_of_two_losses_and_half_the_papers_divergence(alpha, seed):
    given = np.random.default_rng(seed).normal(0, 3, (8, 2))

    def inner(both):
        logits = tf.constant(given, tf.float32)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(both.labels, logits)
        return tf.reduce_sum(both.weights * each), logits

    loss, _ = r_drop.build(toy().parts, alpha=alpha).loss(inner)(batch())
    p, q = special.softmax(given[:4], axis=1), special.softmax(given[4:], axis=1)
    rows = np.arange(4)
    plain = -(np.log(p[rows, LABELS]) + np.log(q[rows, LABELS])) / 2
    apart = (special.rel_entr(p, q) + special.rel_entr(q, p)).sum(axis=1)
    assert float(loss) == pytest.approx(float((WEIGHTS * (plain + alpha / 4 * apart)).sum()), rel=1e-5)


def test_without_dropout_it_is_the_plain_loss_and_the_plain_gradient():
    made = toy(drop=0.0)
    plain, logits, slope = gradients(made)(batch())
    loss, found, changed = gradients(made, r_drop.build(made.parts, alpha=5.0))(batch())
    assert float(loss) == pytest.approx(float(plain), rel=1e-6)
    np.testing.assert_allclose(found, logits, rtol=1e-6)
    for one, other in zip(dense(changed), dense(slope), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_gradient_flows_through_both_passes():
    # Central differences of the loss itself, along a random direction of the head's kernel.
    made = toy(drop=0.5)
    regularizer = r_drop.build(made.parts, alpha=3.0)
    _, _, slope = gradients(made, regularizer)(batch())
    kernel, direction = made.head.kernel, np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    values = []
    for sign in (1, -1):
        kernel.assign_add(sign * 1e-2 * direction)
        values.append(float(regularizer.loss(made.loss)(batch())[0]))
        kernel.assign_sub(sign * 1e-2 * direction)
    measured = (values[0] - values[1]) / 2e-2
    assert float((slope[3].numpy() * direction).sum()) == pytest.approx(measured, rel=1e-2)


def test_logits_that_are_far_apart_leave_the_loss_finite():
    def inner(both):
        return tf.constant(0.0), tf.constant([[60.0, -60.0], [-60.0, 60.0]])

    row = Batch(tf.constant([[5]]), tf.constant([1]), tf.constant([1.0]), tf.constant(1.0))
    loss, _ = r_drop.build(toy().parts, alpha=1.0).loss(inner)(row)
    assert float(loss) == pytest.approx(60.0)  # 1/4 * 2 * 120


@pytest.mark.parametrize("kind", ["labels", "rank", "number"])
def test_of_other_targets(kind):
    given = np.random.default_rng(0).normal(0, 2, (8, 2))

    def inner(both):
        return tf.constant(1.5), tf.constant(given, tf.float32)

    loss, _ = r_drop.build(dataclasses.replace(toy().parts, kind=kind), alpha=2.0).loss(inner)(batch())
    apart = (given[:4] - given[4:]) ** 2
    if kind != "number":
        p, q = special.expit(given[:4]), special.expit(given[4:])
        apart = sum(special.rel_entr(a, b) for a, b in ((p, q), (q, p), (1 - p, 1 - q), (1 - q, 1 - p)))
    assert float(loss) == pytest.approx(1.5 + 2 / 4 * float((WEIGHTS * apart.sum(axis=1)).sum()), rel=1e-5)
