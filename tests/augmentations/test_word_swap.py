"""Tests of tfft/augmentations/word_swap.py."""

import numpy as np

from tests.augmentations.toys import augmented, is_likely
from tfft.augmentations import word_swap

WORDS = [str(number) for number in range(20)]


def swapped(words, rows, share):
    found = augmented(word_swap.build(probability=1.0, share=share), [" ".join(words)] * rows)
    return np.array([text.split(" ") for text in found])


def test_one_swap_moves_two_words():
    found = swapped(WORDS, 500, 0.05)
    assert ((found != np.array(WORDS)).sum(axis=1) == 2).all()
    assert (np.sort(found, axis=1) == np.sort(WORDS)).all()


def test_each_pair_is_as_likely():
    found = swapped(["a", "b", "c"], 6000, 0.1)
    texts = ["".join(row) for row in found]
    for text in ("bac", "cba", "acb"):
        assert is_likely(texts.count(text), 6000, 1 / 3)


def test_the_number_of_swaps_is_a_share_of_the_words():
    # The parity of a permutation is that of its swaps; two swaps move 4 words, 3, or none.
    found = swapped(WORDS, 500, 0.1)
    moved = (found != np.array(WORDS)).sum(axis=1)
    assert set(moved) <= {0, 3, 4}
    assert np.mean(moved == 4) > 0.6
    assert (swapped(["a", "b"], 100, 1.0) == ["a", "b"]).all()  # twice there and back


def test_texts_of_unlike_length_are_swapped_each_by_itself():
    texts = [" ".join(WORDS[:length]) for length in (0, 1, 2, 3, 10, 20)] * 20
    found = augmented(word_swap.build(probability=1.0, share=0.15), texts)
    for text, other in zip(texts, found, strict=True):
        assert sorted(text.split()) == sorted(other.split())
    assert found[:3] == ["", "0", "1 0"]


def test_no_share_changes_nothing():
    assert augmented(word_swap.build(probability=1.0, share=0.0), ["a  b c", "d"]) == ["a  b c", "d"]
