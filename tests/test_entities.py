"""Tests of tfft/entities.py, with seqeval's default mode as the reference."""

import json
import warnings

import numpy as np
import pyarrow.json
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import sequence_labeling as seqeval
from sklearn import metrics

from tfft import entities
from tfft.errors import DataError

KINDS = ["a", "b-c"]  # a kind may have a hyphen of its own


def tags_of(places):
    return ["O", *(f"{place}-{kind}" for place in places for kind in KINDS), *places]


def sequences(places, **sizes):
    """Random tags, most of which are ill-formed."""
    return st.lists(st.sampled_from(tags_of(places)), **sizes)


def sentences(places):
    """True and predicted tags of the same random tokens."""
    pairs = st.tuples(st.sampled_from(tags_of(places)), st.sampled_from(tags_of(places)))
    return st.lists(st.lists(pairs, min_size=1, max_size=8), min_size=1, max_size=6).map(
        lambda drawn: ([[a for a, _ in pair] for pair in drawn], [[b for _, b in pair] for pair in drawn])
    )


def in_bilou(tags):
    return [{"E": "L", "S": "U"}.get(tag[0], tag[0]) + tag[1:] for tag in tags]


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ([], []),
        (["O", "O"], []),
        (["B-a", "I-a", "O", "B-b"], [("a", 0, 2), ("b", 3, 4)]),
        (["B-a", "B-a", "I-a"], [("a", 0, 1), ("a", 1, 3)]),
        (["I-a", "I-a", "B-a"], [("a", 0, 2), ("a", 2, 3)]),
        # Ill-formed from here on, if the scheme is BIO.
        (["O", "I-a", "I-a"], [("a", 1, 3)]),
        (["B-a", "I-b"], [("a", 0, 1), ("b", 1, 2)]),
        (["B-a", "I-b", "I-a"], [("a", 0, 1), ("b", 1, 2), ("a", 2, 3)]),
        (["B-a", "O", "I-a"], [("a", 0, 1), ("a", 2, 3)]),
        # A tag without a kind is a kind of its own.
        (["B", "I", "I-a"], [("_", 0, 2), ("a", 2, 3)]),
        (["B-", "I"], [("_", 0, 2)]),
        (["B-x-y", "I-x-y"], [("x-y", 0, 2)]),
    ],
)
@pytest.mark.parametrize("scheme", ["BIO", "IOB1"])
def test_spans_by_hand(tags, found, scheme):
    assert entities.spans(tags, scheme) == found


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (["S-a", "B-a", "I-a", "E-a", "S-a"], [("a", 0, 1), ("a", 1, 4), ("a", 4, 5)]),
        # Ill-formed: an end without a beginning, a beginning without an end, ends side by side.
        (["E-a", "E-a"], [("a", 0, 1), ("a", 1, 2)]),
        (["I-a", "E-a"], [("a", 0, 2)]),
        (["B-a", "B-a", "E-a"], [("a", 0, 1), ("a", 1, 3)]),
        (["B-a", "O"], [("a", 0, 1)]),
        (["S-a", "I-a"], [("a", 0, 1), ("a", 1, 2)]),
        (["E-a", "I-a"], [("a", 0, 1), ("a", 1, 2)]),
        (["B-a", "S-a"], [("a", 0, 1), ("a", 1, 2)]),
        (["B-a", "E-b"], [("a", 0, 1), ("b", 1, 2)]),
    ],
)
def test_spans_with_ends_by_hand(tags, found):
    assert entities.spans(tags, "BIOES") == found
    assert entities.spans(in_bilou(tags), "BILOU") == found


@settings(deadline=None, max_examples=300)
@given(data=st.data(), scheme=st.sampled_from(["IOB1", "BIO", "BIOES"]))
def test_spans_are_seqevals_however_ill_formed(data, scheme):
    tags = data.draw(sequences("BI" if scheme != "BIOES" else "BIES", max_size=12))
    wanted = [(kind, first, last + 1) for kind, first, last in seqeval.get_entities(tags)]
    assert entities.spans(tags, scheme) == wanted
    if scheme == "BIOES":
        assert entities.spans(in_bilou(tags), "BILOU") == wanted


@pytest.mark.parametrize(
    ("tag", "scheme", "places"),
    [
        ("E-a", "BIO", "B, I"),
        ("person", "BIO", "B, I"),
        ("B_a", "BIOES", "B, I, E, S"),
        ("S-a", "BILOU", "B, I, L, U"),
    ],
)
def test_a_tag_of_another_scheme_is_named(tag, scheme, places):
    message = f"The tag '{tag}' is not one of {scheme}: expected O, or one of {places}, a hyphen and a kind."
    with pytest.raises(DataError, match=message):
        entities.spans(["O", tag], scheme)


@pytest.mark.parametrize("scheme", ["plain", "IOE"])
def test_there_are_no_spans_without_a_scheme_of_entities(scheme):
    with pytest.raises(ValueError, match=f"must be one of IOB1, BIO, BIOES, BILOU, got '{scheme}'"):
        entities.spans(["O"], scheme)


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        ([["B-a", "I-a", "O"], ["O", "B-b"]], "BIO"),
        ([["I-a", "I-a", "O"], ["O", "I-b"]], "IOB1"),
        ([["I-a", "B-a", "O"], ["I-b"]], "IOB1"),  # a B beside its kind, as IOB1 has it
        ([["I-a", "B-b"]], "BIO"),  # one of each, and IOB1 has no B beside another kind
        ([["B-a", "B-a", "I-a"]], "BIO"),  # the first B touches nothing
        ([["B-a", "I-b"], ["B-a"], ["B-b"]], "BIO"),  # BIO with a mistake
        ([["I-a", "O", "I-b"], ["B-a"]], "IOB1"),  # IOB1 with a mistake
        ([["O"], ["O", "O"]], "BIO"),
        ([["B", "I", "O"]], "BIO"),
        ([["S-a", "O"]], "BIOES"),
        ([["I-a", "E-a"]], "BIOES"),  # IOE
        ([["B-a", "I-a", "E-a"]], "BIOES"),
        ([["U-a", "O"]], "BILOU"),
        ([["B-a", "L-a"]], "BILOU"),
        ([["NOUN", "VERB"]], "plain"),
        ([["O", "V", "N", "S"]], "plain"),  # parts of speech of one letter
        ([["B-a", "VERB"]], "plain"),  # no O, so none that is outside of entities
        ([], "BIO"),
    ],
)
def test_scheme_by_hand(sentences, expected):
    assert entities.scheme(sentences) == expected
    assert entities.scheme(tuple(tags) for tags in sentences) == expected


def test_a_misspelt_tag_is_named():
    with pytest.raises(DataError, match=r"The tag 'B_a' is none of entities, .*\(2 such tags\)"):
        entities.scheme([["O", "B-a", "I-a"], ["B_a", "o"]])


def test_a_mixture_of_schemes_is_refused():
    with pytest.raises(DataError, match="first letters are B, L, O, S, expected those of one scheme"):
        entities.scheme([["O", "B-a", "L-a", "S-a"]])


@st.composite
def written(draw):
    """Well-formed entities side by side or apart, in three schemes."""
    bio, iob1, bioes, found = [], [], [], []
    before = None
    for kind, length in draw(
        st.lists(st.tuples(st.sampled_from("ab_"), st.integers(1, 3)), min_size=1, max_size=6)
    ):
        if kind == "_":
            for tags in (bio, iob1, bioes):
                tags.extend(["O"] * length)
        else:
            found.append((kind, len(bio), len(bio) + length))
            bio += [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
            iob1 += [f"{'B' if kind == before else 'I'}-{kind}", *[f"I-{kind}"] * (length - 1)]
            inner = [f"I-{kind}"] * (length - 2)
            bioes += [f"S-{kind}"] if length == 1 else [f"B-{kind}", *inner, f"E-{kind}"]
        before = kind
    return bio, iob1, bioes, found


@settings(deadline=None)
@given(written())
def test_well_formed_tags_tell_their_scheme_and_their_entities(drawn):
    bio, iob1, bioes, found = drawn
    for tags, expected in ((bio, "BIO"), (iob1, "IOB1"), (bioes, "BIOES"), (in_bilou(bioes), "BILOU")):
        assert entities.scheme([tags]) == (expected if found else "BIO")
        assert entities.spans(tags, expected) == found


def test_figures_by_hand():
    # True: a of 2 tokens, b, b; answered: a of 2, a for a b, and b. So 2 of 3 are right on both sides.
    true = [["B-a", "I-a", "O", "B-b"], ["O", "B-b"]]
    predicted = [["B-a", "I-a", "O", "B-a"], ["O", "B-b"]]
    figures = entities.figures(true, predicted, "BIO")
    assert figures["rows"] == 2
    assert figures["tokens"] == 6
    assert figures["token_accuracy"] == pytest.approx(5 / 6)
    assert (figures["true"], figures["predicted"], figures["right"]) == (3, 3, 2)
    for key in ("precision_micro", "recall_micro", "f1_micro"):
        assert figures[key] == pytest.approx(2 / 3)
    # a: precision 1/2, recall 1; b: precision 1, recall 1/2; both F1 2/3.
    assert figures["kinds"] == [
        {"kind": "a", "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3)}
        | {"true": 1, "predicted": 2, "right": 1},
        {"kind": "b", "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3)}
        | {"true": 2, "predicted": 1, "right": 1},
    ]
    assert figures["precision_macro"] == pytest.approx(3 / 4)
    assert figures["precision_weighted"] == pytest.approx((1 * 1 / 2 + 2 * 1) / 3)
    assert figures["recall_weighted"] == pytest.approx((1 * 1 + 2 * 1 / 2) / 3)
    # Draws of two sentences: 1/2 (twice the first), 2/3, or 1 (twice the second).
    assert figures["f1_micro_95_low"] == pytest.approx(1 / 2)
    assert figures["f1_micro_95_high"] == 1.0


def test_a_border_that_is_one_token_off_is_wrong_on_both_sides():
    figures = entities.figures([["B-a", "I-a"]], [["B-a", "O"]], "BIO")
    assert (figures["true"], figures["predicted"], figures["right"]) == (1, 1, 0)
    assert figures["f1_micro"] == 0.0
    assert figures["token_accuracy"] == 0.5


@pytest.mark.filterwarnings("error")
def test_figures_without_an_entity_are_zero():
    figures = entities.figures([["O", "O"]], [["O", "O"]], "BIO")
    assert figures["token_accuracy"] == 1.0
    assert (figures["true"], figures["predicted"], figures["right"]) == (0, 0, 0)
    assert figures["f1_micro"] == figures["f1_macro"] == figures["f1_weighted"] == 0.0
    assert figures["kinds"] == []
    json.dumps(figures, allow_nan=False)


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@pytest.mark.parametrize("scheme", ["IOB1", "BIO", "BIOES"])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_figures_are_seqevals_however_ill_formed(average, scheme, data):
    true, predicted = data.draw(sentences("BI" if scheme != "BIOES" else "BIES"))
    figures = entities.figures(true, predicted, scheme)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of seqeval, where a figure is undefined
        wanted = seqeval.precision_recall_fscore_support(true, predicted, average=average)
        accuracy = seqeval.accuracy_score(true, predicted)
    if figures["kinds"]:  # of none, seqeval's mean is not a number
        found = [figures[f"{key}_{average}"] for key in ("precision", "recall", "f1")]
        assert found == pytest.approx(wanted[:3])
    assert figures["true"] == wanted[3]
    assert figures["token_accuracy"] == pytest.approx(accuracy)
    assert figures["f1_micro_95_low"] <= figures["f1_micro_95_high"]
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


@settings(deadline=None, max_examples=20)
@given(sentences("BIES"))
def test_figures_in_bilou_are_those_in_bioes(drawn):
    true, predicted = drawn
    in_other = [[in_bilou(tags) for tags in side] for side in drawn]
    assert entities.figures(*in_other, "BILOU") == entities.figures(true, predicted, "BIOES")


def test_figures_of_plain_tags_by_hand():
    true = [["NOUN", "VERB", "NOUN"], ["DET", "NOUN"]]
    predicted = [["NOUN", "NOUN", "NOUN"], ["DET", "ADJ"]]
    figures = entities.figures(true, predicted, "plain")
    assert figures["token_accuracy"] == 3 / 5
    # Wilson 1927 for 3 of 5.
    found = [figures["token_accuracy_95_low"], figures["token_accuracy_95_high"]]
    assert found == pytest.approx([0.2307243, 0.8823792], abs=1e-6)
    flat = [[tag for tags in side for tag in tags] for side in (true, predicted)]
    assert figures["f1_macro"] == pytest.approx(metrics.f1_score(*flat, average="macro", zero_division=0))
    assert figures["f1_macro"] == pytest.approx((1 + 2 / 3 + 0 + 0) / 4)  # DET, NOUN, VERB, ADJ
    assert [row["tag"] for row in figures["tags"]] == ["ADJ", "DET", "NOUN", "VERB"]
    assert figures["tags"][2] == {
        "tag": "NOUN",
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "true": 3,
        "predicted": 3,
        "right": 2,
    }
    assert "kinds" not in figures
    json.dumps(figures, allow_nan=False)


@pytest.mark.parametrize(
    ("true", "predicted"), [([["O"]], [["O", "O"]]), ([["O"]], []), ([], []), ([[]], [[]])]
)
def test_tokens_must_match(true, predicted):
    with pytest.raises(ValueError, match="tags of the same tokens, at least one"):
        entities.figures(true, predicted, "BIO")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_real_entities_are_seqevals(shared, split):
    tags = pyarrow.json.read_json(shared / "data/wnut17_ner" / f"{split}.jsonl")["tags"].to_pylist()
    assert entities.scheme(tags) == "BIO"
    for sentence in tags:
        wanted = [(kind, first, last + 1) for kind, first, last in seqeval.get_entities(sentence)]
        assert entities.spans(sentence, "BIO") == wanted
    # A tagger that answers one token in ten at random, which makes many sequences ill-formed.
    dice = np.random.default_rng(0)
    known = sorted({tag for sentence in tags for tag in sentence})
    noisy = [
        [tag if dice.random() < 0.9 else str(dice.choice(known)) for tag in sentence] for sentence in tags
    ]
    figures = entities.figures(tags, noisy, "BIO")
    for average in ("micro", "macro", "weighted"):
        wanted = seqeval.precision_recall_fscore_support(tags, noisy, average=average)
        found = [figures[f"{key}_{average}"] for key in ("precision", "recall", "f1")]
        assert found == pytest.approx(wanted[:3])
    assert figures["f1_micro_95_low"] < figures["f1_micro"] < figures["f1_micro_95_high"]


def test_real_parts_of_speech_are_plain(shared):
    tags = pyarrow.json.read_json(shared / "data/ud_english_ewt_pos/test.jsonl")["tags"].to_pylist()
    assert entities.scheme(tags) == "plain"
    assert entities.figures(tags, tags, "plain")["f1_macro"] == 1.0
