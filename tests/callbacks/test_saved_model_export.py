"""Tests of tfft/callbacks/saved_model_export.py."""

import numpy as np

from tests.callbacks.toys import fitting, learner, train
from tfft.callbacks import saved_model_export


def test_it_asks_for_an_export_after_every_epoch_and_the_run_knows_whether_there_is_something_new(tmp_path):
    asked = []
    made = saved_model_export.build(fitting(tmp_path, export=lambda: asked.append("export")))
    for epoch in range(3):
        made.on_epoch_end(epoch, {"val_loss": 0.5})
    assert asked == ["export"] * 3


def test_the_kept_weights_are_in_the_folder_when_it_asks(tmp_path):
    made, other, found = learner(), learner(), []

    def export():
        other.load_weights(tmp_path / "best.weights.h5")
        is_now = all(map(np.array_equal, other.get_weights(), made.get_weights()))
        found.append(is_now)
        return tmp_path

    told = fitting(tmp_path, monitor="val_loss", export=export)
    history = train(tmp_path, made, [saved_model_export.build(told)], monitor="val_loss")
    values = history["val_loss"]
    assert found == [value < min([*values[:i], 9.0]) for i, value in enumerate(values)]
    assert sum(found) >= 2
