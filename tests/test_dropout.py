"""Tests of tfft/dropout.py."""

import keras
import keras_hub
import numpy as np
import pytest

from tests import families as tiny
from tfft import dropout
from tfft.errors import SettingError

IDS = np.full((4, 6), 5)
NONE = dict.fromkeys(dropout.PLACES, 0.0)


def build(name="BertBackbone", **changes):
    made = getattr(keras_hub.models, name)
    arguments = dropout.positive(made, tiny.BACKBONES[name] | changes)
    return tiny.backbone_of(name, 40, **arguments)


def noise(model):
    """Return how far two passes in training mode lie apart at most."""
    inputs = {"token_ids": IDS, "segment_ids": IDS * 0, "padding_mask": IDS * 0 + 1}
    inputs = {key: inputs[key] for key in model.input}
    first, second = (keras.tree.flatten(model(inputs, training=True))[0] for _ in range(2))
    return np.abs(np.array(first) - np.array(second)).max()


@pytest.mark.parametrize("place", dropout.PLACES)
def test_each_place_has_its_own_rate(place):
    model = build(dropout=0.0)
    dropout.apply(NONE, model)
    assert noise(model) == 0.0
    dropout.apply(NONE | {place: 0.5}, model)
    assert noise(model) > 1e-3
    layers = {layer.name: layer for layer in model.layers}
    attention = layers["transformer_layer_0"]._self_attention_layer
    assert layers["embeddings_dropout"].rate == (0.5 if place == "embeddings" else 0.0)
    assert attention._dropout == attention._dropout_layer.rate == (0.5 if place == "attention" else 0.0)


@pytest.mark.parametrize("name", [n for n in tiny.BACKBONES if n != "SmolLM3Backbone"])
def test_every_dropout_of_every_family_is_found(name):
    model = build(name)
    rates = {"embeddings": 0.0, "attention": 0.0, "hidden": 0.0}
    dropout.apply(rates, model)
    left = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dropout)]
    assert {layer.rate for layer in left} == {0.0}
    assert noise(model) == 0.0
    dropout.apply({place: 0.5 for place in rates}, model)
    assert {layer.rate for layer in left} == {0.5}
    assert noise(model) > 1e-3


def test_a_mapping_replaces_the_checkpoints_rates_where_it_names_them():
    model, checkpoint = build(), {"embeddings": 0.1, "attention": 0.2, "hidden": 0.3}
    assert dropout.chosen(None, checkpoint, model) == checkpoint
    assert dropout.chosen(0.0, checkpoint, model) == NONE
    assert dropout.chosen({"attention": 0.0, "hidden": None}, checkpoint, model) == {
        "embeddings": 0.1, "attention": 0.0, "hidden": 0.3,
    }  # fmt: skip


def test_a_rate_where_there_is_no_dropout_is_refused():
    rates = {"embeddings": 0.1, "attention": 0.1, "hidden": 0.1}
    with pytest.raises(
        SettingError, match=r"backbone\.dropout\.embeddings: must be left out, for LlamaBackbone has no "
    ):
        dropout.chosen({"embeddings": 0.2}, rates, build("LlamaBackbone"))
    with pytest.raises(SettingError, match=r"backbone\.dropout: must be left out, for SmolLM3Backbone"):
        dropout.chosen(0.2, rates, build("SmolLM3Backbone"))
    assert dropout.chosen(0.2, rates, build("LlamaBackbone")) == {"attention": 0.2, "hidden": 0.2}


def test_a_constructors_arguments_tell_the_rates():
    falcon = {"attention_dropout_rate": 0.1, "feedforward_dropout_rate": 0.2}
    assert dropout.from_arguments(falcon) == {"embeddings": 0.2, "attention": 0.1, "hidden": 0.2}
    assert dropout.from_arguments({"dropout": 0.3}) == dict.fromkeys(dropout.PLACES, 0.3)
    made = keras_hub.models.BertBackbone
    assert dropout.positive(made, {"dropout": 0, "num_layers": 0}) == {"dropout": 0.1, "num_layers": 0}
