"""Tests of what all losses have in common, and those of one label."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft import plugins
from tfft.losses import cross_entropy, focal, logit_adjusted

NAMES = [name for name in plugins.names("losses") if plugins.module("losses", name).OF == "label"]
COUNTS = [5, 1, 14]
# All pairs of a label and logits between which the answer is certain, open, or certainly wrong.
EXTREMES = np.array(
    [[60, -60, -60], [-60, 60, 0], [0, 0, 0], [-60, -60, -60], [60, 60, -60], [1e-3, 0, -1e-3]], "float32"
)
LABELS, LOGITS = np.tile([0, 1, 2], len(EXTREMES)).astype("int32"), np.repeat(EXTREMES, 3, axis=0)


def rows(seed, count=64, labels=3):
    dice = np.random.default_rng(seed)
    ids, logits = dice.integers(0, labels, count), dice.normal(0, 3, (count, labels))
    return ids.astype("int32"), logits.astype("float32")


def gradient(loss, labels, logits):
    """Return the losses and the gradient of their sum, traced as a training step is."""

    @tf.function
    def run(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            losses = loss(tf.constant(labels), logits)
            total = tf.reduce_sum(losses)
        return losses, tape.gradient(total, logits)

    return [part.numpy() for part in run(tf.constant(logits))]


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_is_a_finite_number_for_each_row_however_sure_the_model_is(name):
    losses, slope = gradient(plugins.load("losses", name)(COUNTS), LABELS, LOGITS)
    assert losses.shape == (len(LABELS),)
    assert losses.dtype == np.float32
    assert (losses >= 0).all()
    assert np.isfinite(losses).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("name", NAMES)
def test_each_row_has_the_loss_that_it_has_alone(name):
    loss = plugins.load("losses", name)(COUNTS)
    labels, logits = map(tf.constant, rows(0))
    together = loss(labels, logits)
    alone = tf.concat([loss(labels[i : i + 1], logits[i : i + 1]) for i in range(64)], axis=0)
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_pulls_the_true_logit_up_and_sums_to_nothing(name):
    labels, logits = rows(1)
    _, slope = gradient(plugins.load("losses", name)(COUNTS), labels, logits)
    assert (slope[np.arange(64), labels] < 0).all()
    np.testing.assert_allclose(slope.sum(axis=1), 0, atol=1e-6)  # softmax knows differences alone


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), tau=st.floats(0.1, 3.0))
def test_at_their_neutral_setting_all_are_cross_entropy(seed, tau):
    labels, logits = map(tf.constant, rows(seed))
    plain = cross_entropy.build([4, 4, 4])(labels, logits)
    for other in (
        focal.build([4, 4, 4], gamma=0.0),
        logit_adjusted.build([4, 4, 4], tau=tau),  # the same shift for all logits shifts nothing
        cross_entropy.build([1, 2, 3], label_smoothing=0.0),
    ):
        np.testing.assert_allclose(other(labels, logits), plain, rtol=1e-5, atol=1e-5)


def sample(kind, seed=0, count=64):
    """Return random targets of a kind, and random logits that such a loss takes."""
    dice = np.random.default_rng(seed)
    logits = dice.normal(0, 3, (count, {"number": 1, "rank": 2}.get(kind, 3))).astype("float32")
    ids = dice.integers(0, 3, count).astype("int32")
    targets = {
        "label": ids,
        "labels": dice.integers(0, 2, (count, 3)).astype("float32"),
        "number": dice.normal(0, 3, count).astype("float32"),
        "rank": ids,
    }
    return targets[kind], logits


@pytest.mark.parametrize("name", plugins.names("losses"))
def test_a_gradient_is_the_slope_of_the_loss(name):
    targets, logits = sample(plugins.module("losses", name).OF, seed=2)
    logits[:8] = 0  # as those of a head that starts at zero are
    loss = plugins.load("losses", name)(COUNTS)
    _, slope = gradient(loss, targets, logits)
    step = 1e-2
    for column in range(logits.shape[1]):
        shift = step * np.eye(logits.shape[1], dtype="float32")[column]
        higher, lower = loss(tf.constant(targets), logits + shift), loss(tf.constant(targets), logits - shift)
        smooth = np.abs(slope[:, column]) * 0.02 + 3e-3
        assert (np.abs((higher - lower) / (2 * step) - slope[:, column]) < smooth).all()


def targets_of(kind, logits):
    """Return targets for rows of logits, and the logits that such a loss takes."""
    ids = np.tile([0, 1, 2], len(logits) // 3).astype("int32")
    return {
        "label": (ids, logits),
        "labels": (np.eye(3, dtype="float32")[ids], logits),
        "number": (ids.astype("float32"), logits[:, :1]),
        "rank": (ids, logits[:, :2]),
    }[kind]


@pytest.mark.parametrize("name", plugins.names("losses"))
def test_every_loss_is_finite_and_that_of_each_row_alone(name):
    targets, logits = targets_of(plugins.module("losses", name).OF, LOGITS)
    loss = plugins.load("losses", name)(COUNTS)
    losses, slope = gradient(loss, targets, logits)
    assert losses.shape == (len(targets),)
    assert np.isfinite(losses).all()
    assert np.isfinite(slope).all()
    targets, logits = tf.constant(targets), tf.constant(logits)
    alone = tf.concat([loss(targets[i : i + 1], logits[i : i + 1]) for i in range(len(targets))], axis=0)
    np.testing.assert_allclose(losses, alone, rtol=1e-5, atol=1e-6)


def test_every_kind_of_target_has_a_loss():
    kinds = {plugins.load("tasks", name)().kind for name in plugins.names("tasks")}
    of_words = {"tags"}  # a tag is the label of a word, so its losses are those of labels
    assert {plugins.module("losses", name).OF for name in plugins.names("losses")} == kinds - of_words
