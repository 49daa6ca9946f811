"""Tests of tfft/callbacks/tensorboard.py."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorflow import make_ndarray

from tests.callbacks.toys import STEPS, fitting, learner, train
from tfft.callbacks import tensorboard


def points(folder, tag):
    """Return {step: value} of a curve."""
    events = EventAccumulator(str(folder)).Reload()
    return {event.step: float(make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)}


def test_every_epochs_values_are_below_the_run(tmp_path):
    history = train(tmp_path, learner(), [tensorboard.build(fitting(tmp_path))], epochs=2)
    folder = tmp_path / "tensorboard"
    assert sorted(path.name for path in folder.iterdir()) == ["train", "validation"]
    for part, name, key in (
        ("train", "epoch_loss", "loss"),
        ("train", "epoch_learning_rate", "learning_rate"),
        ("validation", "epoch_loss", "val_loss"),
        ("validation", "epoch_f1_macro", "val_f1_macro"),
    ):
        found = points(folder / part, name)
        assert found == {epoch: pytest.approx(value) for epoch, value in enumerate(history[key])}


def test_a_number_writes_the_loss_every_so_many_steps_and_weights_where_asked(tmp_path):
    build = tensorboard.build(fitting(tmp_path), update_freq=2, histogram_freq=1)
    train(tmp_path, learner(), [build], epochs=1)
    events = EventAccumulator(str(tmp_path / "tensorboard" / "train")).Reload()
    tags = events.Tags()["tensors"]
    assert build.update_freq == 2
    # Keras 3.12 writes a point for every step nevertheless.
    assert len(points(tmp_path / "tensorboard" / "train", "batch_loss")) in (STEPS // 2, STEPS)
    assert any("kernel" in tag and "histogram" in tag for tag in tags)
