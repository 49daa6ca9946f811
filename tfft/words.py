"""Raw text to words, in a TensorFlow graph, for a model that gives each word a tag of its own.

Training has words already, as the data cut them. A client has text; it is cut here, in the
export, and each word comes with its place in the text.
"""

import functools
import sys
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# As BERT's own tokenizer has it, each of these is a word: ideographs, which no space parts.
_IDEOGRAPHS = (
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)  # fmt: skip
_STAYS_BEFORE_A_WORD = (ord("@"), ord("#"))


class Words(NamedTuple):
    """The words of texts.

    Attributes:
        texts: Strings `[N, (words)]`.
        starts: Where each begins in its text, in characters, int32 `[N, (words)]`.
        ends: Where it ends: the place of the character after it.
    """

    texts: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor


def by_white_space(texts: tf.Tensor) -> Words:
    """Return what white space parts, of strings `[N]`; bytes that are not UTF-8 are U+FFFD."""
    characters, is_space, begins_chunk = _chunks(texts)
    return _gathered(characters, is_space, begins_chunk)


def by_punctuation(texts: tf.Tensor) -> Words:
    """Return the words of strings `[N]`, punctuation apart from them.

    White space parts chunks. Marks (punctuation and symbols) at either edge of a chunk are
    words of their own, equal ones side by side one word; those inside it stay, as in `don't`,
    `3.14` and `a@b.org`, and so do `@` and `#` right before a word. An ideograph is a word.
    Bytes that are not UTF-8 are U+FFFD.
    """
    characters, is_space, begins_chunk = _chunks(texts)
    codes = characters.flat_values
    is_mark = _is_in(codes, _marks()) & ~is_space
    is_own = _is_in(codes, _IDEOGRAPHS)
    is_plain = tf.cast(~is_space & ~is_mark, tf.int32)
    # How many plain characters of its chunk stand before each one, of how many.
    chunk = tf.cumsum(tf.cast(begins_chunk, tf.int32))
    chunks = tf.reduce_max(tf.concat([chunk, [0]], axis=0)) + 1
    count = tf.math.unsorted_segment_sum(is_plain, chunk, chunks)
    before = tf.cumsum(is_plain, exclusive=True) - tf.gather(tf.cumsum(count, exclusive=True), chunk)
    is_edge = is_mark & ((before == 0) | (before == tf.gather(count, chunk)))
    after = tf.concat([is_plain[1:] > 0, [False]], axis=0) & ~tf.concat([begins_chunk[1:], [True]], axis=0)
    stays = functools.reduce(tf.logical_or, [codes == code for code in _STAYS_BEFORE_A_WORD])
    is_edge &= ~(stays & after)

    def previous(values: tf.Tensor) -> tf.Tensor:
        return tf.concat([values[:1], values[:-1]], axis=0)

    unlike = is_edge & (codes != previous(codes))
    begins = begins_chunk | is_own | previous(is_own) | (is_edge != previous(is_edge)) | unlike
    return _gathered(characters, is_space, begins & ~is_space)


def _chunks(texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor, tf.Tensor]:
    """Return the characters, which are white space, and which begin what white space parts."""
    characters = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
    is_space = _is_in(characters.flat_values, _spaces())
    is_first = tf.ragged.range(characters.row_lengths()).flat_values == 0
    follows_space = tf.concat([[True], is_space[:-1]], axis=0)[: tf.size(is_space)]
    return characters, is_space, ~is_space & (is_first | follows_space)


def _gathered(characters: tf.RaggedTensor, is_space: tf.Tensor, begins: tf.Tensor) -> Words:
    """Return the words that begin at the given characters; a word has no space in it."""
    rows, number = characters.nrows(out_type=tf.int64), tf.cumsum(tf.cast(begins, tf.int64))
    lengths = tf.math.bincount(
        tf.cast(tf.boolean_mask(number, ~is_space) - 1, tf.int32),
        minlength=tf.reduce_sum(tf.cast(begins, tf.int32)),
        dtype=tf.int64,
    )
    of_rows = tf.math.unsorted_segment_sum(tf.cast(begins, tf.int64), characters.value_rowids(), rows)
    letters = tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(characters.flat_values, ~is_space), lengths, validate=False
    )
    places = tf.boolean_mask(tf.ragged.range(characters.row_lengths()).flat_values, begins)

    def in_rows(values: tf.Tensor) -> tf.RaggedTensor:
        return tf.RaggedTensor.from_row_lengths(values, of_rows, validate=False)

    return Words(
        in_rows(tf.strings.unicode_encode(letters, "UTF-8", errors="replace")),
        in_rows(tf.cast(places, tf.int32)),
        in_rows(tf.cast(places + lengths, tf.int32)),
    )


def _is_in(codes: tf.Tensor, ranges: tuple[tuple[int, int], ...]) -> tf.Tensor:
    """Return whether each code stands in one of the ranges, which are in order."""
    edges = tf.constant([edge for first, last in ranges for edge in (first, last + 1)], codes.dtype)
    return tf.searchsorted(edges, codes, side="right") % 2 == 1


@functools.cache
def _marks() -> tuple[tuple[int, int], ...]:
    """Return the characters of the categories P and S of Unicode."""
    return _ranges(lambda character: unicodedata.category(character)[0] in "PS")


@functools.cache
def _spaces() -> tuple[tuple[int, int], ...]:
    return _ranges(str.isspace)


def _ranges(test: Callable[[str], bool]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for code in range(sys.maxunicode + 1):
        if test(chr(code)):
            if found and found[-1][1] == code - 1:
                found[-1] = (found[-1][0], code)
            else:
                found.append((code, code))
    return tuple(found)
