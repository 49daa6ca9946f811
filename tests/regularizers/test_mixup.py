"""Tests of tfft/regularizers/mixup.py, with the loss taken anew in float64 NumPy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tests.regularizers.toys import LABELS, WEIGHTS, batch, dense, gradients, toy
from tfft.errors import SettingError
from tfft.regularizers import Batch, mixup


def never(_):
    raise AssertionError("the loss that it replaces is computed, too")


def mixed(shares, targets, losses, *, seed=3, alpha=1.0):
    """Return what mixup makes of rows whose vectors are the rows of a unit matrix: loss and vectors."""
    rows = len(targets)
    parts = dataclasses.replace(
        toy(seed=seed, chosen=["mixup"]).parts,
        encode=lambda inputs: inputs,
        classify=lambda vectors: vectors,
        row_loss=losses,
    )
    given = Batch(tf.eye(rows), tf.constant(targets), tf.constant(shares, tf.float32), tf.constant(1.0))
    loss, vectors = mixup.build(parts, alpha=alpha).loss(never)(given)
    return float(loss), vectors.numpy()


def test_a_row_is_mixed_with_one_other_each_with_its_target_and_its_weight():
    weights, targets = [0.1, 0.2, 0.3, 0.4, 0.5], np.array([1.0, 10.0, 100.0, 1000.0, 10000.0], "float32")
    loss, vectors = mixed(weights, targets, lambda targets, _: targets)
    # Vectors of a unit matrix show what they are mixed of.
    assert (np.count_nonzero(vectors, axis=1) == 2).all()
    np.testing.assert_allclose(vectors.sum(axis=1), 1, rtol=1e-6)
    assert (vectors.diagonal() >= 0.5).all()
    partners = [np.flatnonzero(row * (np.arange(5) != place)).item() for place, row in enumerate(vectors)]
    assert sorted(partners) == list(range(5))  # each of them once
    assert loss == pytest.approx(float((vectors * (np.array(weights) * targets)).sum()), rel=1e-6)


def test_the_loss_is_that_of_the_mixture_against_both_targets():
    made = toy(chosen=["mixup"])
    loss, logits = mixup.build(made.parts, alpha=0.5).loss(never)(batch())
    vectors = np.array(made.parts.encode(batch().inputs), float)
    kernel, bias = (np.array(v, float) for v in made.head.weights)
    plain = vectors @ kernel + bias
    # The head is linear, so that logits are mixed as vectors are; a share is what both have in common.
    found = []
    for further in (1, 2, 3):
        other = (np.arange(4) + further) % 4
        share = ((logits - plain[other]) / (plain - plain[other])).numpy()
        if np.ptp(share, axis=1).max() < 1e-3:
            found.append((other, share[:, :1]))
    ((other, share),) = found
    logs = special.log_softmax(np.array(logits, float), axis=1)
    each = -logs[np.arange(4), LABELS] * WEIGHTS * share[:, 0]
    each += -logs[np.arange(4), LABELS[other]] * WEIGHTS[other] * (1 - share[:, 0])
    assert float(loss) == pytest.approx(each.sum(), rel=1e-3)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_the_larger_of_a_beta_distribution(alpha):
    rows = 4000
    _, vectors = mixed(np.ones(rows), np.zeros(rows, "float32"), lambda targets, _: targets, alpha=alpha)
    shares = vectors.diagonal()
    draws = np.random.default_rng(0).beta(alpha, alpha, 100_000)
    draws = np.maximum(draws, 1 - draws)
    for quantile in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert np.quantile(shares, quantile) == pytest.approx(np.quantile(draws, quantile), abs=0.02)


def test_each_step_mixes_anew_and_the_same_again():
    made = toy(drop=0.0, chosen=["mixup"])
    loss = mixup.build(made.parts, alpha=1.0).loss(never)
    first, again = (loss(batch())[1].numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    made.parts.step.assign_add(1)
    assert np.abs(loss(batch())[1].numpy() - first).max() > 1e-4
    other = toy(seed=8, drop=0.0, chosen=["mixup"])
    assert np.abs(mixup.build(other.parts, alpha=1.0).loss(never)(batch())[1].numpy() - first).max() > 1e-4


def test_a_last_batch_of_one_row_is_itself():
    made = toy(drop=0.0, chosen=["mixup"])
    one = Batch(*(tf.nest.map_structure(lambda x: x[:1], part) for part in batch()[:3]), tf.constant(1.0))
    loss, logits = mixup.build(made.parts, alpha=1.0).loss(never)(one)
    plain, expected = made.loss(one)
    assert float(loss) == pytest.approx(float(plain), rel=1e-6)
    np.testing.assert_allclose(logits, expected, rtol=1e-6)


def test_the_whole_model_learns_through_it():
    made = toy(drop=0.0, chosen=["mixup"])
    changed = dense(gradients(made, mixup.build(made.parts, alpha=1.0))(batch())[2])
    assert all(np.abs(gradient).max() > 0 for gradient in changed)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"chosen": ["l2", "mixup"]}, "must stand before all others"),
        ({"chosen": ["mixup", "r_drop"]}, "must not be set with r_drop"),
        ({"kind": "tags"}, "each word has a tag"),
        ({"rows": 1}, "has one row"),
    ],
)
def test_what_it_cannot_mix_is_refused(changes, told):
    parts = dataclasses.replace(toy(chosen=["mixup"]).parts, **changes)
    with pytest.raises(SettingError, match=told):
        mixup.build(parts)
