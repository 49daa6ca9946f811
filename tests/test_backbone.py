"""Tests of tfft/backbone.py."""

import json
import shutil

import keras_hub
import numpy as np
import pytest

from tests.conftest import VOCABULARY, write_hugging_face
from tfft import backbone, fingerprint
from tfft.errors import PresetError


def inputs():
    ids = np.array([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]])
    return {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": (ids != 0).astype(int)}


@pytest.mark.parametrize("form", ["gelu", "gelu_pytorch_tanh"])
def test_outputs_equal_the_references_in_both_forms_of_gelu(shared, tmp_path, form):
    golden = shared / "golden"
    for file in (golden / "tiny_bert_hf").iterdir():
        shutil.copyfile(file, tmp_path / file.name)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_act": form}))
    expected = json.loads((golden / "tiny_bert_expected.json").read_text())
    model, _ = backbone.load(tmp_path, dropout=None)
    found = model({name: np.array(expected[name]) for name in ("token_ids", "segment_ids", "padding_mask")})
    wanted = expected["float64_outputs"][form]
    for row, states in enumerate(wanted["last_hidden_state"]):
        np.testing.assert_allclose(found["sequence_output"][row][: len(states)], states, atol=1e-5)
    np.testing.assert_allclose(found["pooled_output"], wanted["pooler_output"], atol=1e-5)


def test_load_takes_from_the_config_what_keras_hub_leaves_out(tmp_path):
    write_hugging_face(
        tmp_path, layer_norm_eps=1e-5, hidden_act="relu", hidden_dropout_prob=0.25,
        attention_probs_dropout_prob=0.25, type_vocab_size=3,
    )  # fmt: skip
    model, architecture = backbone.load(tmp_path, dropout=None)
    assert architecture.dropout == {"embeddings": 0.25, "attention": 0.25, "hidden": 0.25}
    assert architecture.activation == "relu"
    assert architecture.layer_norm_epsilon == 1e-5
    block = model.get_layer("transformer_layer_1")
    assert block._feedforward_layer_norm.epsilon == block._self_attention_layer_norm.epsilon == 1e-5
    assert model.get_layer("embeddings_layer_norm").epsilon == 1e-5
    assert model.get_layer("segment_embedding").embeddings.shape == (3, 8)
    assert block.dropout == 0.25


def test_the_two_forms_of_gelu_differ(tmp_path, tiny_preset):
    # A check that the parity test above could fail: the form reaches the outputs.
    write_hugging_face(tmp_path, hidden_act="gelu_new")
    erf, _ = backbone.load(tiny_preset, dropout=None)
    tanh, _ = backbone.load(tmp_path, dropout=None)
    difference = np.abs(erf(inputs())["sequence_output"] - tanh(inputs())["sequence_output"]).max()
    assert 1e-6 < difference < 1e-1


def test_build_and_the_same_weights_give_the_same_outputs(tiny_preset):
    loaded, architecture = backbone.load(tiny_preset, dropout=None)
    built = backbone.build(architecture)
    built.set_weights(loaded.get_weights())
    np.testing.assert_array_equal(loaded(inputs())["sequence_output"], built(inputs())["sequence_output"])


def test_load_keras_hub_format(tmp_path):
    made = keras_hub.models.BertBackbone(
        vocabulary_size=len(VOCABULARY), num_layers=1, num_heads=2, hidden_dim=4, intermediate_dim=8
    )
    made.save_to_preset(str(tmp_path))
    backbone.verify(tmp_path, sha256=None)
    loaded, architecture = backbone.load(tmp_path, dropout=0.3)
    assert architecture.activation == "gelu_tanh"
    assert architecture.dropout == {"embeddings": 0.3, "attention": 0.3, "hidden": 0.3}
    np.testing.assert_array_equal(made(inputs())["pooled_output"], loaded(inputs())["pooled_output"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "mamba"}, "holds a 'mamba' model in Hugging Face's format, .* It takes albert, bert"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ({"is_decoder": True}, "is_decoder True"),
        ({"hidden_act": "mish"}, "hidden_act 'mish'; known are gelu, "),
    ],
)
def test_load_refuses_what_keras_hub_cannot_compute(tmp_path, changes, message):
    write_hugging_face(tmp_path, **changes)
    with pytest.raises(PresetError, match=message):
        backbone.load(tmp_path, dropout=None)


def test_both_dropout_rates_of_a_checkpoint_are_taken(tmp_path):
    write_hugging_face(tmp_path, attention_probs_dropout_prob=0.0, hidden_dropout_prob=0.2)
    model, architecture = backbone.load(tmp_path, dropout=None)
    assert architecture.dropout == {"embeddings": 0.2, "attention": 0.0, "hidden": 0.2}
    assert backbone.load(tmp_path, dropout=0.3)[1].dropout["attention"] == 0.3
    assert model.get_layer("embeddings_dropout").rate == 0.2


def test_load_names_the_tensor_that_is_missing_or_of_another_shape(tmp_path):
    from safetensors.numpy import load_file, save_file

    write_hugging_face(tmp_path)
    path, name = tmp_path / "model.safetensors", "encoder.layer.1.output.dense.bias"
    tensors = load_file(path)
    bias = tensors.pop(name)
    save_file(tensors, path)
    with pytest.raises(PresetError, match=r"it has no tensor encoder\.layer\.1\.output\.dense\.bias\. Fetch"):
        backbone.load(tmp_path, dropout=None)
    save_file(tensors | {name: bias[:-1]}, path)
    with pytest.raises(PresetError, match=r"dense\.bias has the shape \(7,\), expected \(8,\)"):
        backbone.load(tmp_path, dropout=None)


@pytest.mark.parametrize("old_names", [False, True])
def test_load_checkpoints_with_a_prefix_old_names_and_shards(tmp_path, tiny_preset, old_names):
    from safetensors.numpy import load_file, save_file

    write_hugging_face(tmp_path)
    tensors = {f"bert.{name}": value for name, value in load_file(tmp_path / "model.safetensors").items()}
    if old_names:
        tensors = {
            name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): value
            for name, value in tensors.items()
        }
    (tmp_path / "model.safetensors").unlink()
    shards = {name: f"model-{index % 2}.safetensors" for index, name in enumerate(tensors)}
    for shard in set(shards.values()):
        save_file({name: tensors[name] for name in tensors if shards[name] == shard}, tmp_path / shard)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    backbone.verify(tmp_path, sha256=None)
    with pytest.raises(PresetError, match="lie in several files, and the hash is that of one"):
        backbone.verify(tmp_path, sha256="0" * 64)
    sharded, _ = backbone.load(tmp_path, dropout=None)
    plain, _ = backbone.load(tiny_preset, dropout=None)
    for one, other in zip(sharded.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_verify_checks_the_hash(tiny_preset):
    import hashlib

    right = hashlib.sha256((tiny_preset / "model.safetensors").read_bytes()).hexdigest()
    backbone.verify(tiny_preset, sha256=right)
    with pytest.raises(PresetError, match=rf"has the hash {right}, expected {'0' * 64}\. It was not read"):
        backbone.verify(tiny_preset, sha256="0" * 64)


def test_verify_refuses_a_pickle_with_the_way_out(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(PresetError, match=r"pytorch_model\.bin, a pickle.*safetensors\.torch\.save_file"):
        backbone.verify(tmp_path, sha256=None)


def test_verify_names_what_is_missing(tmp_path):
    with pytest.raises(PresetError, match=r"holds no config\.json"):
        backbone.verify(tmp_path, sha256=None)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    message = r"holds no weights; expected model\.safetensors\.index\.json or model\.safetensors"
    with pytest.raises(PresetError, match=message):
        backbone.verify(tmp_path, sha256=None)


@pytest.mark.parametrize(
    ("declared", "pooling"),
    [
        ({"pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, None),
    ],
)
def test_declared_pooling(tmp_path, declared, pooling):
    assert backbone.declared_pooling(tmp_path) is None
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(declared))
    assert backbone.declared_pooling(tmp_path) == pooling


def test_layers_hold_every_weight_once_at_rising_depth(tiny_preset):
    model, _ = backbone.load(tiny_preset, dropout=None)
    groups = list(backbone.layers(model))
    assert [(name, depth) for name, depth, _ in groups] == [
        ("embeddings", 0), ("block 0", 1), ("block 1", 2), ("pooler", 3),
    ]  # fmt: skip
    found = [id(weight) for _, _, layers in groups for layer in layers for weight in layer.weights]
    assert sorted(found) == sorted(id(weight) for weight in model.weights)


def test_the_hash_is_that_of_the_file_which_is_read(tmp_path):
    # Files of another format beside the weights must not be read in their place unchecked.
    write_hugging_face(tmp_path)
    right = fingerprint.of_files(tmp_path / "model.safetensors")
    (tmp_path / "model.weights.h5").write_bytes(b"other weights")
    backbone.verify(tmp_path, sha256=right)
    assert backbone.weights_file(tmp_path).name == "model.safetensors"
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"x": "evil.safetensors"}}')
    with pytest.raises(PresetError, match="lie in several files"):
        backbone.verify(tmp_path, sha256=right)
    (tmp_path / "model.safetensors.index.json").unlink()
    (tmp_path / "config.json").write_text('{"class_name": "BertBackbone", "config": {}}')
    with pytest.raises(PresetError, match=r"model\.weights\.h5 has the hash"):
        backbone.verify(tmp_path, sha256=right)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"config\.json: Expecting"),
        ("[]", r"config\.json holds no keys and values"),
        ('{"model_type": "bert"}', r"its config\.json has no 'hidden_act'"),
        ('{"class_name": "BertBackbone"}', r"its config\.json has no 'config'"),
        ('{"class_name": "T5Backbone"}', r"holds a T5Backbone; tfft takes BertBackbone, .*SmolLM3Backbone"),
    ],
)
def test_a_damaged_config_is_named(tmp_path, content, message):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(PresetError, match=message):
        backbone.load(tmp_path, dropout=None)


def test_a_checkpoint_without_a_pooler_is_taken_and_told(tmp_path, tiny_preset):
    from safetensors.numpy import load_file, save_file

    write_hugging_face(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({n: t for n, t in tensors.items() if "pooler" not in n}, tmp_path / "model.safetensors")
    assert backbone.has_pooler(tiny_preset)
    assert not backbone.has_pooler(tmp_path)
    one, other = (backbone.load(folder, dropout=None)[0] for folder in (tmp_path, tiny_preset))
    np.testing.assert_array_equal(one(inputs())["sequence_output"], other(inputs())["sequence_output"])


def test_a_transposed_embedding_is_refused(tmp_path):
    from safetensors.numpy import load_file, save_file

    write_hugging_face(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    words = "embeddings.word_embeddings.weight"
    save_file(tensors | {words: tensors[words].T.copy()}, tmp_path / "model.safetensors")
    with pytest.raises(
        PresetError, match=r"word_embeddings\.weight has the shape \(8, 38\), expected \(38, 8\)"
    ):
        backbone.load(tmp_path, dropout=None)
