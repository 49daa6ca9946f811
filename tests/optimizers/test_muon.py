"""Tests of tfft/optimizers/muon.py; the arithmetic is tested in test_arithmetic.py."""

import keras
import pytest

from tests.optimizers import needs_muon
from tfft import backbone, head
from tfft.errors import SettingError
from tfft.learning_rates import layerwise
from tfft.optimizers import muon


@needs_muon
def test_muon_steps_for_feed_forward_kernels_the_pooler_and_hidden_layers_alone(tiny_preset):
    model, _ = backbone.load(tiny_preset, dropout=None)
    top = head.dense(
        [8], 3, hidden_layers=[4], activation="tanh", dropout=0.0, initializer="truncated_normal"
    )
    variables = [*model.weights, *top.weights]
    optimizer = muon.build(layerwise, 0.1)
    optimizer.build(variables)
    pairs = zip(variables, optimizer.adam_velocities, strict=True)
    # In Keras's Muon, what has no second moment gets Muon's step.
    stepping = [variable.path for variable, velocity in pairs if velocity is None]
    assert ["/".join(path.split("/")[-2:]) for path in stepping] == [
        *["feedforward_intermediate_dense/kernel", "feedforward_output_dense/kernel"] * 2,
        "pooled_dense/kernel",
        "hidden_0/kernel",
    ]


def test_a_keras_that_is_too_old_is_told(monkeypatch):
    class Muon:
        """As in Keras 3.12."""

        def __init__(self, learning_rate=0.001, adam_lr_ratio=0.1):
            pass

    monkeypatch.setattr(keras.optimizers, "Muon", Muon)
    monkeypatch.setattr(keras, "__version__", "3.12.0")
    with pytest.raises(SettingError) as caught:
        muon.build(layerwise, 0.1)
    assert str(caught.value) == (
        "optimizer.name: needs Keras 3.13 or newer, and this is 3.12.0, got 'muon'. "
        "Upgrade Keras, or take adamw."
    )
