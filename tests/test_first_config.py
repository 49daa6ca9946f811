"""Tests of tfft/first_config.py."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from tfft import config, first_config, guess
from tfft.data_files import DataFiles
from tfft.errors import DataError, SettingError
from tfft.sample import Counted, Sample

TEXTS = [f"film number {number} was good" for number in range(20)]
FILES = DataFiles("films", "train.csv", "dev.csv", "test.csv", {"name": "delimited"})


def counted(labels, rows=None, *, bad=(), is_whole=True):
    labels = Counter(labels)
    return Counted(rows or labels.total(), labels, bad, len(bad), is_whole)


def mapping(columns, count, files=FILES, **given):
    """Return a config as YAML has it, and its text."""
    sample = Sample(columns, count.rows, count.is_whole)
    found = guess.columns(sample, files.train, files.source["name"])
    arguments = {"preset": first_config.PRESET, "notes": [], "config": "films.yaml"} | given
    text = first_config.text(files, sample, found, count, **arguments)
    return yaml.safe_load(text), text


GOOD_OR_BAD = {"text": TEXTS, "label": ["good", "bad"] * 10}
EVEN = counted({"good": 3000, "bad": 3000})


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        # Words at 1.4 tokens, and two special tokens; up to the next 16.
        ([1] * 100, 32),
        ([30] * 100, 48),  # 42 + 2
        ([33] * 100, 64),  # 46.2 + 2
        ([1000] * 100, 512),
        # Of a hundred rows two are long. The 99th percentile is theirs: kept whole up to 128 tokens.
        ([30] * 97 + [80] * 3, 128),  # 112 + 2
        ([30] * 97 + [90] * 3, 128),  # 128 is what is kept of them
        ([30] * 90 + [100] * 10, 144),  # one in ten is long, and kept: 140 + 2
    ],
)
def test_the_length_is_that_of_most_rows(lengths, expected):
    sample = Sample({"t": ["word " * length for length in lengths]}, 100, True)
    assert first_config.sequence_length(sample, ["t"]) == expected


def test_the_length_of_a_pair_a_template_and_of_words():
    columns = {"a": ["word " * 20, None], "b": ["word " * 30, "word"], "c": [["word"] * 40, []]}
    sample = Sample(columns, 2, True)
    assert first_config.sequence_length(sample, ["a", "b"]) == 80  # 28 + 42 + 3; a row without a text is none
    assert first_config.sequence_length(sample, ["{a} and {b}"]) == 80  # 28 + 42 + 2
    assert first_config.sequence_length(Sample({"c": [["word"] * 40]}, 1, True), ["c"]) == 64  # 56 + 2


@pytest.mark.parametrize(
    ("rows", "labels", "epochs", "batch_size"),
    [
        (400, 8, 10, 16),
        (999, 2, 10, 16),
        (1000, 2, 5, 16),
        (4999, 2, 5, 32),
        (5000, 2, 3, 32),
        (10_000, 77, 5, 32),  # 130 rows a label
        (17_500, 0, 3, 32),
        (100_000, 3, 2, 32),
    ],
)
def test_fewer_rows_take_more_passes_in_smaller_batches(rows, labels, epochs, batch_size):
    found = first_config.course(rows, labels, "bert_base_en")
    assert (found.epochs, found.batch_size) == (epochs, batch_size)
    assert (found.learning_rate, found.head_learning_rate) == (3e-5, pytest.approx(3e-4))
    assert first_config.course(rows, labels, first_config.PRESET).learning_rate == 1e-4


BOTH = ("test", "validation")


@pytest.mark.parametrize(
    ("labels", "splits", "expected"),
    [
        ({"a": 50, "b": 50}, BOTH, {"test": 0.1, "validation": 0.1}),
        ({"a": 50, "b": 50}, ("validation",), {"validation": 0.1}),
        # Of ten rows a tenth is one; of the nine that are left it is less, and 0.15 of 90 is 14, 1.4 of them.
        ({"a": 90, "b": 10}, BOTH, {"test": 0.1, "validation": 0.15}),
        # Four rows: a quarter for one split leaves three, of which 0.35 is one.
        ({"a": 96, "b": 4}, BOTH, {"test": 0.25, "validation": 0.35}),
        ({"a": 97, "b": 3}, BOTH, {"validation": 0.35}),
        # As many rows aside as there are labels.
        ({str(label): 5 for label in range(20)}, ("validation",), {"validation": 0.2}),
    ],
)
def test_shares_hold_each_label(labels, splits, expected):
    assert first_config.shares(counted(labels), splits, is_stratified=True) == expected


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=6))
def test_what_is_told_to_be_set_aside_can_be(numbers):
    count = counted({str(label): number for label, number in enumerate(numbers)})
    try:
        shares = first_config.shares(count, BOTH, is_stratified=True)
    except DataError:
        return
    rows = np.array(sorted(count.labels.elements()))
    for split in BOTH:
        if split in shares:
            rows, aside = train_test_split(
                rows, test_size=round(shares[split] * len(rows)), stratify=rows, random_state=0
            )
            assert {*aside} == {*rows} == {*count.labels}


def test_shares_of_numbers_and_of_long_files():
    numbers = counted({"0.5": 10, "1": 1})
    assert first_config.shares(numbers, BOTH, is_stratified=False) == {"test": 0.1, "validation": 0.1}
    long = counted({"a": 3999, "b": 1}, rows=1_000_000, is_whole=False)
    assert first_config.shares(long, BOTH, is_stratified=True) == {"test": 0.1, "validation": 0.1}


@pytest.mark.parametrize(
    ("labels", "is_stratified", "message"),
    [
        (
            {"a": 98, "b": 2},
            True,
            "data.validation: the label 'b' has 2 of 100 rows, in 2 labels: too few to",
        ),
        ({"a": 1}, False, "data.validation: there is 1 row: too few to set some aside. Add rows, remove"),
    ],
)
def test_too_few_rows_to_set_some_aside(labels, is_stratified, message):
    with pytest.raises(DataError) as caught:
        first_config.shares(counted(labels), BOTH, is_stratified=is_stratified)
    assert str(caught.value).startswith(message)


def test_a_config_over_files():
    found, text = mapping(GOOD_OR_BAD, EVEN)
    assert found == {
        "task": "text_classification",
        "data": {
            "train": "train.csv", "validation": "dev.csv", "test": "test.csv",
            "text_column": "text", "label_column": "label",
        },
        "backbone": {
            "preset": first_config.PRESET, "sequence_length": 32,
            "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        },
        "optimizer": {"learning_rate": "1e-4", "head_learning_rate": "1e-3"},  # text only to PyYAML
        "training": {"epochs": 3, "batch_size": 32},
    }  # fmt: skip
    assert text.startswith("# films: 6,000 rows, 2 labels.\n")
    assert "#   tfft train films.yaml\n" in text
    assert "# What is learned: 'label' has 2 values in 20 rows.\n" in text


def test_the_preset_is_that_of_the_embedded_example():
    path = Path(__file__).resolve().parents[1] / "configs" / "support_intents.yaml"
    backbone = yaml.safe_load(path.read_text(encoding="utf-8"))["backbone"]
    found, _ = mapping(GOOD_OR_BAD, EVEN)
    assert {key: found["backbone"][key] for key in ("preset", "sha256")} == {
        key: backbone[key] for key in ("preset", "sha256")
    }


def test_each_key_has_a_comment_above_it():
    _, text = mapping(GOOD_OR_BAD, EVEN)
    lines = text.splitlines()
    keys = [number for number, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    sections = {"data:", "backbone:", "optimizer:", "training:"}
    bare = [lines[n] for n in keys if "#" not in lines[n - 1] and lines[n] not in sections]
    assert bare == ["  label_column: label"]  # told together with the text


def test_another_preset_has_its_own_rate_and_no_hash():
    found, text = mapping(GOOD_OR_BAD, EVEN, preset="bert_base_en_uncased")
    assert found["backbone"] == {"preset": "bert_base_en_uncased", "sequence_length": 32}
    assert found["optimizer"] == {"learning_rate": "3e-5", "head_learning_rate": "3e-4"}
    assert "2e-5 to 5e-5 are usual" in text


def test_another_package_is_refused_for_its_hash_is_not_known():
    with pytest.raises(SettingError, match="--preset: must not be another package"):
        mapping(GOOD_OR_BAD, EVEN, preset="package:other==1.0")


def test_shares_where_there_are_no_files():
    files = DataFiles("films", "films.csv", source={"name": "delimited"})
    found, text = mapping(GOOD_OR_BAD, EVEN, files)
    assert (found["data"]["validation"], found["data"]["test"]) == (0.1, 0.1)
    assert "4,860 rows to learn from" in text  # 6,000 less 600, less 540
    found, text = mapping(GOOD_OR_BAD, counted({"good": 97, "bad": 3}), files)
    assert found["data"]["validation"] == 0.35
    assert "test" not in found["data"]
    assert "A share for the final figures would leave a label without rows; name a file." in text
    assert "A smaller one than 0.35 would have no row, or none of the rarest label." in text


def test_source_separator_pair_and_bad_rows():
    files = DataFiles("f", "train.csv", "dev.csv", None, {"name": "delimited", "delimiter": ";"})
    tags = ["a|b", "a", "b", "b|a"] * 5
    found, text = mapping(
        {"text_a": TEXTS, "text_b": TEXTS, "tags": tags},
        counted({"a": 50, "b": 50}, bad=["train.csv:3: it\nis"]),
        files,
    )
    assert found["task"] == "multi_label"
    assert found["data"] == {
        "source": {"name": "delimited", "delimiter": ";", "separator": "|"}, "train": "train.csv",
        "validation": "dev.csv", "test": 0.1, "text_column": ["text_a", "text_b"], "label_column": "tags",
        "on_bad_row": "skip",
    }  # fmt: skip
    assert found["threshold"] == {}
    assert "# 1 row cannot be used, the first: train.csv:3: it is\n" in text


def test_another_source_is_named_in_short():
    files = DataFiles("f", "f.jsonl", "g.jsonl", "h.jsonl", {"name": "jsonl"})
    found, _ = mapping({"text": TEXTS, "score": ["0.5", "1"] * 10}, counted({"0.5": 100, "1": 100}), files)
    assert (found["data"]["source"], found["task"]) == ("jsonl", "regression")


def test_columns_that_are_left_alone_are_told():
    columns = {"id": [str(n) for n in range(20)], "lang": ["en"] * 20, "my weight": ["1.5"] * 20}
    _, text = mapping(GOOD_OR_BAD | columns, EVEN)
    assert "  # Left alone: id, lang.\n" in text
    assert "  # weight_column: my weight\n" in text


def test_a_rare_label_is_hinted_at():
    _, text = mapping(GOOD_OR_BAD, counted({"good": 870, "bad": 130}))
    assert "  # The rarest label, 'bad', has 13.0% of the rows.\n" in text
    assert "  # class_weights: balanced\n  # monitor: val_f1_macro\n" in text
    assert text.endswith("# threshold:\n#   positive: bad\n")
    for labels in (
        {"good": 830, "bad": 170},
        {"a": 40, "b": 30, "c": 13},
    ):  # a third of an even share is 16.7%
        _, text = mapping(GOOD_OR_BAD, counted(labels))
        assert "class_weights" not in text
    _, text = mapping(GOOD_OR_BAD, counted({"a": 40, "b": 50, "c": 10}))  # of three 11.1%
    assert "class_weights" in text
    assert "threshold" not in text


def test_what_is_hinted_at_is_valid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.csv").write_text("text,label\na,b\n")
    _, text = mapping(GOOD_OR_BAD | {"weight": ["1"] * 20}, counted({"good": 87, "bad": 13}))
    for hint in ("weight_column", "seed", "class_weights", "monitor", "threshold", "  positive"):
        assert f"# {hint}: " in text or f"# {hint}:\n" in text
        text = text.replace(f"# {hint}:", f"{hint}:")
    (tmp_path / "c.yaml").write_text(text)
    read = config.read(tmp_path / "c.yaml")
    assert read.training.class_weights == "balanced"
    assert read.threshold.positive == "bad"
    assert read.data.weight_column == "weight"


def test_few_rows_are_hinted_at():
    hint = "One split of so few rows says little"
    assert hint in mapping(GOOD_OR_BAD, counted({"good": 500, "bad": 499}))[1]
    assert hint not in mapping(GOOD_OR_BAD, counted({"good": 500, "bad": 500}))[1]


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("房间很大，床有宽", True),
        ("የፕሮፌሰርን ፎቶ ለጥፈክ", True),
        ("naïve café, straße", False),
        ("привет hello hello", False),
    ],
)
def test_other_letters_want_another_preset(text, is_told):
    _, written = mapping({"text": [f"{text} {n}" for n in range(20)], "label": ["x", "y"] * 10}, EVEN)
    assert ("Most letters of the texts are not Latin" in written) is is_told


def test_estimates_are_told_as_such():
    _, text = mapping(GOOD_OR_BAD, counted({"good": 2, "bad": 2}, rows=1_234_567, is_whole=False))
    assert text.startswith("# films: about 1,234,567 rows, 2 labels.\n")


def test_notes_are_comments_whatever_is_in_them():
    found, text = mapping(GOOD_OR_BAD, EVEN, notes=["Not used: a\ntask: b"], config="my films.yaml")
    assert "#\n# Not used: a task: b\n" in text
    assert found["task"] == "text_classification"
    assert "tfft train 'my films.yaml'\n" in text


def test_paths_below_the_current_folder_are_written_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = DataFiles(
        "f", f"{tmp_path}/d/train.csv", "../dev.csv", "/elsewhere/test*.csv", {"name": "delimited"}
    )
    found, _ = mapping(GOOD_OR_BAD, EVEN, files)
    assert [found["data"][split] for split in ("train", "validation", "test")] == [
        "d/train.csv", "../dev.csv", "/elsewhere/test*.csv",
    ]  # fmt: skip


def test_odd_names_are_quoted():
    columns = {"no": TEXTS, "1e3": ["good", "bad"] * 10, "text": [f"so {text}" for text in TEXTS]}
    files = DataFiles("f", "a: b #c.csv", "~x.csv", "- y.csv", {"name": "delimited", "delimiter": "\t"})
    found, _ = mapping(columns, EVEN, files)
    assert found["data"]["label_column"] == "1e3"
    assert (found["data"]["train"], found["data"]["source"]["delimiter"]) == ("a: b #c.csv", "\t")
