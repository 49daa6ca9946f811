"""The contract of every family: from a preset folder to an exported SavedModel."""

import json
import shutil
import subprocess
import sys

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

import tfft
from tests import families as tiny
from tfft import backbone, classifier, families, freezing, inputs, lora, parity, reload_probe, saved_model
from tfft.errors import PresetError, SettingError
from tfft.tasks import Facts

NAMES = [family.backbone for family in families.FAMILIES]
SPELLINGS = (
    "<s> </s> <pad> <bos> <eos> <start_of_turn> [CLS] [SEP] [PAD] [MASK] <|endoftext|> "
    "<|begin_of_text|> <|end_of_text|> <|im_end|>"
)
TEXTS = ["good film", "a bad plot is an awful scene and very poor", "", SPELLINGS, *saved_model.HARD_TEXTS]
SETTINGS = {
    "sha256": None,
    "sequence_length": 16,
    "dropout": None,
    "pooling": "auto",
    "head_settings": {
        "hidden_layers": [], "activation": "gelu", "dropout": 0.1, "initializer": "glorot_uniform",
    },
    "task": {"name": "text_classification"},
    "facts": Facts(("bad", "good")),
    "inputs": inputs.read("text"),
    "preparation": [],
    "truncation": "head",
    "windows": None,
    "reinitialize_blocks": 0,
    "lora_settings": None,
    "precision": "float32",
}  # fmt: skip
EXPORTS: dict[str, tuple] = {}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return the preset folder of a family, written once."""
    written = {}

    def folder(name):
        if name not in written:
            written[name] = tmp_path_factory.mktemp(name)
            tiny.write(written[name], name)
        return written[name]

    return folder


@pytest.fixture(scope="module", params=NAMES)
def model(request, folders):
    if not hasattr(keras_hub.models, request.param):
        pytest.skip(f"the installed KerasHub has no {request.param}")
    keras.utils.set_random_seed(0)
    return classifier.from_preset(str(folders(request.param)), **SETTINGS)


def name_of(model):
    return model.description["backbone"]["backbone"]


def test_every_family_has_a_tiny_preset():
    assert sorted(NAMES) == sorted(tiny.BACKBONES)


def test_every_variable_is_in_one_group_at_rising_depth(model):
    names = [group.name for group in model.groups]
    blocks = 1 if name_of(model) == "AlbertBackbone" else 2  # ALBERT's two share their weights
    assert names == ["embeddings", *(f"block {n}" for n in range(blocks)), "head"]
    assert [group.depth for group in model.groups] == list(range(blocks + 2))
    found = [id(variable) for group in model.groups for variable in group.variables]
    assert sorted(found) == sorted(id(variable) for variable in model.whole.weights)
    assert any(variable is model.token_embedding for variable in model.groups[0].variables)


def test_one_step_moves_every_variable(model):
    inputs = model.preprocessor({"text": tf.constant(TEXTS[:2])})
    with tf.GradientTape() as tape:
        loss = model.outputs.loss(np.array([0, 1]), model.whole(inputs, training=True))
    weights = model.whole.trainable_weights
    for weight, gradient in zip(weights, tape.gradient(loss, [w.value for w in weights]), strict=True):
        assert gradient is not None, weight.path
        # The softmax takes no notice of what is added to all keys alike.
        if "/key/bias" not in weight.path:
            assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, weight.path


def test_a_row_beside_a_longer_one_is_answered_alike(model):
    alone = model.serve(text=tf.constant(TEXTS[:1]))["probabilities"][0]
    beside = model.serve(text=tf.constant(TEXTS[:2]))["probabilities"]
    np.testing.assert_allclose(alone, beside[0], atol=1e-5)
    assert np.abs(beside[0] - beside[1]).max() > 1e-4, "the answers of a random model differ"


def test_special_tokens_in_text_are_text(model):
    frame = model.preprocessor.frame
    kind = families.of(name_of(model))
    ids = set(model.preprocessor.tokenizer.tokenize(tf.constant([SPELLINGS])).to_list()[0])
    special = {frame.start, frame.end, frame.blank} | ({frame.pad} if kind.pad else set())
    turn = model.preprocessor.tokenizer.id_of("<start_of_turn>")
    assert ids
    assert not ids & (special | {turn})
    packed = model.preprocessor({"text": tf.constant([TEXTS[0], ""])})
    rows = packed["token_ids"].numpy().tolist()
    assert frame.start is None or [row[0] for row in rows] == [frame.start] * 2
    assert frame.blank is None or rows[1][0] == frame.blank
    if "padding_mask" in packed:
        assert (packed["padding_mask"].numpy().sum(1) >= 1).all()


def test_plain_text_has_the_ids_of_keras_hubs_tokenizer(model, folders):
    text = ["the film was good", "watching"]
    theirs = keras_hub.tokenizers.Tokenizer.from_preset(str(folders(name_of(model))))
    ours = model.preprocessor.tokenizer.tokenize(tf.constant(text)).to_list()
    assert ours == [list(map(int, theirs(row))) for row in text]


def test_a_run_restores_it_without_the_preset(model, tmp_path):
    (tmp_path / "description.json").write_text(json.dumps(model.description))
    for name, content in model.preprocessor.tokenizer.files.items():
        (tmp_path / name).write_bytes(content)
    model.whole.save_weights(tmp_path / "best.weights.h5")
    again = classifier.restore(tmp_path / "description.json", tmp_path / "best.weights.h5")
    inputs = model.preprocessor({"text": tf.constant(TEXTS[:4])})
    for name, value in again.preprocessor({"text": tf.constant(TEXTS[:4])}).items():
        np.testing.assert_array_equal(value, inputs[name])
    np.testing.assert_array_equal(again.whole(inputs), model.whole(inputs))


# One of each way in which a family spells its layers.
LORA = (
    "BertBackbone", "RobertaBackbone", "AlbertBackbone", "DebertaV3Backbone", "RoformerV2Backbone",
    "FNetBackbone", "GPT2Backbone", "GPTNeoXBackbone", "GemmaBackbone", "SmolLM3Backbone",
)  # fmt: skip


@pytest.mark.parametrize("model", LORA, indirect=True)
def test_lora_is_learned_beside_the_kernels_and_merged_when_restored(folders, model, tmp_path):
    # F-Net mixes by a Fourier transform, without query and value.
    targets = ["intermediate_dense"] if name_of(model) == "FNetBackbone" else []
    settings = SETTINGS | {"lora_settings": {"rank": 2, "alpha": 4.0, "targets": targets}}
    thin = classifier.from_preset(str(folders(name_of(model))), **settings)
    trains = freezing.decide(thin.groups[:-1], lora.RULES)
    learned = [path for path, does in trains.items() if does]
    blocks = sum(group.name.startswith("block ") for group in thin.groups)
    assert len(learned) >= 2 * blocks, "at least one layer of each block"
    for group in thin.groups:
        for variable in group.variables:
            if trains.get(variable.path):
                variable.assign(0.1 * np.random.default_rng(0).normal(size=variable.shape))
    (tmp_path / "description.json").write_text(json.dumps(thin.description))
    for name, content in thin.preprocessor.tokenizer.files.items():
        (tmp_path / name).write_bytes(content)
    thin.whole.save_weights(tmp_path / "best.weights.h5")
    merged = classifier.restore(tmp_path / "description.json", tmp_path / "best.weights.h5")
    assert len(merged.whole.weights) == len(model.whole.weights)
    inputs = model.preprocessor({"text": tf.constant(TEXTS[:2])})
    found = merged.whole(inputs).numpy()
    np.testing.assert_allclose(found, thin.whole(inputs), atol=1e-5)


def test_export(model, tmp_path_factory, monkeypatch):
    # The proof starts a process; that of all families follows, in one.
    monkeypatch.setattr(saved_model, "_prove", lambda *_: {})
    base = tmp_path_factory.mktemp("export")
    version, _ = saved_model.write(model.serve, model.whole, model.preprocessor, base, [])
    EXPORTS[str(version)] = (name_of(model), model.serve(text=tf.constant(TEXTS))["probabilities"].numpy())
    names = tf.train.list_variables(str(version / "variables" / "variables"))
    written = sum(int(np.prod(shape)) for name, shape in names if name.startswith("weights"))
    assert written == model.whole.count_params()


def test_the_exports_answer_alike_in_one_clean_process():
    requests = [{"signature_name": "serving_default", "inputs": {"text": TEXTS}}]
    code = (
        "import contextlib, io, json, runpy, sys\n"
        f"main = runpy.run_path({reload_probe.__file__!r})['main']\n"
        "folders, requests = json.load(sys.stdin)\n"
        "answers = []\n"
        "for folder in folders:\n"
        "    sys.argv, sys.stdin = ['probe', folder], io.StringIO(requests)\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "        main()\n"
        "    batches = json.loads(out.getvalue())\n"
        "    answers.append([row for batch in batches for row in batch['probabilities']])\n"
        "json.dump(answers, sys.stdout)\n"
    )
    done = subprocess.run(
        [sys.executable, "-E", "-c", code],
        input=json.dumps([list(EXPORTS), json.dumps(requests)]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(EXPORTS) >= 1
    for (name, here), there in zip(EXPORTS.values(), json.loads(done.stdout), strict=True):
        np.testing.assert_allclose(here, there, atol=parity.TOLERANCE, err_msg=name)


@pytest.mark.parametrize("name", ["GPT2Backbone", "FNetBackbone"])
def test_a_run_from_config_to_export(name, folders, toy_config):
    finished = tfft.train(
        toy_config,
        [
            f"backbone.preset={folders(name)}",
            "backbone.dropout={hidden: 0.0}",
            "freeze=[{layers: embeddings, trainable: false}]",
            "optimizer.layer_decay=0.5",
            "training.epochs=1",
        ],
    )
    layers = json.loads((finished.directory / "layers.json").read_text())[0]["layers"]
    assert {row["layer"]: row["learning_rate"] for row in layers} == pytest.approx(
        {"embeddings": 0.0, "block 0": 0.0025, "block 1": 0.005, "head": 0.01}
    )
    assert tfft.evaluate(finished.directory) == finished.figures["test"]
    texts = ["a great film", ""]
    by_run, by_export = tfft.predict(finished.directory, texts), tfft.predict(finished.export, texts)
    np.testing.assert_allclose([r["score"] for r in by_run], [r["score"] for r in by_export], atol=1e-5)


def test_what_pools_by_default(model):
    kind = families.of(name_of(model))
    assert model.description["pooling"] == ("last" if kind.is_causal else "mean")


def test_the_first_token_of_a_causal_model_is_refused(folders):
    with pytest.raises(
        SettingError,
        match=r"head\.pooling: must be last, mean or max, for a token of GPT2Backbone sees only those before",
    ):
        classifier.from_preset(str(folders("GPT2Backbone")), **SETTINGS | {"pooling": "cls"})


@pytest.mark.parametrize("name", ["RobertaBackbone", "GPT2Backbone"])
def test_a_pooler_where_there_is_none_is_refused(folders, name):
    with pytest.raises(SettingError, match=r"head\.pooling: must be cls, last, mean or max, .* no pooler"):
        classifier.from_preset(str(folders(name)), **SETTINGS | {"pooling": "pooler"})


def test_a_pooler_is_as_deep_as_the_head(folders):
    made = classifier.from_preset(str(folders("ElectraBackbone")), **SETTINGS | {"pooling": "pooler"})
    assert [(g.name, g.depth) for g in made.groups][-3:] == [("block 1", 2), ("pooler", 3), ("head", 3)]


def test_lora_without_query_and_value_asks_for_targets(folders):
    settings = SETTINGS | {"lora_settings": {"rank": 2, "alpha": 4.0, "targets": []}}
    with pytest.raises(
        SettingError, match=r"lora\.targets: must be set, for FNetBackbone .*'intermediate_dense'"
    ):
        classifier.from_preset(str(folders("FNetBackbone")), **settings)


def test_a_tokenizer_that_no_server_can_run_is_refused_before_anything_is_read(folders, tmp_path):
    # Newer Mistral checkpoints come with it; KerasHub calls it through Python.
    shutil.copytree(folders("MistralBackbone"), tmp_path / "preset")
    config = {"class_name": "MistralTekkenTokenizer", "config": {"split_pattern": "x+"}}
    (tmp_path / "preset" / "tokenizer.json").write_text(json.dumps(config))
    (tmp_path / "preset" / "assets" / "tokenizer" / "vocabulary.spm").unlink()
    with pytest.raises(PresetError, match=r"has a MistralTekkenTokenizer; .* no server could take raw text"):
        classifier.from_preset(str(tmp_path / "preset"), **SETTINGS)


def test_a_class_that_the_installed_keras_hub_lacks(folders, monkeypatch):
    monkeypatch.delattr(keras_hub.models, "FNetBackbone")
    with pytest.raises(PresetError, match=r"the installed KerasHub [\d.]+ has no FNetBackbone\. Install a "):
        backbone.load(folders("FNetBackbone"), dropout=None)


def test_a_backbone_that_sees_images_is_refused(folders, tmp_path):
    config = json.loads((folders("Gemma3Backbone") / "config.json").read_text())
    config["config"]["vision_encoder"] = {"class_name": "Gemma3VisionEncoder"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(PresetError, match="Gemma3Backbone that sees images, too; tfft takes its text-only"):
        backbone.load(tmp_path, dropout=None)


def test_roformer_takes_token_0_for_padding_and_no_other(folders, tmp_path):
    shutil.copytree(folders("RoformerV2Backbone"), tmp_path / "preset")
    path = tmp_path / "preset" / "assets" / "tokenizer" / "vocabulary.txt"
    pieces = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([pieces[1], pieces[0], *pieces[2:]]), encoding="utf-8")
    with pytest.raises(PresetError, match=r"has \[PAD\] as token 1; RoformerV2Backbone takes token 0 for"):
        classifier.from_preset(str(tmp_path / "preset"), **SETTINGS)


def test_an_untied_output_matrix_is_left_out(folders):
    model, _ = backbone.load(folders("LlamaBackbone"), dropout=None)
    assert not [weight.path for weight in model.weights if "reverse" in weight.path]
