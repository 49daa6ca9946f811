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


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_windows_are_encoded_apart_and_pooled_where_a_row_has_them(model, pooling):
    encoder = head.encoder(model, pooling="mean")
    dice = np.random.default_rng(0)
    inputs = {
        "token_ids": dice.integers(0, 9, (3, 4, 5)),
        "segment_ids": np.zeros((3, 4, 5), int),
        "padding_mask": (np.arange(5) < dice.integers(1, 6, (3, 4, 1))).astype(int),
    }
    counts = [4, 1, 2]
    is_window = (np.arange(4) < np.array(counts)[:, None]).astype(int)
    found = head.windows(encoder, pooling=pooling)(inputs | {"window_mask": is_window})
    for row, count in enumerate(counts):
        own = encoder({name: part[row, :count] for name, part in inputs.items()})
        wanted = np.mean(own, axis=0) if pooling == "mean" else np.max(own, axis=0)
        np.testing.assert_allclose(found[row], wanted, rtol=1e-4, atol=1e-5)


def test_the_vector_of_a_word_is_that_at_its_place():
    ids = keras.Input([None], dtype="int32", name="token_ids")
    table = keras.layers.Embedding(9, 4)
    encoder = head.words(keras.Model({"token_ids": ids}, table(ids)))
    places = np.array([[2, 0, -1], [1, -1, -1]], "int32")
    tokens = np.array([[5, 6, 7], [1, 2, 3]], "int32")
    found = encoder({"token_ids": tokens, "word_places": places})
    weights = table.get_weights()[0]
    np.testing.assert_array_equal(found[0], [weights[7], weights[5], np.zeros(4)])
    np.testing.assert_array_equal(found[1], [weights[2], np.zeros(4), np.zeros(4)])
    top = head.dense([None, 4], 2, bias=[1.0, 2.0], hidden_layers=[], activation="gelu", dropout=0.0,
                     initializer="glorot_uniform")  # fmt: skip
    logits = head.join(encoder, top)({"token_ids": tokens, "word_places": places})
    np.testing.assert_array_equal(logits[1, 1:], np.zeros((2, 2)))
    np.testing.assert_allclose(logits[0, 0], top(found)[0, 0], rtol=1e-6)
