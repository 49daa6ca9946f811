"""Tests of tfft/augmentations/word_masking.py."""

import pytest
from pydantic import ValidationError

from tests.augmentations.toys import augmented, is_likely
from tfft import plugins
from tfft.augmentations import word_masking

TEXTS = [f"{number} b c d e f g h i j" for number in range(2000)]


def test_the_share_of_words_that_are_blanked_and_the_places_of_the_rest():
    found = augmented(word_masking.build(probability=1.0, share=0.2), TEXTS)
    for text, masked in zip(TEXTS, found, strict=True):
        assert all(new in (old, "_") for old, new in zip(text.split(), masked.split(" "), strict=True))
    assert is_likely("".join(found).count("_"), 10 * len(TEXTS), 0.2)


def test_by_hand():
    build = word_masking.build
    assert augmented(build(probability=1.0, share=1.0, token="[GAP]"), ["a b"])[0] in ("a [GAP]", "[GAP] b")
    assert augmented(build(probability=1.0, share=1.0), ["one", " one "]) == ["one", " one "]
    assert augmented(build(probability=1.0, share=0.0), ["a  b "]) == ["a  b "]


@pytest.mark.parametrize("token", ["", " ", "a b", "a\n"])
def test_a_token_is_one_word(token):
    with pytest.raises(ValidationError, match="should match pattern"):
        plugins.settings("augmentations", "word_masking")(name="word_masking", token=token)
