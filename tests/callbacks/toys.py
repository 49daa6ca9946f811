"""A toy training with the real learner, optimizer and `fit.run`, for the tests of the callbacks."""

import json

import keras
import numpy as np
import tensorflow as tf

from tfft import fit
from tfft.callbacks import Fitting
from tfft.learner import Learner
from tfft.learning_rates import layerwise
from tfft.losses import cross_entropy
from tfft.strategy import ALONE
from tfft.tasks import Facts, text_classification

STEPS = 4  # an epoch
OUTPUTS = text_classification.build().outputs(Facts(("left", "right")), None)
MODES = {prefix + name: mode for name, mode in OUTPUTS.modes.items() for prefix in ("", "val_")}


def fitting(folder, **changes):
    """Return what a run would tell its callbacks."""
    told = {
        "directory": folder,
        "monitor": "val_accuracy",
        "modes": MODES,
        "schedule": "constant",
        "steps_per_epoch": STEPS,
        "total_steps": 3 * STEPS,
        "settled": 0,
        "export": lambda: folder / "export" / "1",
    }
    return Fitting(**(told | changes))


def learner(optimizer_class=keras.optimizers.SGD, rate=0.5, **settings):
    """Return a compiled learner of two layers, `hidden` and `top`, with its optimizer built."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input([2])
    hidden = keras.layers.Dense(3, activation="tanh", name="hidden")(inputs)
    made = Learner(keras.Model(inputs, keras.layers.Dense(2, name="top")(hidden)))
    made.learn_by(cross_entropy.build([1, 1]), [], None)
    made.compile(
        optimizer=layerwise(optimizer_class)(rate, **settings),
        loss=OUTPUTS.loss,
        metrics=OUTPUTS.metrics(),
        jit_compile=False,
        auto_scale_loss=False,
    )
    made.optimizer.build(made.weights)
    return made


def enter(made):
    """Train at the plain rate whatever may train now."""
    made.optimizer.enter(made.trainable_variables, {v.path: 1.0 for v in made.trainable_variables})


def rows():
    """Return features `[STEPS, 8, 2]` and ids `[STEPS, 8]`: whether the first is above 0."""
    features = np.random.default_rng(0).normal(size=(STEPS, 8, 2)).astype("float32")
    return features, (features[..., 0] > 0).astype("int32")


def counted(*columns):
    """Return batches `[steps, rows, …]` as `fit.run` takes them, all rows real."""
    return tf.data.Dataset.from_tensor_slices(
        (*columns, np.full((len(columns[0]), 2), columns[0].shape[1], "int32"))
    )


def train(
    folder, made, callbacks, *, epochs=3, spoilt=(), phases=None, monitor="val_accuracy", remembered=()
):
    """Train through `fit.run`; return Keras's history.

    Args:
        folder: For the kept weights and `history.csv`.
        made: What `learner` returned.
        callbacks: In their order.
        epochs: At most.
        spoilt: Steps, from 1, whose features are NaN.
        phases: As in `fit.run`; None trains everything.
        monitor: Value that chooses the best epoch.
        remembered: Pairs of a callback and the state that it takes back once the training has begun.
    """
    features, ids = rows()
    many, ids_of_many = np.tile(features, (epochs, 1, 1)), np.tile(ids, (epochs, 1))
    many[[step - 1 for step in spoilt]] = np.nan
    weights = np.ones(ids_of_many.shape, "float32")
    batches = counted(many, ids_of_many, weights).repeat()
    fit.run(
        made,
        lambda epoch, step: batches.skip(epoch * STEPS + step),
        counted(features, ids),
        replicas=ALONE,
        epochs=epochs,
        steps_per_epoch=STEPS,
        phases=phases or [(0, lambda: enter(made))],
        monitor=monitor,
        mode=MODES[monitor],
        whole=made,
        weights=folder / "best.weights.h5",
        history=folder / "history.csv",
        callbacks=[*callbacks, TakeBack(remembered)],
        saving=None,
        say=lambda line: None,
    )
    return made.history.history


class TakeBack(keras.callbacks.Callback):
    """Give callbacks their state, as a resume does."""

    def __init__(self, remembered):
        super().__init__()
        self.remembered = remembered

    def on_train_begin(self, logs=None):
        for callback, state in self.remembered:
            callback.restore(state)


class Remember(keras.callbacks.Callback):
    """Note at the end what a callback would be saved with, `state`, as it comes back from a file."""

    def __init__(self, callback):
        super().__init__()
        self.callback = callback

    def on_train_end(self, logs=None):
        self.state = {
            name: value if holds_arrays(value) else json.loads(json.dumps(value))
            for name, value in self.callback.state().items()
        }


def holds_arrays(value):
    return isinstance(value, list) and all(isinstance(part, np.ndarray) for part in value)


class Record(keras.callbacks.Callback):
    """Note the weights: at the start and after each step, at each validation and each epoch's start."""

    def on_train_begin(self, logs=None):
        self.steps, self.validated, self.begun = [self.model.get_weights()], [], []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self.model.get_weights())

    def on_test_end(self, logs=None):
        self.validated.append(self.model.get_weights())

    def on_epoch_begin(self, epoch, logs=None):
        self.begun.append(self.model.get_weights())


class Read(keras.callbacks.Callback):
    """Note what another program would see after each step."""

    def __init__(self, path):
        super().__init__()
        self.path, self.seen = path, []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.path.read_text(encoding="utf-8"))


def follow(callback, name, values, first=0, state=None):
    """Tell a callback the values of some epochs; return the epoch, from 0, that it stopped after, or None.

    With a state, it takes that back once the training has begun.
    """
    if callback.model is None:
        callback.set_model(keras.Sequential())
        callback.model.stop_training = False
        callback.on_train_begin()
        if state is not None:
            callback.restore(state)
    for epoch, value in enumerate(values, first):
        callback.on_epoch_end(epoch, {name: value})
        if callback.model.stop_training:
            return epoch
    return None


def same(found, wanted, **tolerance):
    """Compare two lists of arrays, exactly if no tolerance is given."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        if tolerance:
            np.testing.assert_allclose(one, other, **tolerance)
        else:
            np.testing.assert_array_equal(one, other)
