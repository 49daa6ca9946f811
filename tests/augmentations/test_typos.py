"""Tests of tfft/augmentations/typos.py."""

import unicodedata

import pytest

from tests.augmentations.toys import augmented, is_likely
from tfft.augmentations import typos


def built(*kinds, rate=1.0):
    return typos.build(probability=1.0, rate=rate, kinds=list(kinds))


TEXTS = ["abcd", "ab 1de", "a", "ab👍", "电影", "e\u0301a", "abc", "12 !?"]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        # At rate 1 the first of letters in a row is drawn alone; no text becomes empty.
        ("delete", ["bcd", "b 1e", "a", "b👍", "影", "e\u0301", "bc", "12 !?"]),
        ("double", ["aabcd", "aab 1dde", "aa", "aab👍", "电电影", "e\u0301aa", "aabc", "12 !?"]),
        ("swap", ["bacd", "ba 1ed", "a", "ba👍", "影电", "e\u0301a", "bac", "12 !?"]),
    ],
)
def test_by_hand(kind, wanted):
    assert augmented(built(kind), TEXTS) == wanted


def test_neighbours_touch():
    near = {letter: set(typos.neighbours(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"}
    assert near["q"] == set("wa")
    assert near["g"] == set("tyfhvb")
    assert near["m"] == set("njk")
    assert all(letter in near[other] for letter, others in near.items() for other in others)


def test_a_neighbour_is_of_the_same_case_and_only_ascii_has_any():
    found = augmented(built("neighbour"), ["q"] * 300 + ["Q"] * 300 + ["é", "电", "1"])
    assert set(found[:300]) == {"w", "a"}
    assert set(found[300:600]) == {"W", "A"}
    assert found[600:] == ["é", "电", "1"]


def test_the_rate_of_letters():
    # Letters apart, so that none is left alone for the one before it.
    texts = ["a1" * 20] * 500
    found = augmented(built("double", rate=0.1), texts)
    assert is_likely(sum(text.count("aa") for text in found), 20 * 500, 0.1)
    # Of letters in a row, one is mistyped if it is drawn and the one before it is not.
    found = augmented(built("delete", rate=0.1), ["a" * 41] * 500)
    gone = sum(41 - len(text) for text in found)
    assert gone == pytest.approx(500 * (0.1 + 40 * 0.09), rel=0.08)


def test_each_kind_is_as_likely_where_it_is_possible():
    found = augmented(typos.build(probability=1.0, rate=1.0), ["qé1"] * 6000 + ["é1"] * 3000)
    first, second = found[:6000], found[6000:]
    counts = {
        "delete": first.count("é1"),
        "double": first.count("qqé1"),
        "swap": first.count("éq1"),
        "neighbour": first.count("wé1") + first.count("aé1"),
    }
    assert sum(counts.values()) == 6000
    assert all(is_likely(count, 6000, 1 / 4) for count in counts.values()), counts
    assert second.count("1") + second.count("éé1") == 3000  # no letter after it, and no key
    assert is_likely(second.count("1"), 3000, 1 / 2)


def test_no_rate_changes_nothing():
    texts = ["some text", "e\u0301", "", "\ufffd"]
    assert augmented(typos.build(probability=1.0, rate=0.0), texts) == texts


def test_marks_stay_with_their_letters():
    text = unicodedata.normalize("NFD", "é à ü") + " हिन्दी"
    for seed in range(20):
        found = augmented(typos.build(probability=1.0, rate=1.0), [text], (seed, 0))[0]
        for mark, letter in zip("\u0301\u0300\u0308", "eau", strict=True):
            assert letter + mark in found
