"""Tests of tfft/splitters/hash.py."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.splitters.toys import basis
from tfft.errors import DataError
from tfft.splitters import Basis, hash

SPLITTER = hash.build()
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), min_size=1, max_size=25)


def chosen(texts, fraction=0.5, seed=0, split="test"):
    """Return the texts that are set aside; some more rows see to it that neither side is empty."""
    texts = texts + [f"row {number}" for number in range(64)]
    rows = basis(["a"] * len(texts), texts=texts)
    return [texts[place] for place in SPLITTER.set_aside(rows, fraction, seed, split)]


@settings(deadline=None)
@given(texts=TEXTS, more=TEXTS, order=st.randoms(use_true_random=False), seed=st.integers(0, 2**31 - 1))
def test_a_texts_side_stays_whatever_rows_come_go_or_change_places(texts, more, order, seed):
    both = texts + more
    order.shuffle(both)
    alone, among = set(chosen(texts, seed=seed)), set(chosen(both, seed=seed))
    assert {text for text in texts if text in among} == {text for text in texts if text in alone}
    everywhere = chosen(texts + texts, seed=seed)
    assert all(everywhere.count(text) == 2 * texts.count(text) for text in texts if text in alone)


def test_the_side_is_that_of_the_hash():
    # By hand: what hashlib says of `0 test`, then the length of the text in bytes, then the text.
    texts = ["naïve", "b", ""]
    first = [
        int.from_bytes(
            hashlib.blake2b(b"0 test%d:%s" % (len(text.encode()), text.encode()), digest_size=8).digest(),
            "big",
        )
        for text in texts
    ]
    for fraction in (0.1, 0.3, 0.5, 0.7, 0.9):
        expected = {text for text, value in zip(texts, first, strict=True) if value < fraction * 2**64}
        assert set(chosen(texts, fraction)) & set(texts) == expected


def test_a_larger_share_takes_in_the_smaller_one():
    assert set(chosen([], 0.2)) < set(chosen([], 0.4))


def test_the_share_is_met_on_average():
    texts = [f"text {number}" for number in range(10_000)]
    # Four standard deviations of a binomial are 160 rows.
    assert abs(len(chosen(texts, 0.2)) - 2000) < 170


def test_validation_is_not_cut_out_of_what_the_test_split_left():
    texts = [f"text {number}" for number in range(4000)]
    test = set(chosen(texts, 0.5))
    left = [text for text in texts if text not in test]
    assert abs(len(chosen(left, 0.5, split="validation")) - len(left) / 2) < 160


def test_another_seed_is_another_draw():
    assert set(chosen([], seed=0)) != set(chosen([], seed=1))


def test_a_column_in_place_of_the_text():
    values = [str(number % 7) for number in range(70)]
    rows = basis(["a"] * 70, values)
    aside = hash.build(column="id").set_aside(rows, 0.5, 0, "test")
    sides = [{values[place] for place in places} for places in (aside, set(range(70)) - set(aside.tolist()))]
    assert not sides[0] & sides[1]


def test_the_two_texts_of_a_pair_are_told_apart():
    pairs = pa.table({"text_a": ["ab", "a", ""], "text_b": ["c", "bc", "abc"]})
    found = list(hash._hashes(Basis(pairs, pairs["text_a"], "label"), "0 test"))
    assert len(set(found)) == 3


def test_rows_of_words_are_told_apart():
    rows = pa.table({"text": pa.array([["a", "bc"], ["ab", "c"], ["abc"], [], ["a", "bc"]])})
    found = list(hash._hashes(Basis(rows, rows["text"], "tags"), "0 test"))
    assert len(set(found)) == 4
    assert found[0] == found[4]


@settings(deadline=None)
@given(texts=TEXTS, more=TEXTS, folds=st.integers(2, 5))
def test_a_texts_fold_stays_whatever_other_rows_there_are(texts, more, folds):
    fill = [f"row {number}" for number in range(64)]

    def fold_of(texts):
        found = SPLITTER.folds(basis(["a"] * len(texts), texts=texts), folds, 0)
        return dict(zip(texts, found.tolist(), strict=True)), found

    (alone, _), (among, found) = fold_of(texts + fill), fold_of([*more, *texts, *fill])
    assert {text: among[text] for text in texts} == {text: alone[text] for text in texts}
    assume(len(more) > 1)
    assert np.bincount(found).min() > 0


def test_a_fold_without_rows_is_an_error():
    with pytest.raises(DataError) as caught:
        SPLITTER.folds(basis(["a"] * 6, texts=["same"] * 6), 2, 0)
    assert str(caught.value) == (
        "data.train: fold 1 of 2 would have none of 6 rows. Ask for fewer folds, or add rows."
    )


@pytest.mark.parametrize(("fraction", "told"), [(0.001, "none"), (0.999, "all")])
def test_the_same_text_everywhere_leaves_one_side_empty(fraction, told):
    with pytest.raises(DataError) as caught:
        SPLITTER.set_aside(basis(["a"] * 6, texts=["same"] * 6), fraction, 0, "test")
    assert str(caught.value) == (
        f"data.test: by their hash, {fraction} of 6 rows are {told}. Add rows, take another training.seed, "
        "or name a file."
    )
