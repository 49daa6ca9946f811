"""Tests of tfft/fit.py."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfft import fit, learning_rates, plugins
from tfft.errors import TrainingError
from tfft.learner import Learner
from tfft.strategy import ALONE, Replicas


def make():
    keras.utils.set_random_seed(0)
    return dense_on(lambda x: x)


def dense_on(layer):
    inputs = keras.Input([2])
    return keras.Model(inputs, keras.layers.Dense(2)(layer(inputs)))


def batches():
    rows = np.random.default_rng(0).normal(size=(40, 2)).astype("float32")
    return tf.data.Dataset.from_tensor_slices((rows, (rows[:, 0] > 0).astype("int32"))).batch(8)


def counted(inputs, labels, *weights):
    return inputs, labels, *weights, tf.repeat(tf.shape(labels), 2)


def weighted(inputs, labels):
    return counted(inputs, labels, tf.ones(tf.shape(labels), tf.float32))


def run(tmp_path, model, *, train=None, callbacks=(), epochs=3, mode="max"):
    said = []
    learner = Learner(model)
    optimizer = learning_rates.layerwise(keras.optimizers.Adam)(0.1)
    learner.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,
    )
    learner.learn_by(plugins.load("losses", "cross_entropy")([1, 1]), [], None)
    optimizer.build(learner.trainable_variables)
    rates = {v.path: 1.0 for v in learner.trainable_variables}
    many = (batches().repeat() if train is None else train).map(weighted)
    fit.run(
        learner,
        lambda epoch, step: many.skip(5 * epoch + step),
        batches().map(counted),
        replicas=ALONE,
        epochs=epochs,
        steps_per_epoch=5,
        phases=[(0, lambda: optimizer.enter(learner.trainable_variables, rates))],
        monitor="val_accuracy" if mode == "max" else "val_loss",
        mode=mode,
        whole=model,
        weights=tmp_path / "best.weights.h5",
        history=tmp_path / "history.csv",
        callbacks=list(callbacks),
        saving=None,
        say=said.append,
    )
    return said


class Spoil(keras.callbacks.Callback):
    """Make the weights worthless at the end of an epoch, before it is validated."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.now = epoch, -1

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_test_begin(self, logs=None):
        if self.now == self.epoch:
            self.model.set_weights([-100 * weight for weight in self.model.get_weights()])


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_best_weights_are_kept_not_the_last(tmp_path, mode):
    model = make()
    said = run(tmp_path, model, callbacks=[Spoil(2)], mode=mode)
    assert said[-1].startswith("Kept the weights of epoch 2: ")
    model.load_weights(tmp_path / "best.weights.h5")
    accuracy = np.mean([np.argmax(model(x), 1) == y for x, y in batches().unbatch().batch(40)])
    assert accuracy > 0.9


def test_history_has_a_line_for_each_epoch(tmp_path):
    run(tmp_path, make())
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"} <= set(rows[0])
    assert float(rows[0]["learning_rate"]) == pytest.approx(0.1)


def test_what_is_said_of_an_epoch(tmp_path):
    said = run(tmp_path, make(), epochs=1)
    assert said[0].startswith("Epoch 1/1: accuracy 0.")
    assert said[0].endswith(" s (best so far)")


def test_weights_are_kept_without_the_optimizers_slots(tmp_path):
    import h5py

    run(tmp_path, make())
    with h5py.File(tmp_path / "best.weights.h5") as file:
        assert "optimizer" not in file
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.weights.h5", "history.csv"]


def test_a_nan_stops_at_its_step_and_says_what_to_do(tmp_path):
    good = np.ones((8, 2), "float32")
    rows = np.stack([good, good, good * np.nan, good])
    train = tf.data.Dataset.from_tensor_slices((rows, np.zeros((4, 8), "int32"))).repeat()
    message = r"loss is nan at step 3 \(it was .*learning rate 0\.1\)\. Lower optimizer\.learning_rate"
    with pytest.raises(TrainingError, match=message):
        run(tmp_path, make(), train=train)
    assert TrainingError.exit_code == 1


def test_the_bar_is_stopped_after_an_error_too(tmp_path, monkeypatch):
    stopped = []
    monkeypatch.setattr(fit.Progress, "stop", lambda self: stopped.append(True))
    train = tf.data.Dataset.from_tensors((np.full((8, 2), np.nan, "float32"), np.zeros(8, "int32"))).repeat()
    with pytest.raises(TrainingError, match=r"at step 1 \(there was none before it"):
        run(tmp_path, make(), train=train)
    assert stopped


def test_the_step_is_traced_once(tmp_path):
    traces = []

    class Counting(keras.layers.Layer):
        def call(self, x, training=None):
            if training:
                traces.append(1)
            return x

    model = dense_on(Counting())
    traces.clear()
    run(tmp_path, model, epochs=1)
    assert len(traces) == 1


class SpoilAtTheLastStep(keras.callbacks.Callback):
    """Do what an update that overflows does."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 4:
            self.model.set_weights([np.nan * weight for weight in self.model.get_weights()])


def test_weights_that_the_last_step_spoilt_are_not_kept(tmp_path):
    # The loss is taken before the update, so only the validation shows what the update did.
    with pytest.raises(TrainingError, match=r"val_loss is nan at the end of epoch 1\. Lower optimizer"):
        run(tmp_path, make(), epochs=1, callbacks=[SpoilAtTheLastStep()])
    assert not (tmp_path / "best.weights.h5").exists()


def test_workers_whose_weights_part_are_told(monkeypatch):
    weights = [keras.Variable([1.0, 2.0]), keras.Variable([3.0])]
    two = Replicas(tf.distribute.get_strategy(), workers=2, worker=1)
    monkeypatch.setattr(Replicas, "agree", lambda self, numbers: [*numbers])
    digests = []
    monkeypatch.setattr(Replicas, "told", lambda self, text: digests.append(text) or text)
    fit.check_same_weights(weights, two)
    monkeypatch.setattr(Replicas, "told", lambda self, text: digests[0])
    fit.check_same_weights(weights, two)
    weights[1].assign([3.0000002])
    with pytest.raises(TrainingError, match="The workers no longer have the same weights"):
        fit.check_same_weights(weights, two)
    fit.check_same_weights(weights, ALONE)
