"""Runs whose training rows are changed at random: what training sees, and what nothing else sees."""

import csv
import io

import numpy as np
import pytest
from rich.console import Console

import tfft
from tests.conftest import FILLERS, kept_weights, write_toy
from tfft import run
from tfft.config import read
from tfft.errors import SettingError

pytestmark = pytest.mark.usefixtures("unproved")

WORDS = {"bad": "awful", "good": "great"}


def paraphrases(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "paraphrase"), *rows])
    return path


def shown(settings, split):
    console = Console(width=200, record=True, highlight=False, file=io.StringIO())
    console.print(run.preview(settings, "toy", split=split, rows=3, page=None))
    return console.export_text()


def test_training_alone_sees_the_changed_texts(tmp_path, tiny_preset):
    # Only the paraphrases of training rows have a word that decides. Those of the other rows have the
    # wrong one, which would show, if anything but training saw them.
    fillers = [word for word in FILLERS if word not in WORDS.values()]
    rows, made = [], []
    for number in range(120):
        label = ("bad", "good")[number % 2]
        other = ("good", "bad")[number % 2]
        plain = f"{fillers[number % len(fillers)]} {fillers[number // 2 % len(fillers)]} {number}"
        if number < 80:
            rows.append((plain, label))
            made.append((plain, f"film {WORDS[label]}"))
        else:
            rows.append((f"{plain} {WORDS[label]}", label))
            made.append((f"{plain} {WORDS[label]}", f"film {WORDS[other]}"))
    config = write_toy(tmp_path, tiny_preset, rows, learning_rate=2e-2, epochs=6)
    file = paraphrases(tmp_path / "made.csv", made)
    finished = tfft.train(
        config, [f"augmentations=[{{name: back_translation, files: [{file}], probability: 1}}]"]
    )
    assert finished.figures["validation"]["accuracy"] >= 0.8
    assert finished.figures["test"]["accuracy"] >= 0.8
    # The training rows as they stand decide nothing, and that is how they are measured.
    assert tfft.evaluate(finished.directory, split="train")["accuracy"] < 0.7


def test_the_same_seed_changes_alike(toy_config, tmp_path):
    chosen = "augmentations=[{name: typos, probability: 1, rate: 0.3}, word_swap]"

    def trained(name, *overrides):
        where = f"run.directory={tmp_path / name}"
        return kept_weights(tfft.train(toy_config, ["training.epochs=1", where, *overrides]).directory)

    first, again = trained("a", chosen), trained("b", chosen)
    assert first.keys() == again.keys()
    for name, weight in first.items():
        np.testing.assert_array_equal(weight, again[name], err_msg=name)


@pytest.mark.parametrize(
    "overrides",
    [
        ["regularizers=[mixup, l2_sp, fgm]", "training.micro_batch_size=3"],
        ["regularizers=[mixup]", "freeze=all", "preparation=[white_space]"],
        ["backbone.windows={at_most: 3, overlap: 2}", "backbone.sequence_length=6", "regularizers=[mixup]"],
    ],
    ids=["micro-batches", "frozen, texts that change", "windows"],
)
def test_all_augmentations_beside_other_controls(toy_config, overrides):
    every = "augmentations=[word_deletion, word_swap, case_noise, typos, word_masking]"
    finished = tfft.train(toy_config, [every, *overrides])
    assert finished.figures["test"]["rows"] == 20
    answers = tfft.predict(finished.export, ["a great film", "awful"])
    again = tfft.predict(finished.directory, ["a great film", "awful"])
    np.testing.assert_allclose([a["score"] for a in answers], [a["score"] for a in again], atol=1e-6)


def test_mixup_trains_on_kept_features(toy_config):
    finished = tfft.train(toy_config, ["regularizers=[mixup]", "freeze=all", "training.jit=on"])
    assert finished.figures["test"]["rows"] == 20


def test_the_preview_shows_what_becomes_of_training_rows_and_of_no_others(toy_config):
    settings = read(toy_config, ["augmentations=[{name: case_noise, probability: 1, cases: [upper]}]"])
    assert "augmented" in shown(settings, "train")
    assert "augmented" not in shown(settings, "validation")


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["augmentations=[typos]", "task=token_classification", "data.source=jsonl"],
            r"^augmentations: must not be set with the task token_classification",
        ),
        (["regularizers=[l2, mixup]"], r"^regularizers: must stand before all others"),
        (["regularizers=[mixup]", "training.micro_batch_size=1"], r"^regularizers: must not be set where"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing_behind(toy_config, tmp_path, overrides, told):
    if "data.source=jsonl" in overrides:
        for split in ("train", "validation", "test"):
            (tmp_path / f"{split}.csv").write_text('{"tokens": ["a"], "tags": ["O"]}\n' * 20)
    with pytest.raises(SettingError, match=told):
        tfft.train(toy_config, overrides)
    assert not (tmp_path / "run").exists()
