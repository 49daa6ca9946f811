"""Tests of tfft/losses/asymmetric.py."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from tests.losses.test_losses import gradient, sample
from tfft.losses import asymmetric, binary_cross_entropy

COUNTS = [1.0] * 3


def by_hand(targets, logits, positive, negative, clip):
    """Return values and gradients of the paper's equations in float64."""
    p, rest = special.expit(np.float64(logits)), special.expit(-np.float64(logits))
    shifted = np.maximum(p - clip, 0.0)
    log_of_rest = np.log(np.minimum(rest + clip, 1.0))
    value = -(targets * rest**positive * np.log(p) + (1 - targets) * shifted**negative * log_of_rest)
    # d/dp of each side, times dp/dz = p (1 - p)
    of_positive = -(rest**positive) / p + positive * rest ** (positive - 1) * np.log(p)
    kept = np.where(p > clip, shifted, 0.5)  # where it is clipped there is no gradient
    of_negative = kept**negative / (1 - kept) - negative * kept ** (negative - 1) * log_of_rest
    slope = targets * of_positive + (1 - targets) * np.where(p > clip, of_negative, 0.0)
    return value.mean(axis=1), slope * p * rest / logits.shape[1]


def test_by_hand():
    # Probabilities 3/4, 3/4 and 1/20: a label of the row, one that is not, one below the clip.
    logits = np.log(np.array([[3.0, 3.0, 0.999 / 19]], "float32"))
    found = asymmetric.build(COUNTS)(tf.constant([[1.0, 0.0, 0.0]]), tf.constant(logits))
    wanted = np.log(4 / 3) + 0.7**4 * np.log(1 / 0.3)
    np.testing.assert_allclose(found, [wanted / 3], rtol=1e-5)
    found = asymmetric.build(COUNTS, gamma_positive=1.0)(tf.constant([[1.0, 0.0, 0.0]]), tf.constant(logits))
    np.testing.assert_allclose(found, [(np.log(4 / 3) / 4 + 0.7**4 * np.log(1 / 0.3)) / 3], rtol=1e-5)


@pytest.mark.parametrize("positive", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("negative", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("clip", [0.0, 0.05, 0.3])
def test_value_and_gradient_are_those_in_float64(positive, negative, clip):
    targets, logits = sample("labels", seed=3)
    settings = {"gamma_positive": positive, "gamma_negative": negative, "clip": clip}
    losses, slope = gradient(asymmetric.build(COUNTS, **settings), targets, logits)
    wanted, wanted_slope = by_hand(targets, logits, positive, negative, clip)
    np.testing.assert_allclose(losses, wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(slope, wanted_slope, rtol=1e-3, atol=1e-5)


def test_without_focus_and_clip_it_is_binary_cross_entropy():
    targets, logits = map(tf.constant, sample("labels"))
    plain = binary_cross_entropy.build(COUNTS)(targets, logits)
    found = asymmetric.build(COUNTS, gamma_positive=0.0, gamma_negative=0.0, clip=0.0)(targets, logits)
    np.testing.assert_allclose(found, plain, rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("clip", [0.0, 1e-9, 0.05])
def test_the_gradient_is_right_where_the_model_is_certain(gamma, clip):
    settings = {"gamma_positive": gamma, "gamma_negative": gamma, "clip": clip}
    loss = asymmetric.build([1.0], **settings)
    logits = np.array([[100.0], [-100.0], [100.0], [-100.0]], "float32")
    losses, slope = gradient(loss, np.array([[1], [1], [0], [0]], "float32"), logits)
    # Surely right costs nothing; a missed label is cross entropy; a wrong one costs -log clip, where the
    # clip makes the probability of the rest flat, or is cross entropy without a clip.
    wrong = 100.0 if not clip else -((1 - clip) ** gamma) * np.log(clip)
    np.testing.assert_allclose(losses, [0.0, 100.0, wrong, 0.0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope[:, 0], [0.0, -1.0, 0.0 if clip else 1.0, 0.0], atol=1e-6)


def test_rows_below_the_clip_teach_nothing():
    logits = np.log(np.array([[0.04 / 0.96], [0.06 / 0.94]], "float32"))
    losses, slope = gradient(asymmetric.build([1.0]), np.zeros((2, 1), "float32"), logits)
    assert losses[0] == 0
    assert slope[0] == 0
    assert losses[1] > 0
    assert slope[1] > 0
