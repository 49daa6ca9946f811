"""Tests of tfft/augmentations/word_deletion.py."""

from tests.augmentations.toys import augmented, is_likely
from tfft.augmentations import word_deletion

TEXTS = [f"{number} b c d e f g h i j" for number in range(2000)]


def test_the_share_of_words_that_go_and_the_order_of_the_rest():
    found = augmented(word_deletion.build(probability=1.0, share=0.2), TEXTS)
    gone = 0
    for text, shorter in zip(TEXTS, found, strict=True):
        words, left = text.split(), shorter.split(" ")
        assert left == [word for word in words if word in left]
        gone += len(words) - len(left)
    assert is_likely(gone, 10 * len(TEXTS), 0.2)


def test_one_word_is_left_of_all():
    found = augmented(word_deletion.build(probability=1.0, share=1.0), ["a b  c", "one", " one "])
    assert found[0] in {"a", "b", "c"}
    assert found[1:] == ["one", " one "]


def test_no_share_changes_nothing_and_white_space_only_changes_with_a_word():
    texts = ["a  b\tc ", " d\n\ne"] * 100
    assert augmented(word_deletion.build(probability=1.0, share=0.0), texts) == texts
    found = augmented(word_deletion.build(probability=1.0, share=0.5), texts)
    assert set(found) == {"a  b\tc ", " d\n\ne", "a b", "a c", "b c", "a", "b", "c", "d", "e"}
