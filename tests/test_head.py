"""Tests of tfft/head.py."""

import keras
import numpy as np
import pytest

from tfft import backbone, head


@pytest.fixture(scope="module")
def model(tiny_preset):
    return backbone.load(tiny_preset, dropout=None)[0]


IDS = np.array([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]])
MASK = (IDS != 0).astype(int)
INPUTS = {"token_ids": IDS, "segment_ids": IDS * 0, "padding_mask": MASK}


def test_pooling_by_numpy(model):
    tokens = np.array(model(INPUTS)["sequence_output"], dtype=np.float64)
    weights = MASK[:, :, None]
    expected = {
        "cls": tokens[:, 0],
        "last": tokens[[0, 1], [4, 2]],  # the second row has three tokens
        "mean": (tokens * weights).sum(1) / weights.sum(1),
        "max": np.where(weights == 1, tokens, -np.inf).max(1),
        "pooler": np.array(model(INPUTS)["pooled_output"]),
    }
    for pooling, wanted in expected.items():
        found = head.encoder(model, pooling=pooling)(INPUTS)
        np.testing.assert_allclose(found, wanted, atol=1e-6, err_msg=pooling)


@pytest.mark.parametrize("pooling", ["cls", "last", "mean", "max", "pooler"])
def test_more_padding_changes_nothing(model, pooling):
    encoder = head.encoder(model, pooling=pooling)
    wider = {name: np.pad(value, ((0, 0), (0, 4))) for name, value in INPUTS.items()}
    np.testing.assert_allclose(encoder(INPUTS), encoder(wider), atol=1e-5)


def test_the_pooler_is_a_part_of_the_model_only_where_it_is_used(model):
    def has_pooler(pooling):
        return any("pooled_dense" in w.path for w in head.encoder(model, pooling=pooling).weights)

    assert has_pooler("pooler")
    assert not has_pooler("mean")


def test_the_head_has_the_layers_asked_for():
    made = head.dense([4], 3, hidden_layers=[5, 6], activation="relu", dropout=0.5, initializer="he_normal")
    assert [w.shape for w in made.weights] == [(4, 5), (5,), (5, 6), (6,), (6, 3), (3,)]
    kinds = [type(layer).__name__ for layer in made.layers]
    assert kinds == ["InputLayer", "Dropout", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert {layer.rate for layer in made.layers if isinstance(layer, keras.layers.Dropout)} == {0.5}
    assert made.get_layer("hidden_1").activation is keras.activations.relu
    assert made.get_layer("logits").activation is keras.activations.linear


def test_first_weights():
    kernel = head.dense(
        [400], 400, hidden_layers=[], activation="gelu", dropout=0.0, initializer="truncated_normal"
    ).weights[0]
    # Cut at two standard deviations, a normal distribution keeps 0.8796 of its own.
    assert np.std(kernel) == pytest.approx(0.02 * 0.8796, rel=0.02)
    assert np.abs(kernel).max() <= 0.04
    zeros = head.dense([4], 2, hidden_layers=[], activation="gelu", dropout=0.0, initializer="zeros")
    assert not np.any(zeros.weights[0])


def test_the_whole_is_encoder_then_head(model):
    encoder = head.encoder(model, pooling="mean")
    top = head.dense([8], 3, hidden_layers=[], activation="gelu", dropout=0.9, initializer="glorot_uniform")
    whole = head.join(encoder, top)
    np.testing.assert_allclose(whole(INPUTS), top(encoder(INPUTS)), atol=1e-6)
    assert len(whole.weights) == len(encoder.weights) + len(top.weights)


def test_the_logits_begin_with_the_given_bias():
    settings = {"hidden_layers": [], "activation": "gelu", "dropout": 0.0, "initializer": "zeros"}
    top = head.dense([4], 2, bias=[0.5, -2.0], **settings)
    np.testing.assert_array_equal(top(np.ones((3, 4), "float32")), [[0.5, -2.0]] * 3)
    words = head.dense([None, 4], 2, bias=[0.5, -2.0], **settings)
    assert words(np.ones((3, 5, 4), "float32")).shape == (3, 5, 2)
