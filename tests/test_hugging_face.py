"""Tests of tfft/hugging_face.py; that of BERT stands in test_backbone.py."""

import json
from dataclasses import asdict

import keras_hub
import numpy as np
import pytest

from tests import families as tiny
from tfft import backbone, hugging_face
from tfft.errors import PresetError

# What KerasHub can write itself in Hugging Face's format, and what it leaves out of the config.
WRITTEN = {
    "GPT2Backbone": {},
    "Gemma3Backbone": {},
    "GemmaBackbone": {},
    "Llama3Backbone": {"rms_norm_eps": 1e-5},
    "QwenBackbone": {"use_sliding_window": False, "sliding_window": 32768},
}
POST_NORMS = {"use_post_ffw_norm": True, "use_post_attention_norm": True}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_keras_hub_writes_is_read(tmp_path, name):
    made = tiny.backbone_of(name, 40, **(POST_NORMS if name == "Gemma3Backbone" else {}))
    try:
        made.export_to_transformers(str(tmp_path))
    except ValueError as error:
        if "not implemented" not in str(error):
            raise
        pytest.skip(f"KerasHub {keras_hub.__version__} cannot write it in Hugging Face's format")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | WRITTEN[name]))
    inputs = {"token_ids": np.array([[3, 4, 5, 6]]), "padding_mask": np.ones([1, 4], int)}
    read, architecture = backbone.load(tmp_path, dropout=None)
    tolerance = 1e-2 if name == "Llama3Backbone" else 1e-6  # its epsilon is not the one it was made with
    np.testing.assert_allclose(read(inputs), made(inputs), atol=tolerance)
    kept = json.loads(json.dumps(asdict(architecture)))
    again = backbone.build(backbone.Architecture(**kept))
    again.set_weights(read.get_weights())
    np.testing.assert_array_equal(again(inputs), read(inputs))
    if name == "Llama3Backbone":
        assert architecture.arguments["layer_norm_epsilon"] == 1e-5


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "roberta"}, r"has no layer_norm_eps, which means 1e-12; .* 1e-05 only"),
        ({"model_type": "roberta", "layer_norm_eps": 1e-5, "hidden_act": "relu"}, "hidden_act 'relu'"),
        ({"model_type": "distilbert", "activation": "relu"}, "activation 'relu'; .* computes 'gelu' only"),
        ({"model_type": "albert", "hidden_act": "gelu"}, "hidden_act 'gelu'"),
        ({"model_type": "gpt2", "scale_attn_by_inverse_layer_idx": True}, "inverse_layer_idx True"),
        ({"model_type": "gemma", "rms_norm_eps": 1e-5}, "rms_norm_eps 1e-05"),
        ({"model_type": "mistral", "rope_scaling": {"factor": 2.0}}, "rope_scaling {'factor': 2.0}"),
        ({"model_type": "llama", "rope_parameters": {"rope_type": "yarn"}}, "of type 'yarn'"),
        (
            {"model_type": "gemma3_text", "num_hidden_layers": 2, "layer_types": ["sliding_attention",
             "full_attention"]},
            "lets each sixth layer see the whole text",
        ),
        ({"model_type": "electra"}, "'electra' model in Hugging Face's format, which tfft cannot read"),
    ],
)  # fmt: skip
def test_what_would_be_computed_otherwise_is_refused(tmp_path, config, message):
    with pytest.raises(PresetError, match=message):
        hugging_face.backbone_name(tmp_path, config)


def test_dropout_rates():
    assert hugging_face.dropout({"model_type": "gpt2", "attn_pdrop": 0.2}) == {
        "embeddings": 0.1, "attention": 0.2, "hidden": 0.1,
    }  # fmt: skip
    assert hugging_face.dropout({"model_type": "albert"}) == {
        "embeddings": 0.0, "attention": 0.0, "hidden": 0.0,
    }  # fmt: skip
    assert hugging_face.dropout({"model_type": "llama", "attention_dropout": 0.1}) == {
        "embeddings": 0.0, "attention": 0.1, "hidden": 0.0,
    }  # fmt: skip


def test_llama_cuts_text_as_its_tokenizer_file_says(tmp_path):
    assert hugging_face.tokens_of(tmp_path, {"model_type": "llama"}) == "Llama3Backbone"
    (tmp_path / "tokenizer.model").touch()
    assert hugging_face.tokens_of(tmp_path, {"model_type": "llama"}) == "LlamaBackbone"
