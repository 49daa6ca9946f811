"""Fixtures: a tiny random BERT in each format, a toy data set, and a config over both."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# No test may fail because the machine is slow.
settings.register_profile("tfft", deadline=None)
settings.load_profile("tfft")

VOCABULARY = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "was", "is", "film", "plot", "actor", "scene",
    "good", "great", "fine", "bad", "awful", "poor", "very", "not", "un", "##able", "watch", "##ing", "##s",
    "and", ".", ",", "!", "?", "'", "café", "ß", "naive", "x", "y", "z",
]  # fmt: skip
FILLERS = ["the", "a", "was", "film", "plot", "actor", "scene", "very", "and"]
SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared():
    """The folder of real data and recorded references, where there is one beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("no folder of real data and recorded references beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def tiny_preset(tmp_path_factory):
    """A Hugging Face-format folder with a random BERT of 2 blocks, width 8."""
    folder = tmp_path_factory.mktemp("tiny_bert")
    write_hugging_face(folder)
    return folder


def bert_preprocessor(sequence_length: int):
    """Return the preprocessor of a lower-case BERT with the tiny vocabulary."""
    from tfft import inputs, preprocessor
    from tfft.word_piece import Tokenization, Tokenizer

    tokenizer = Tokenizer(VOCABULARY, Tokenization(lowercase=True, strip_accents=True))
    frame = preprocessor.frame(tokenizer, start="[CLS]", end="[SEP]", blank=None, pad="[PAD]")
    return preprocessor.Preprocessor(inputs.read("text"), tokenizer, frame, sequence_length)


def ragged_of(rows):
    """Return lists of whole numbers as they are kept."""
    from tfft.ragged import Ragged

    flat = np.array([value for row in rows for value in row], np.int32)
    return Ragged(flat, np.cumsum([0, *map(len, rows)]))


def write_hugging_face(folder: Path, **changes) -> None:
    """Write config, vocabulary and random weights as Hugging Face tools do."""
    from safetensors.numpy import save_file

    config = {
        "model_type": "bert",
        "vocab_size": len(VOCABULARY),
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 32,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "layer_norm_eps": 1e-12,
    } | changes
    dice = np.random.default_rng(0)

    def normal(*shape):
        return dice.normal(0, 0.3, shape).astype("float32")

    width, inner = config["hidden_size"], config["intermediate_size"]
    weights = {
        "embeddings.word_embeddings.weight": normal(config["vocab_size"], width),
        "embeddings.position_embeddings.weight": normal(config["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": normal(config["type_vocab_size"], width),
    }

    def norm(name):
        weights[f"{name}.weight"] = 1 + normal(width)
        weights[f"{name}.bias"] = normal(width)

    def dense(name, inputs, outputs):
        weights[f"{name}.weight"] = normal(outputs, inputs)
        weights[f"{name}.bias"] = normal(outputs)

    norm("embeddings.LayerNorm")
    for index in range(config["num_hidden_layers"]):
        block = f"encoder.layer.{index}"
        for part in ("query", "key", "value"):
            dense(f"{block}.attention.self.{part}", width, width)
        dense(f"{block}.attention.output.dense", width, width)
        norm(f"{block}.attention.output.LayerNorm")
        dense(f"{block}.intermediate.dense", width, inner)
        dense(f"{block}.output.dense", inner, width)
        norm(f"{block}.output.LayerNorm")
    dense("pooler.dense", width, width)
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))


@pytest.fixture(scope="session")
def toy_rows():
    """120 rows that a word decides: (text, label)."""
    dice = random.Random(0)
    rows = []
    for number in range(120):
        label = ("bad", "good")[number % 2]
        word = dice.choice({"bad": ["bad", "awful", "poor"], "good": ["good", "great", "fine"]}[label])
        filler = [dice.choice(FILLERS) for _ in range(number % 9)]
        rows.append((" ".join([*filler, word, dice.choice(".!?")]), label))
    return rows


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny_preset, toy_rows):
    """A finished run on the toy rows; tests only read it."""
    import tfft

    folder = tmp_path_factory.mktemp("trained")
    return tfft.train(write_toy(folder, tiny_preset, toy_rows, learning_rate=2e-2, epochs=6))


@pytest.fixture
def unproved(monkeypatch):
    """Leave out the clean process and what it is asked, 6 seconds a run: `trained` has both."""
    from tfft import saved_model

    proof = {"texts_compared": 0, "largest_difference": 0.0}
    monkeypatch.setattr(saved_model, "_prove", lambda *_: dict(proof))
    monkeypatch.setattr(saved_model, "_answered", lambda *_: [])


@pytest.fixture
def toy_config(tmp_path, tiny_preset, toy_rows):
    """A config that trains the tiny BERT on the toy rows in `tmp_path`."""
    return write_toy(tmp_path, tiny_preset, toy_rows, learning_rate=1e-2, epochs=2)


def write_toy(folder: Path, preset: Path, rows, *, learning_rate: float, epochs: int) -> Path:
    """Write 80 rows to learn from, 20 to choose by, the rest to test on, and a config over them."""
    for name, part in (("train", rows[:80]), ("validation", rows[80:100]), ("test", rows[100:])):
        write_csv(folder / f"{name}.csv", part)
    path = folder / "toy.yaml"
    path.write_text(
        f"""
data: {{train: {folder}/train.csv, validation: {folder}/validation.csv, test: {folder}/test.csv}}
backbone: {{preset: {preset}, sequence_length: 16}}
optimizer: {{learning_rate: {learning_rate}}}
training: {{epochs: {epochs}, batch_size: 8}}
run: {{directory: {folder}/run}}
""",
        encoding="utf-8",
    )
    return path


def kept_weights(directory: Path) -> dict:
    """Return the arrays of a run's best weights, by their names in the file."""
    import h5py

    found = {}
    with h5py.File(directory / "model" / "best.weights.h5") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None)
    return found


def write_csv(path: Path, rows) -> None:
    """Write (text, label) rows with a header."""
    with open(path, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
