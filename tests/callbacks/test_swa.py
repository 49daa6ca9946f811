"""Tests of tfft/callbacks/swa.py, with the mean taken anew in float64 NumPy."""

import numpy as np
import pytest

from tests.callbacks.toys import STEPS, Record, enter, fitting, learner, same, train
from tfft.callbacks import swa


def mean(steps, chosen):
    """Return the mean of the weights after some steps, counted from 1."""
    return [np.mean([np.float64(steps[step][i]) for step in chosen], axis=0) for i in range(len(steps[0]))]


# 12 steps in 3 epochs. From a share of 1/4 on averaging may begin after step 3.
@pytest.mark.parametrize(
    ("start", "every", "averaged"),
    [
        (0.25, 1, {1: [4], 2: range(4, 9), 3: range(4, 13)}),
        (0.25, 2, {1: None, 2: [5, 7], 3: [5, 7, 9, 11]}),
        (0.0, 4, {1: [4], 2: [4, 8], 3: [4, 8, 12]}),
        (0.75, None, {1: None, 2: None, 3: [10, 11, 12]}),  # a tenth of three steps is one
        (0.5, 3, {1: None, 2: None, 3: [9, 12]}),
        (1 / 3, 4, {1: None, 2: [8], 3: [8, 12]}),
    ],
)
def test_what_is_validated_is_the_plain_mean_of_the_last_part(start, every, averaged, tmp_path):
    record = Record()
    train(tmp_path, learner(), [swa.build(fitting(tmp_path), start=start, every=every), record])
    for epoch, steps in averaged.items():
        found = record.validated[epoch - 1]
        if steps is None:  # not begun: the weights themselves
            same(found, record.steps[epoch * STEPS])
        else:
            same(found, mean(record.steps, steps), rtol=1e-5, atol=1e-6)


def test_training_goes_on_from_the_plain_weights_and_the_average_is_kept(tmp_path):
    record = Record()
    history = train(
        tmp_path, learner(), [swa.build(fitting(tmp_path), start=0.0), record], monitor="val_loss"
    )
    same(record.begun[2], record.steps[2 * STEPS])
    best = int(np.argmin(history["val_loss"]))
    other = learner()
    other.load_weights(tmp_path / "best.weights.h5")
    same(other.get_weights(), record.validated[best])


def test_a_layer_that_thaws_late_is_in_the_mean_from_the_start(tmp_path):
    record, made = Record(), learner()
    hidden = made.get_layer("hidden")

    def freeze(trainable):
        hidden.trainable = trainable
        enter(made)

    phases = [(0, lambda: freeze(False)), (6, lambda: freeze(True))]
    train(tmp_path, made, [swa.build(fitting(tmp_path), start=0.0, every=1), record], phases=phases)
    assert (record.steps[-1][0] != record.steps[0][0]).any()
    same(record.validated[-1], mean(record.steps, range(1, 13)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_the_defaults_average_something_however_few_epochs_there_are(epochs, tmp_path):
    made = swa.build(fitting(tmp_path, total_steps=epochs * STEPS))
    made.set_model(learner())
    made.on_train_begin()
    for step in range(epochs * STEPS):
        made.on_train_batch_end(step % STEPS)
    assert int(made.updates) == epochs  # the last quarter, 1 to 4 steps, a step apart
