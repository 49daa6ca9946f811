"""Tests of tfft/fit.py: a training that is cut off anywhere comes to what it would have come to."""

import csv
import json
import os
import signal

import keras
import numpy as np
import pytest

from tests.callbacks.toys import MODES, OUTPUTS, STEPS, counted, fitting, rows
from tfft import fit, plugins
from tfft.errors import RunError
from tfft.learner import Learner
from tfft.learning_rates import Schedule, Segment, layerwise
from tfft.losses import cross_entropy
from tfft.schedules import linear
from tfft.strategy import ALONE

EPOCHS = 3


class Cut(BaseException):
    """Stands in for the end of the process."""


class CutOff(keras.callbacks.Callback):
    """End the training at a moment: (epoch, step), or (epoch, "validation"), (epoch, "end")."""

    def __init__(self, moment, how):
        super().__init__()
        self.moment, self.how = moment, how

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._at(batch)

    def on_test_batch_begin(self, batch, logs=None):
        if batch == 1:
            self._at("validation")

    def on_epoch_end(self, epoch, logs=None):
        self._at("end")

    def _at(self, place):
        if (self.epoch, place) == self.moment:
            self.how()


def cut():
    raise Cut


def train(folder, *, every=None, cut_at=None, how=cut, names=(), width=3, optimizer=None, said=None, keep=2):
    """Train a toy with dropout, in two phases; return what is left of it."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input([2])
    hidden = keras.layers.Dense(width, activation="tanh", name="hidden")
    top = keras.layers.Dense(2, name="top")
    dropped = keras.layers.Dropout(0.4, seed=5)(hidden(inputs))
    learner = Learner(keras.Model(inputs, top(dropped)))
    learner.learn_by(cross_entropy.build([1, 1]), [], None)
    inner = layerwise(keras.optimizers.AdamW)(Schedule([Segment(0, 12, 2, 0.3)], linear.build()))
    learner.compile(
        optimizer=inner if optimizer is None else optimizer(inner),
        loss=OUTPUTS.loss,
        metrics=OUTPUTS.metrics(),
        jit_compile=False,
        auto_scale_loss=False,
    )
    learner.optimizer.build(learner.weights)

    def enter(trains):
        hidden.trainable = trains
        inner.enter(learner.trainable_variables, {v.path: 1.0 for v in learner.trainable_variables})

    features, ids = rows()
    weights = np.ones(ids.shape, "float32")
    data = counted(features, ids, weights).repeat()
    told = fitting(folder, schedule="constant")
    callbacks = [plugins.load("callbacks", name)(told, **named) for name, named in names]
    fit.run(
        learner,
        lambda epoch, step: data.skip(epoch * STEPS + step),
        counted(features, ids),
        replicas=ALONE,
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        phases=[(0, lambda: enter(False)), (5, lambda: enter(True))],
        monitor="val_loss",
        mode=MODES["val_loss"],
        whole=learner,
        weights=folder / "best.weights.h5",
        history=folder / "history.csv",
        callbacks=[*callbacks, *([] if cut_at is None else [CutOff(cut_at, how)])],
        saving=None if every is None else fit.Saving(folder / "saves", steps=every, minutes=None, keep=keep),
        say=([] if said is None else said).append,
    )
    return learner


def end(folder, learner):
    """Return all that a training leaves but times."""
    with open(folder / "history.csv", newline="") as file:
        history = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
    weights = [np.array(v) for v in (*learner.variables, *learner.optimizer.variables)]
    learner.load_weights(folder / "best.weights.h5")
    return history, weights, learner.get_weights()


def check_same(found, wanted):
    assert found[0] == wanted[0]
    for one, other in zip((*found[1], *found[2]), (*wanted[1], *wanted[2]), strict=True):
        np.testing.assert_array_equal(one, other)


MOMENTS = [
    (0, 0), (0, 3), (1, 0), (1, 2), (2, 1), (2, 3),
    (0, "validation"), (1, "validation"), (2, "validation"), (1, "end"), (2, "end"),
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return end(folder, train(folder, names=EVERY))


EVERY = (
    ("early_stopping", {"patience": 3}),
    ("ema", {"decay": 0.9}),
    ("nan_guard", {"every": 2}),
    ("json_lines", {"every": 3}),
    ("step_csv", {"every": 3}),
    ("reduce_on_plateau", {"patience": 1, "min_delta": 0.5}),
)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_cut_off_anywhere_it_ends_alike(tmp_path, whole, moment):
    every = 1 + MOMENTS.index(moment) % 3
    with pytest.raises(Cut):
        train(tmp_path, every=every, cut_at=moment, names=EVERY)
    check_same(end(tmp_path, train(tmp_path, every=every, names=EVERY)), whole)
    assert (tmp_path / "events.jsonl").read_text().count('"epoch"') == EPOCHS
    lines = (tmp_path / "steps.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "3", "6", "9", "12"]


@pytest.mark.parametrize(
    ("number", "error", "moment"),
    [
        (signal.SIGTERM, SystemExit, (1, 1)), (signal.SIGTERM, SystemExit, (0, "validation")),
        (signal.SIGTERM, SystemExit, (1, "end")), (signal.SIGINT, KeyboardInterrupt, (1, 3)),
        (signal.SIGINT, KeyboardInterrupt, (2, "validation")),
    ],
)  # fmt: skip
def test_a_signal_saves_and_loses_nothing(tmp_path, whole, number, error, moment):
    before = signal.getsignal(number)
    with pytest.raises(error) as caught:
        train(tmp_path, every=1000, cut_at=moment, how=lambda: os.kill(os.getpid(), number), names=EVERY)
    assert signal.getsignal(number) is before
    if number == signal.SIGTERM:
        assert caught.value.code == 143
    (kept,) = (tmp_path / "saves").iterdir()
    epoch, place = moment
    taken = epoch * STEPS + (place + 1 if isinstance(place, int) else STEPS)
    assert kept.name.startswith(f"step-{taken:010d}-")
    check_same(end(tmp_path, train(tmp_path, every=1000, names=EVERY)), whole)


def test_a_second_signal_does_not_wait(tmp_path):
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, every=1000, cut_at=(0, 1), how=twice)
    assert not (tmp_path / "saves").exists()


def test_again_and_again(tmp_path, whole):
    for moment in ((0, 0), (0, 2), (0, "validation"), (1, 1), (1, "end"), (2, 0)):
        with pytest.raises(Cut):
            train(tmp_path, every=1, cut_at=moment, names=EVERY)
    check_same(end(tmp_path, train(tmp_path, every=1, names=EVERY)), whole)
    alone = tmp_path / "alone"
    alone.mkdir()
    train(alone, names=EVERY)
    for name in ("events.jsonl", "steps.csv"):
        one, other = ((folder / name).read_text().splitlines() for folder in (tmp_path, alone))
        if name == "events.jsonl":
            one, other = ([json.loads(line) | {"seconds": 0} for line in lines] for lines in (one, other))
        assert one == other


@pytest.mark.parametrize("moment", [(1, "validation"), (1, "end")], ids=str)
def test_a_training_that_stops_early_stays_stopped(tmp_path, moment):
    names = (("early_stopping", {"patience": 1, "min_delta": 10.0}),)
    (tmp_path / "whole").mkdir()
    wanted = end(tmp_path / "whole", train(tmp_path / "whole", names=names))
    assert len(wanted[0]) == 2
    with pytest.raises(Cut):
        train(tmp_path, every=1, cut_at=moment, names=names)
    check_same(end(tmp_path, train(tmp_path, every=1, names=names)), wanted)
    # Of one that has stopped, nothing is trained any more.
    check_same(end(tmp_path, train(tmp_path, every=1, names=names)), wanted)


def test_without_saving_it_goes_on_all_the_same_and_writes_none(tmp_path, whole):
    with pytest.raises(Cut):
        train(tmp_path, every=2, cut_at=(1, 1), names=EVERY)
    before = sorted((tmp_path / "saves").iterdir())
    said = []
    check_same(end(tmp_path, train(tmp_path, every=1, keep=0, names=EVERY, said=said)), whole)
    assert said[0] == "Going on after step 4, in epoch 2"
    assert sorted((tmp_path / "saves").iterdir()) == before


def test_a_signal_during_the_last_save_is_heard(tmp_path, monkeypatch):
    real = fit.saves.write

    def write(folder, step, *arguments, **named):
        os.kill(os.getpid(), signal.SIGTERM)
        return real(folder, step, *arguments, **named)

    monkeypatch.setattr(fit.saves, "write", write)
    with pytest.raises(SystemExit):
        train(tmp_path, every=1000)


def test_a_run_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fit.saves, "put", full)
    with pytest.raises(RunError, match=r"cannot be written to: .*No space left on device\. Make room"):
        train(tmp_path)


def test_the_scale_of_the_loss_and_a_mean_of_weights_go_on(tmp_path):
    names, scaled = (("swa", {"start": 0.3, "every": 2}),), keras.optimizers.LossScaleOptimizer
    (tmp_path / "whole").mkdir()
    wanted = end(tmp_path / "whole", train(tmp_path / "whole", names=names, optimizer=scaled))
    for moment in ((1, 2), (2, 1)):
        with pytest.raises(Cut):
            train(tmp_path, every=2, cut_at=moment, names=names, optimizer=scaled)
    check_same(end(tmp_path, train(tmp_path, every=2, names=names, optimizer=scaled)), wanted)


def test_a_training_that_has_ended_stays_as_it_is(tmp_path, whole):
    train(tmp_path, every=1000, names=EVERY)
    check_same(end(tmp_path, train(tmp_path, every=1000, names=EVERY)), whole)


def test_damaged_saves_cost_steps_and_nothing_else(tmp_path, whole):
    with pytest.raises(Cut):
        train(tmp_path, every=2, cut_at=(2, 2), names=EVERY)
    newest = max((tmp_path / "saves").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    said = []
    check_same(end(tmp_path, train(tmp_path, every=2, names=EVERY, said=said)), whole)
    assert said[1] == "Going on after step 8, in epoch 3"


def test_where_all_saves_are_damaged_it_says_so_and_begins_anew(tmp_path, whole):
    with pytest.raises(Cut):
        train(tmp_path, every=2, cut_at=(1, 2), names=EVERY)
    for path in (tmp_path / "saves").iterdir():
        path.write_bytes(b"")
    said = []
    check_same(end(tmp_path, train(tmp_path, every=2, names=EVERY, said=said)), whole)
    assert said[2] == "No save is left to go on from: the training begins anew"


def test_the_save_of_another_training_is_refused(tmp_path):
    with pytest.raises(Cut):
        train(tmp_path, every=1, cut_at=(0, 2))
    with pytest.raises(RunError, match="holds saves of another training than the config describes"):
        train(tmp_path, every=1, width=4)


def test_a_save_that_cannot_be_written_is_told_and_the_training_goes_on(tmp_path, whole, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fit.saves, "write", full)
    said = []
    check_same(end(tmp_path, train(tmp_path, every=5, names=EVERY, said=said)), whole)
    told = [line for line in said if "cannot be saved: [Errno 28] No space left on device" in line]
    assert [line.split(" cannot")[0] for line in told] == [f"Warning: step {step}" for step in (5, 10, 12)]
