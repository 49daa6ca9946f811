"""Tests of tfft/augmentations/case_noise.py."""

import pytest

from tests.augmentations.toys import augmented, is_likely
from tfft.augmentations import case_noise


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        ("lower", ["i'm in paris  now", "straße éa ii̇", "电影 ok", "a\ufffdb"]),
        ("upper", ["I'M IN PARIS  NOW", "STRASSE ÉA IİI", "电影 OK", "A\ufffdB"]),
        ("title", ["I'm In Paris Now", "Straße Éa Ii̇", "电影 Ok", "A\ufffdb"]),
    ],
)
def test_by_hand(case, wanted):
    texts = ["I'm in PARIS  now", "Straße Éa Iİ", "电影 Ok", "A\x00b"]
    if case == "upper":
        texts[1] = "Straße Éa iİi"
    assert augmented(case_noise.build(probability=1.0, cases=[case]), texts) == wanted


def test_each_case_is_as_likely():
    found = augmented(case_noise.build(probability=0.6), ["one TWO"] * 5000)
    for text, share in (("one TWO", 0.4), ("one two", 0.2), ("ONE TWO", 0.2), ("One Two", 0.2)):
        assert is_likely(found.count(text), 5000, share)


def test_a_text_without_words_stays():
    blank = ["", " ", "\r\n", "12 !"]
    assert augmented(case_noise.build(probability=1.0, cases=["title"]), blank) == blank
