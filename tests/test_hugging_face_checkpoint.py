"""Tests of benchmarks/hugging_face_checkpoint.py: what it writes is the trained model, by tfft's reader."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from benchmarks import hugging_face_checkpoint
from tfft import backbone, finished, head, word_piece


@pytest.fixture(scope="module")
def model(trained):
    return finished.restore(trained.directory)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint") / "new"
    hugging_face_checkpoint.write(model, folder)
    return folder


def test_it_computes_what_the_run_does(model, folder):
    body, architecture = backbone.load(folder, dropout=0.0)
    assert architecture.activation == "gelu_erf"
    tokens = model.preprocessor({"text": tf.constant(["a good film", "", "very bad plot ."])})
    vectors = head.encoder(body, pooling=model.description["pooling"])(tokens, training=False)
    np.testing.assert_allclose(vectors, model.encoder(tokens, training=False), atol=1e-6)
    (layer,) = [layer for layer in model.head.layers if layer.weights]
    kept = load_file(folder / "head.safetensors")
    np.testing.assert_array_equal(kept["0.kernel"], layer.kernel)
    np.testing.assert_array_equal(kept["0.bias"], layer.bias)


def test_the_temperature_is_in_the_last_layer(model, tmp_path):
    warm = replace(model, description={**model.description, "temperature": 2.0})
    hugging_face_checkpoint.write(warm, tmp_path / "new")
    (layer,) = [layer for layer in model.head.layers if layer.weights]
    kept = load_file(tmp_path / "new" / "head.safetensors")
    np.testing.assert_allclose(kept["0.kernel"], layer.kernel / 2, rtol=1e-6)
    np.testing.assert_allclose(kept["0.bias"], layer.bias / 2, rtol=1e-6)


def test_the_kernels_stand_as_in_the_checkpoint_that_was_tuned(model, folder, tiny_preset):
    def shapes(place):
        return {name: array.shape for name, array in load_file(place / "model.safetensors").items()}

    assert shapes(folder) == shapes(tiny_preset)


def test_the_tokenizer_and_the_labels_are_told(model, folder):
    vocabulary, _ = word_piece.read_files(folder)
    told = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    assert tuple(vocabulary) == model.preprocessor.tokenizer.vocabulary
    assert told["labels"] == ["bad", "good"]
    assert told["tokenization"] == {"lowercase": True, "strip_accents": True, "split_chinese": True}
    assert told["sequence_length"] == 16


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"windows": {"at_most": 2}}, "its windows is"),
        ({"pooling": "last"}, "its pooling is 'last'"),
        ({"preparation": [{"name": "trim"}]}, "its preparation is"),
        ({"decision": {"positive": 1, "margin": 0.5}}, "its tuned threshold is"),
    ],
)
def test_a_run_that_needs_more_is_refused(model, tmp_path, changed, told):
    other = replace(model, description={**model.description, **changed})
    with pytest.raises(SystemExit, match=told):
        hugging_face_checkpoint.write(other, tmp_path / "new")
    assert not (tmp_path / "new").exists()
