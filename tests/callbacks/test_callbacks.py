"""Tests of the callbacks that the config may name."""

import keras
import numpy as np
import pytest

from tfft import plugins
from tfft.callbacks import early_stopping, tensorboard


@pytest.mark.parametrize("name", plugins.names("callbacks"))
def test_every_callback_is_a_keras_callback(name, tmp_path):
    made = plugins.load("callbacks", name)(tmp_path, "val_loss", "min")
    assert isinstance(made, keras.callbacks.Callback)


def fit(callback, epochs):
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    rows = np.zeros((4, 1))  # with no gradient the loss never changes
    history = model.fit(
        rows, rows, validation_data=(rows, rows), epochs=epochs, verbose=0, callbacks=[callback]
    )
    return len(history.history["loss"])


def test_early_stopping_counts_epochs_without_improvement(tmp_path):
    assert fit(early_stopping.build(tmp_path, "val_loss", "min", patience=2), epochs=9) == 3


def test_early_stopping_takes_the_direction_it_is_given(tmp_path):
    made = early_stopping.build(tmp_path, "val_accuracy", "max", min_delta=0.5)
    made.set_model(keras.Sequential())
    made.on_train_begin()
    for epoch, accuracy in enumerate([0.1, 0.7, 0.8]):  # 0.8 is no improvement of 0.5
        made.on_epoch_end(epoch, {"val_accuracy": accuracy})
    assert made.wait == 1


def test_tensorboard_writes_below_the_run(tmp_path):
    fit(tensorboard.build(tmp_path, "val_loss", "min"), epochs=1)
    for part in ("train", "validation"):
        assert list((tmp_path / "tensorboard" / part).glob("events.out.*"))
