"""Tests of tfft/augmentations/__init__.py, and of what all augmentations have in common."""

import csv

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.augmentations.toys import augmented, is_likely
from tfft import plugins
from tfft.augmentations import drawn, drawn_words

NAMES = plugins.names("augmentations")
TEXTS = [f"Some text of words, number {number}, naïve 电影 und so weiter." for number in range(300)]
# Settings with which a text is surely changed.
SURE = {
    "back_translation": {},
    "case_noise": {"cases": ["upper"]},
    "typos": {"rate": 1.0},
    "word_deletion": {"share": 0.9},
    "word_masking": {"share": 0.9},
    "word_swap": {"share": 0.01},
}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """The function from a name and settings to an augmentation, where each of TEXTS has two paraphrases."""
    path = tmp_path_factory.mktemp("paraphrases") / "some.csv"
    with open(path, "w", newline="", encoding="utf-8") as stream:
        rows = [(text, f"{text} {way}") for text in TEXTS for way in "ab"]
        csv.writer(stream).writerows([("text", "paraphrase"), *rows])

    def built(name, **chosen):
        files = {"files": [path]} if name == "back_translation" else {}
        return plugins.load("augmentations", name)(**files, **chosen)

    return built


@pytest.mark.parametrize("name", NAMES)
def test_the_share_of_texts_that_change(build, name):
    augment = build(name, probability=0.3, **SURE[name])
    changed = sum(
        one != other
        for seed in range(4)
        for one, other in zip(augmented(augment, TEXTS, (seed, 1)), TEXTS, strict=True)
    )
    assert is_likely(changed, 4 * len(TEXTS), 0.3)
    assert augmented(build(name, probability=0.0, **SURE[name]), TEXTS) == TEXTS
    always = augmented(build(name, probability=1.0, **SURE[name]), TEXTS)
    assert not set(always) & set(TEXTS)


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_and_rows_differ(build, name):
    augment = build(name, probability=0.8)
    same = [TEXTS[0]] * 200
    once = augmented(augment, same)
    assert augmented(augment, same) == once
    assert augmented(tf.function(augment), same) == once
    assert augmented(augment, same, (3, 6)) != once
    assert augmented(augment, same, (4, 5)) != once
    assert len(set(once)) >= 3  # the text itself, and two or more changes of it
    as_int32 = augment(tf.constant(same), tf.constant([3, 5], tf.int32)).numpy()
    assert [text.decode() for text in as_int32] == once


@pytest.mark.parametrize("name", NAMES)
def test_inside_a_dataset(build, name):
    augment = build(name, probability=0.8)
    seeds = tf.data.Dataset.random(seed=1).batch(2)
    rows = tf.data.Dataset.from_tensor_slices(TEXTS).batch(64)
    changed = tf.data.Dataset.zip(rows, seeds).map(augment)
    texts = [text.decode() for batch in changed for text in batch.numpy()]
    assert len(texts) == len(TEXTS)
    assert 0 < sum(one == other for one, other in zip(texts, TEXTS, strict=True)) < len(TEXTS)


@pytest.mark.parametrize("name", NAMES)
def test_texts_without_words_and_no_texts_at_all(build, name):
    augment = build(name, probability=1.0, **SURE[name])
    blank = ["", " ", "\n\t ", "  "]
    assert augmented(augment, blank) == blank
    assert augmented(augment, []) == []


TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("ab é\u0301ßİ电\x00\ufdd0👍\u200d ")
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chosen", ["usual", "sure"])
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEXT, max_size=4), seed=st.tuples(st.integers(0, 2**31), st.integers(0, 2**31)))
def test_utf_8_stays_utf_8_and_no_text_becomes_empty(build, name, chosen, texts, seed):
    augment = build(name, probability=1.0, **(SURE[name] if chosen == "sure" else {}))
    changed = augmented(augment, texts, seed)
    assert [bool(text) for text in changed] == [bool(text) for text in texts]


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_are_taken(build, name):
    texts = [b"\xff\xfe a\xe2", b"\xe2\x82 \xc3", b"a\x00b c", b"\xed\xa0\x80 e\xcc"]
    augment = build(name, probability=1.0, **SURE[name])
    assert augment(tf.constant(texts), tf.constant([1, 2])).shape == [4]


def test_draws():
    found = drawn([100_000], 0.25, tf.constant([1, 2])).numpy()
    assert is_likely(found.sum(), 100_000, 0.25)
    assert not drawn([1000], 0.0, tf.constant([1, 2])).numpy().any()
    assert drawn([1000], 1.0, tf.constant([1, 2])).numpy().all()


@pytest.mark.parametrize(("share", "mean"), [(0.0, 0.0), (0.25, 0.734375), (1.0, 2.0)])
def test_never_all_words_of_a_row_are_drawn(share, mean):
    # Of three words 3 share on average, less one in the rows where all three would go, which
    # are share cubed: 0.75 - 1/64.
    words = tf.ragged.constant([[], ["one"], ["a", "b", "c"]] * 5000, dtype=tf.string)
    found = drawn_words(words, share, tf.constant([1, 2]))
    counts = tf.reduce_sum(tf.cast(found, tf.int32), axis=1).numpy().reshape(5000, 3)
    assert (counts[:, :2] == 0).all()
    assert counts[:, 2].max() <= 2
    assert counts[:, 2].mean() == pytest.approx(mean, abs=0.05)


def test_each_word_is_as_likely_to_be_left():
    words = tf.ragged.constant([["a", "b", "c"]] * 6000)
    found = drawn_words(words, 1.0, tf.constant([1, 2])).to_tensor().numpy()
    for place in range(3):
        assert is_likely(np.sum(~found[:, place]), 6000, 1 / 3)
