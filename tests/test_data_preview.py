"""Tests of tfft/data_preview.py."""

import csv
import html
import json
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import families as tiny
from tests.conftest import VOCABULARY, bert_preprocessor, ragged_of
from tfft import data_preview, dataset, inputs, plugins, sentence_piece, words
from tfft.preprocessor import Frame, Preprocessor
from tfft.window_preprocessor import WindowPreprocessor
from tfft.word_preprocessor import WordPreprocessor

BERT = bert_preprocessor(16)
BLANK = Frame(start=None, end=None, middle=(), blank=7, pad=0)


def make(sequence_length=16, frame=BERT.frame, read="text", tokenizer=BERT.tokenizer, **changes):
    return Preprocessor(inputs.read(read), tokenizer, frame, sequence_length, **changes)


def prepare(*names):
    steps = [plugins.load("preparation", name)() for name in names]

    def chained(texts):
        for step in steps:
            texts = step(texts)
        return texts

    return chained


def table(**columns):
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def examples(made, rows, **changes):
    found = data_preview.examples(
        made,
        rows,
        np.arange(rows.num_rows),
        np.zeros(rows.num_rows, np.int32),
        {name: name for name in rows.column_names},
        **changes,
    )
    json.dumps(found, allow_nan=False)  # ready for it
    return found


def pieces(tokens):
    return [token["piece"] for token in tokens]


# Rows


def test_a_row_from_the_file_to_the_tokens():
    rows = pa.table(
        {
            "text": ["x", "Good &lt; the film watching Ω !"],
            "label": ["no", "yes"],
        }
    )
    (row,) = data_preview.examples(
        make(7, prepare=prepare("html_entities")),
        rows,
        np.array([1]),
        np.array([0, 1], np.int32),
        {"text": "review", "label": "stars"},
    )
    assert row == {
        "row": 2,
        "columns": [
            {"column": "review", "value": "Good &lt; the film watching Ω !"},
            {"column": "stars", "value": "yes"},
        ],
        "texts": [
            {
                "joined": "Good &lt; the film watching Ω !",
                "augmented": None,
                "prepared": [
                    ("same", "Good "),
                    ("removed", "&lt;"),
                    ("added", "<"),
                    ("same", " the film watching Ω !"),
                ],
            }
        ],
        "words": None,
        "tokens": [
            {"id": VOCABULARY.index(piece), "piece": piece, "text": text, "unknown": piece == "[UNK]"}
            for piece, text in [
                ("[CLS]", None), ("good", 0), ("[UNK]", 0), ("the", 0), ("film", 0), ("watch", 0),
                ("[SEP]", None),
            ]
        ],
        "padding": 0,
        "cut": [
            {"id": VOCABULARY.index(piece), "piece": piece, "text": 0, "unknown": piece == "[UNK]"}
            for piece in ("##ing", "[UNK]", "!")
        ],
        "target": 1,
    }  # fmt: skip


def test_padding_is_that_of_one_batch():
    first, second = examples(make(), table(text=["good film", "x"]))
    assert (first["padding"], second["padding"]) == (0, 1)


def test_what_stays_of_a_long_text_follows_the_truncation():
    rows = table(text=["the film was very good"])
    for truncation, stays, cut in [
        ("head", ["the", "film", "was", "very"], ["good"]),
        ("tail", ["film", "was", "very", "good"], ["the"]),
        ("head_and_tail", ["the", "was", "very", "good"], ["film"]),
    ]:
        (row,) = examples(make(6, truncation=truncation), rows)
        assert pieces(row["tokens"]) == ["[CLS]", *stays, "[SEP]"]
        assert pieces(row["cut"]) == cut


def test_of_two_texts_each_token_tells_which_it_is_of():
    made = make(8, read=["a", "b: {c}"])
    rows = table(text_a=["good film good film"], c=["x y z"])
    (row,) = examples(made, rows)
    assert [text["joined"] for text in row["texts"]] == ["good film good film", "b: x y z"]
    assert [(token["piece"], token["text"]) for token in row["tokens"]] == [
        ("[CLS]", None), ("good", 0), ("film", 0), ("good", 0), ("[SEP]", None), ("[UNK]", 1), ("[UNK]", 1),
        ("[SEP]", None),
    ]  # fmt: skip
    assert [(token["piece"], token["text"]) for token in row["cut"]] == [
        ("film", 0), ("x", 1), ("y", 1), ("z", 1),
    ]  # fmt: skip


def test_text_that_spells_a_special_token_is_text():
    (row,) = examples(make(), table(text=["[SEP]"]))
    assert [token["text"] for token in row["tokens"]] == [None, 0, 0, 0, None]


def test_an_unknown_special_token_is_not_an_unknown_word():
    frame = Frame(start=1, end=None, middle=(), blank=None, pad=0)  # [UNK]
    (row,) = examples(make(frame=frame), table(text=["Ω"]))
    assert [token["unknown"] for token in row["tokens"]] == [False, True]


def test_augmentations_come_before_the_preparation_in_their_order():
    seeds = []

    def swap(texts, seed):
        seeds.append(seed.numpy().tolist())
        return tf.strings.regex_replace(texts, "bad", "&amp;")

    def shout(texts, seed):
        seeds.append(seed.numpy().tolist())
        return tf.strings.join([texts, "!"])

    made = make(prepare=prepare("html_entities"))
    (row,) = examples(made, table(text=["bad film"]), augmentations=[swap, shout], seed=5)
    assert row["texts"] == [
        {
            "joined": "bad film",
            "augmented": [("removed", "bad"), ("added", "&amp;"), ("same", " film"), ("added", "!")],
            "prepared": [("same", "&"), ("removed", "amp;"), ("same", " film!")],
        }
    ]
    assert pieces(row["tokens"]) == ["[CLS]", "[UNK]", "film", "!", "[SEP]"]
    assert seeds[0] != seeds[1], "two augmentations must not draw alike"


def test_targets_as_the_task_encodes_them():
    for encoded, told in [
        (np.array([3], np.int32), 3),
        (np.array([[0, 1, 1]], np.float32), [1, 2]),
        (np.array([-0.5], np.float32), -0.5),
    ]:
        (row,) = data_preview.examples(make(), table(text=["x"]), np.array([0]), encoded, {"text": "text"})
        assert row["target"] == told


WORDS = st.lists(st.sampled_from(["good", "the film", "watching", "Ω", "<b>", ""]), max_size=12).map(" ".join)


@given(
    st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4),
    st.sampled_from(["head", "tail", "head_and_tail"]),
    st.sampled_from(["one", "blank", "two", "full"]),
    st.integers(5, 12),
)
@settings(max_examples=20, deadline=None)
def test_shown_is_what_the_preprocessor_gives(rows, truncation, kind, sequence_length):
    read = ["a", "b"] if kind == "two" else "text"
    made = make(sequence_length, BLANK if kind == "blank" else BERT.frame, read, truncation=truncation)
    made.is_full = kind == "full"
    names = ["text_a", "text_b"] if kind == "two" else ["text"]
    rows = table(**dict(zip(names, zip(*rows, strict=True), strict=False)))
    fields = {name: tf.constant(rows[name].to_pylist()) for name in names}
    given, whole = made(fields), made.tokenize(fields)
    lengths = sum(ids.row_lengths().numpy() for ids in whole)
    assert made.sizes(lengths)[0].tolist() == given["padding_mask"].numpy().sum(axis=1).tolist()
    for number, row in enumerate(examples(made, rows)):
        own = [token["id"] for token in row["tokens"]]
        assert own + [made.frame.pad] * row["padding"] == given["token_ids"][number].numpy().tolist()
        assert row["padding"] == (given["padding_mask"][number].numpy() == 0).sum()
        for part, ids in enumerate(whole):
            stays, cut = (
                [token["id"] for token in row[key] if token["text"] == part] for key in ("tokens", "cut")
            )
            assert Counter(stays) + Counter(cut) == Counter(ids[number].numpy().tolist())


def test_a_sample_is_seeded_in_order_and_without_repeats():
    drawn = data_preview.sample(1000, 20, seed=3)
    assert drawn.tolist() == sorted(set(drawn.tolist()))
    assert (len(drawn), drawn.min() >= 0, drawn.max() < 1000) == (20, True, True)
    assert drawn.tolist() == data_preview.sample(1000, 20, seed=3).tolist()
    assert drawn.tolist() != data_preview.sample(1000, 20, seed=4).tolist()
    assert data_preview.sample(3, 20, seed=0).tolist() == [0, 1, 2]


# Targets


def test_label_counts_name_the_labels_without_rows_too():
    assert data_preview.targets("label", ["a", "b", "c"], np.array([2, 0, 2, 2], np.int32)) == {
        "kind": "label",
        "labels": [
            {"label": "a", "rows": 1, "share": 0.25},
            {"label": "b", "rows": 0, "share": 0.0},
            {"label": "c", "rows": 3, "share": 0.75},
        ],
    }


def test_labels_of_a_row_are_counted():
    has = np.array([[1, 1], [0, 0], [0, 1], [0, 1]], np.float32)
    assert data_preview.targets("labels", ["a", "b"], has) == {
        "kind": "labels",
        "labels": [
            {"label": "a", "rows": 1, "share": 0.25},
            {"label": "b", "rows": 3, "share": 0.75},
        ],
        "labels_per_row": [
            {"labels": 0, "rows": 1},
            {"labels": 1, "rows": 2},
            {"labels": 2, "rows": 1},
        ],
        "mean_labels_per_row": 1.0,
    }


def test_numbers_by_hand():
    found = data_preview.targets("number", [], np.array([1.0, 3.0, 1.0, 3.0]))
    assert {key: found[key] for key in ("mean", "standard_deviation", "lowest", "highest")} == {
        "mean": 2.0, "standard_deviation": 1.0, "lowest": 1.0, "highest": 3.0,
    }  # fmt: skip
    counts = found["histogram"]["counts"]
    assert (sum(counts), counts[0], counts[-1]) == (4, 2, 2)


def test_equal_numbers_have_a_histogram():
    assert sum(data_preview.targets("number", [], np.array([2.0, 2.0]))["histogram"]["counts"]) == 2


# Lengths


def test_lengths_by_hand():
    found = data_preview.token_lengths(np.array([0, 1, 2, 3, 94]), make(16))
    assert found == {
        "median": 2.0,
        "percentile_95": pytest.approx(3 + 0.8 * 91),
        "percentile_99": pytest.approx(3 + 0.96 * 91),
        "longest": 94,
        "without_tokens": 1,
        "special": 2,
        "room": 14,
        "sequence_length": 16,
        "windows": 1,
        "histogram": {"edges": [*range(0, 97, 3)], "counts": [3, 1, *[0] * 29, 1]},
        # One of five is more than 5 %.
        "enough": [{"cut": share, "sequence_length": 96, "windows": 1} for share in (0.05, 0.01, 0.0)],
    }


@given(st.lists(st.integers(0, 300), min_size=1, max_size=400))
@settings(deadline=None)
def test_a_sequence_length_is_the_least_that_cuts_no_more_than_it_says(lengths):
    found = data_preview.token_lengths(np.array(lengths), make(16))
    histogram = found["histogram"]
    assert sum(histogram["counts"]) == len(lengths)
    assert len(histogram["counts"]) <= 40
    for option in found["enough"]:
        room = option["sequence_length"] - 2
        allowed = round(option["cut"] * 100) * len(lengths) / 100
        assert sum(length > room for length in lengths) <= allowed
        assert sum(length > room - 1 for length in lengths) > allowed


# Padding


def test_padding_by_hand():
    # With two special tokens: 3, 12 and, cut at 16, two of 16.
    lengths, made = np.array([1, 10, 14, 40]), make(16)
    batches = [np.array([2, 3]), np.array([0, 1])]
    unsorted = [np.array([0, 2]), np.array([1, 3])]
    assert data_preview.padding(lengths, made, batches, unsorted) == {
        "batches": 2,
        "sorted": pytest.approx(1 - 47 / (32 + 24)),
        "unsorted": pytest.approx(1 - 47 / 64),
        "full": pytest.approx(1 - 47 / 64),
        "buckets": [
            {"from": 9, "to": 16, "batches": 2, "rows": 4, "padding": pytest.approx(1 - 47 / 56)},
        ],
    }


def test_buckets_are_powers_of_two_up_to_the_sequence_length():
    lengths = np.array([1, 6, 7, 15, 40])
    batches = [np.array([row]) for row in range(5)]
    found = data_preview.padding(lengths, make(20), batches, batches)
    assert [(b["from"], b["to"], b["batches"]) for b in found["buckets"]] == [
        (1, 8, 2), (9, 16, 1), (17, 20, 2),
    ]  # fmt: skip
    assert found["sorted"] == 0


def test_compiled_batches_are_padded_to_a_multiple_but_not_beyond_the_sequence_length():
    lengths, batches = np.array([3, 30]), [np.array([0]), np.array([1])]
    found = data_preview.padding(lengths, make(20), batches, batches, 16)
    assert found["sorted"] == pytest.approx(1 - (5 + 20) / (16 + 20))


def test_a_model_without_a_mask_pads_every_row_to_the_sequence_length():
    batches = [np.array([0, 1])]
    found = data_preview.padding(np.array([2, 2]), make(8, is_full=True), batches, batches)
    assert (found["sorted"], found["full"]) == (0.5, 0.5)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.integers(1, 9))
@settings(deadline=None)
def test_padding_is_that_of_the_tensors(lengths, batch_size):
    made, lengths = make(16), np.array(lengths)
    batches = dataset.plan(lengths, batch_size=batch_size, seed=0, epoch=0)
    real = cells = 0
    for batch in batches:
        widths = [min(length, 14) + 2 for length in lengths[batch]]
        real += sum(widths)
        cells += max(widths) * len(batch)
    found = data_preview.padding(lengths, made, batches, batches)
    assert found["sorted"] == found["unsorted"] == pytest.approx(1 - real / cells)
    assert found["full"] == pytest.approx(1 - real / (16 * len(lengths)))
    assert sum(bucket["rows"] for bucket in found["buckets"]) == len(lengths)


# Windows and words


def in_windows(sequence_length, at_most, overlap, frame=BERT.frame):
    return WindowPreprocessor(
        at_most=at_most, overlap=overlap, read=inputs.read("text"), tokenizer=BERT.tokenizer, frame=frame,
        sequence_length=sequence_length,
    )  # fmt: skip


def test_a_row_in_windows():
    # Two tokens in a window, of which one is shared: 4 tokens in three windows, the fifth is cut.
    first, second, third = examples(in_windows(4, 3, 1), table(text=["the film was very good", "good", ""]))
    parts = ("the film", "film was", "was very")
    assert pieces(first["tokens"]) == " ".join(f"[CLS] {part} [SEP]" for part in parts).split()
    assert (first["padding"], pieces(first["cut"])) == (0, ["good"])
    assert (pieces(second["tokens"]), second["padding"]) == (["[CLS]", "good", "[SEP]"], 9)
    assert (pieces(third["tokens"]), third["padding"]) == (["[CLS]", "[SEP]"], 10)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=5),
    st.sampled_from([BERT.frame, BLANK]),
    st.integers(5, 9),
    st.integers(2, 4),
    st.integers(0, 2),
)
@settings(max_examples=20, deadline=None)
def test_sizes_in_windows_are_those_of_the_tensors(lengths, frame, sequence_length, at_most, overlap):
    made = in_windows(sequence_length, at_most, overlap, frame)
    given = made.pack(tf.ragged.constant([[9] * length for length in lengths], tf.int32, ragged_rank=1))
    there = given["window_mask"].numpy()
    masks = given["padding_mask"].numpy() * there[:, :, None]
    widest, real = made.sizes(np.array(lengths))
    assert widest.tolist() == masks.sum(axis=2).max(axis=1).tolist()
    assert real.tolist() == masks.sum(axis=(1, 2)).tolist()
    assert np.minimum(made.windows(np.array(lengths)), at_most).tolist() == there.sum(axis=1).tolist()
    batch = [np.arange(len(lengths))]
    found = data_preview.padding(np.array(lengths), made, batch, batch)
    assert found["sorted"] == pytest.approx(1 - real.sum() / masks.size)
    assert found["buckets"][0]["rows"] == len(lengths)
    enough = data_preview.token_lengths(np.array(lengths), made)["enough"][-1]["windows"]
    assert in_windows(sequence_length, max(enough, 2), overlap, frame).room() >= max(lengths)


def test_a_row_of_words_shows_each_with_its_tag():
    made = WordPreprocessor(
        split=words.by_white_space, read=inputs.read("text"), tokenizer=BERT.tokenizer, frame=BERT.frame,
        sequence_length=6,
    )  # fmt: skip
    rows = pa.table(
        {
            "text": [["good"], ["the", "watching", "", "film", "Ω"]],
            "label": [["O"], ["O", "B-x", "O", "I-x", "O"]],
        }
    )
    tags = ragged_of([[0], [0, 1, 0, 2, 0]])
    first, second = data_preview.examples(made, rows, np.arange(2), tags, {"text": "tokens", "label": "tags"})
    assert (first["words"], first["padding"]) == ([{"word": "good", "tag": "O", "tokens": 1}], 3)
    assert [(word["word"], word["tag"], word["tokens"]) for word in second["words"]] == [
        ("the", "O", 1), ("watching", "B-x", 2), ("", "O", 0), ("film", "I-x", 1), ("Ω", "O", 1),
    ]  # fmt: skip
    assert pieces(second["tokens"]) == ["[CLS]", "the", "watch", "##ing", "film", "[SEP]"]
    assert pieces(second["cut"]) == ["[UNK]"]
    assert second["target"] == [0, 1, 0, 2, 0]
    assert data_preview.targets("tags", ["O", "B-x", "I-x"], tags)["labels"][0] == {
        "label": "O", "rows": 4, "share": 4 / 6,
    }  # fmt: skip
    assert data_preview.as_texts(rows)["text"].to_pylist() == ["good", "the watching  film Ω"]


# Unknown tokens


def unknown(made, rows, seed=0):
    fields = {name: tf.constant(rows[name].to_pylist()) for name in made.read.columns}
    tokens = [ragged_of(ids.to_list()) for ids in made.tokenize(fields)]
    return data_preview.unknown(made, rows, tokens, seed)


def test_unknown_words_by_hand():
    # The parts of "x,Ωmega" are x, a comma, and a word that is unknown; 好 is no word of the vocabulary.
    rows = table(text=["good Ω", "", "x,Ωmega!", "Ω 好x好 Ω", "fine"])
    assert unknown(make(), rows) == {
        "tokens": 6,
        "share": 6 / 12,
        "rows": 3,
        "looked_at": 3,
        "words": [
            {"word": "Ω", "times": 3},
            {"word": "好", "times": 2},
            {"word": "Ωmega", "times": 1},
        ],
    }


def test_unknown_words_are_those_after_the_preparation():
    found = unknown(make(prepare=prepare("html_entities")), table(text=["&Omega;"]))
    assert found["words"] == [{"word": "Ω", "times": 1}]


def test_unknown_words_of_both_texts_are_looked_for():
    found = unknown(make(read=["a", "b"]), table(text_a=["Ω", "good"], text_b=["x", "Ω Ψ"]))
    assert (found["tokens"], found["rows"]) == (3, 2)
    assert found["words"] == [{"word": "Ω", "times": 2}, {"word": "Ψ", "times": 1}]


def test_words_are_looked_for_in_a_sample_and_its_size_is_told(monkeypatch):
    monkeypatch.setattr(data_preview, "_SAMPLE", 4)
    monkeypatch.setattr(data_preview, "_TOKENS_AT_ONCE", 3)  # so that blocks end inside of rows
    found = unknown(make(), table(text=["good Ω bad"] * 10 + ["good"] * 5))
    assert (found["tokens"], found["rows"], found["looked_at"]) == (10, 10, 4)
    assert found["words"] == [{"word": "Ω", "times": 4}]


def test_no_unknown_tokens():
    assert unknown(make(), table(text=["good"])) == {
        "tokens": 0, "share": 0.0, "rows": 0, "looked_at": 0, "words": [],
    }  # fmt: skip


@pytest.mark.parametrize("is_fairseq", [False, True])
def test_unknown_characters_of_sentence_pieces(tmp_path, is_fairseq):
    name = "XLMRobertaBackbone" if is_fairseq else "LlamaBackbone"
    tiny.tokenizer_of(name).save_to_preset(str(tmp_path))
    tokenizer = sentence_piece.read(tmp_path, is_albert=False, is_fairseq=is_fairseq)
    found = unknown(make(tokenizer=tokenizer), table(text=["good Ω", "film"]))
    assert (found["tokens"], found["rows"]) == (1, 1)
    assert found["words"] == [{"word": "Ω", "times": 1}]


def test_byte_pairs_know_every_text():
    class Bytes:
        unknown = None

    assert data_preview.unknown(make(tokenizer=Bytes()), table(text=["x"]), [], 0) is None


# Characters


def test_unusual_characters_by_hand():
    rows = table(
        text=["a &lt; b &#39;", "don\x92t \x92\x93", "\x00bell\x07", "\ufffd", "AT&T; &amp", "\t\n\r"]
    )
    found = data_preview.characters(make(prepare=prepare("html_entities", "cp1252")), rows)
    assert found["changed"] == 2
    assert found["empty"] == {"rows": 1, "first": [6]}
    assert found["unusual"] == [
        {
            "name": "HTML entities", "step": "html_entities", "times": 3, "rows": 2, "left": 1,
            "looked_at": 2,
            "most": [
                {"character": "&#39;", "times": 1}, {"character": "&T;", "times": 1},
                {"character": "&lt;", "times": 1},
            ],
        },
        {
            "name": "Windows-1252 leftovers", "step": "cp1252", "times": 3, "rows": 1, "left": 0,
            "looked_at": 1,
            "most": [{"character": "\x92", "times": 2}, {"character": "\x93", "times": 1}],
        },
        {
            "name": "control characters", "step": "white_space", "times": 2, "rows": 1, "left": 2,
            "looked_at": 1,
            "most": [{"character": "\x00", "times": 1}, {"character": "\x07", "times": 1}],
        },
        {
            "name": "replacement characters", "step": None, "times": 1, "rows": 1, "left": 1, "looked_at": 1,
            "most": [{"character": "\ufffd", "times": 1}],
        },
    ]  # fmt: skip


def test_each_step_mends_what_it_is_named_for():
    rows = table(text=["a &lt; b", "don\x92t", "\x00bell\x07", "\x7fx"])
    for kind in data_preview.characters(make(), rows)["unusual"]:
        if kind["step"] is not None:
            mended = data_preview.characters(make(prepare=prepare(kind["step"])), rows)
            (after,) = [other for other in mended["unusual"] if other["name"] == kind["name"]]
            assert (kind["times"] > 0, after["left"]) == (True, 0)


def test_a_row_is_empty_where_one_of_its_texts_is():
    made = make(read=["a", "b"], prepare=prepare("stop_words"))
    found = data_preview.characters(made, table(text_a=["film", "the"], text_b=["plot", "plot"]))
    assert (found["changed"], found["empty"]) == (1, {"rows": 1, "first": [2]})


def test_the_first_ten_empty_rows_are_named_and_characters_are_sampled(monkeypatch):
    monkeypatch.setattr(data_preview, "_SAMPLE", 5)
    monkeypatch.setattr(data_preview, "_AT_ONCE", 4)
    found = data_preview.characters(
        make(prepare=prepare("stop_words")), table(text=["x \x92"] + ["the"] * 12)
    )
    assert found["empty"] == {"rows": 12, "first": [*range(2, 12)]}
    found = data_preview.characters(make(), table(text=["\x92"] * 9))
    (kind,) = [kind for kind in found["unusual"] if kind["times"]]
    assert (kind["times"], kind["rows"], kind["looked_at"]) == (9, 9, 5)
    assert kind["most"] == [{"character": "\x92", "times": 5}]


# Repeated texts


def test_repeated_texts_by_hand():
    hashes = {
        "train": np.array([1, 2, 1, 3, 1], np.uint64),
        "validation": np.array([3, 4], np.uint64),
        "test": np.array([1, 5, 1], np.uint64),
    }
    assert data_preview.repeated(hashes, "train") == {
        "rows": 2,
        "most": 3,
        "shared": [
            {"split": "validation", "rows": 1, "other_rows": 1},
            {"split": "test", "rows": 3, "other_rows": 2},
        ],
    }


@given(st.lists(st.tuples(st.sampled_from(["", "a", "ab", "b"]), st.sampled_from(["", "a", "b"]))))
@settings(max_examples=30, deadline=None)
def test_hashes_are_equal_where_both_texts_are(pairs):
    pairs = [*pairs, ("a", "b"), ("b", "a"), ("ab", "")]
    first, second = zip(*pairs, strict=True)
    made = make(read=["a", "b"])
    hashes = data_preview.text_hashes(made, table(text_a=first, text_b=second))
    assert hashes.dtype == np.uint64
    assert len(set(hashes.tolist())) == len(set(pairs))
    assert len({*zip(pairs, hashes.tolist(), strict=True)}) == len(set(pairs))


def test_hashes_do_not_depend_on_the_chunks_nor_on_the_preparation(monkeypatch):
    rows = table(text=[f"text {number % 7}" for number in range(20)])
    whole = data_preview.text_hashes(make(), rows).tolist()
    monkeypatch.setattr(data_preview, "_AT_ONCE", 3)
    assert data_preview.text_hashes(make(prepare=prepare("stop_words")), rows).tolist() == whole
    assert len(set(whole)) == 7


# Text for people


def test_what_cannot_be_seen_is_written_out():
    assert data_preview.visible("a\x1b[31m\x92\u200b\u202e\x00\xad\U000e0041") == (
        r"a\x1b[31m\x92\u200b\u202e\x00\xad\U000e0041"
    )
    assert data_preview.visible("café 好 😂\n\tx <b>") == "café 好 😂\n\tx <b>"


@given(st.text(max_size=200))
@settings(deadline=None)
def test_visible_text_has_no_control_characters(text):
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", data_preview.visible(text))


@given(st.text(alphabet="ab .&;\n", max_size=60), st.text(alphabet="ab .&;\n", max_size=60))
@settings(deadline=None)
def test_changes_hold_both_texts(before, after):
    parts = data_preview._changes(before, after)
    assert "".join(text for kind, text in parts if kind != "added") == before
    assert "".join(text for kind, text in parts if kind != "removed") == after
    assert all(text for _, text in parts)
    assert (before == after) == all(kind == "same" for kind, _ in parts)


# Real rows


def test_figures_of_real_messages_are_those_of_a_plain_recount(shared):
    texts = {}
    for split in ("train", "validation", "test"):
        with open(shared / "data" / "sms_spam" / f"{split}.csv", encoding="utf-8", newline="") as stream:
            texts[split] = [row["text"] for row in csv.DictReader(stream)]
    made = make(prepare=prepare("html_entities", "cp1252"))
    tables = {split: table(text=rows) for split, rows in texts.items()}
    found = data_preview.characters(made, tables["train"])
    entities, windows, controls, replaced = found["unusual"]
    assert entities["times"] == sum(len(re.findall(r"&#?\w+;", text)) for text in texts["train"]) > 500
    assert entities["rows"] == sum(html.unescape(text) != text for text in texts["train"])
    assert windows["rows"] == sum(bool(re.search("[\x80-\x9f]", text)) for text in texts["train"]) > 20
    assert (entities["left"], windows["left"], controls["times"], replaced["times"]) == (0, 0, 0, 0)
    hashes = {split: data_preview.text_hashes(made, rows) for split, rows in tables.items()}
    repeated = data_preview.repeated(hashes, "train")
    assert repeated["rows"] == len(texts["train"]) - len(set(texts["train"])) == 262
    for shared_rows in repeated["shared"]:
        other = texts[shared_rows["split"]]
        assert shared_rows["rows"] == sum(text in set(other) for text in texts["train"])
        assert shared_rows["other_rows"] == sum(text in set(texts["train"]) for text in other) >= 60
