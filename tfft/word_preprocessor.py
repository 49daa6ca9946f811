"""Words to the inputs of a backbone, and where the first piece of each word stands among its tokens.

A word is tagged by the vector of its first piece (Devlin et al. 2019, "BERT", section 5.3). Words
are tokenised one by one, as they stand in a text: after a space, where the tokenizer sees it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tfft.preprocessor import Preprocessor, Tokenizer
from tfft.words import Words


class WordPreprocessor(Preprocessor):
    """Words to the inputs of a backbone and `word_places`.

    Args:
        split: Raw texts, strings `[N]`, to their words.
        named: Arguments of `Preprocessor`.
    """

    def __init__(self, *, split: Callable[[tf.Tensor], Words], **named: Any) -> None:
        super().__init__(**named)
        self.split = split
        self._before = before_word(self.tokenizer)

    parts = 2
    """How many arrays `tokenize` makes of a row."""

    def __call__(self, fields: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return the inputs of the backbone for raw texts, strings `[N]` by the name of their column."""
        return self.pack(*self.tokenize({name: self.split(text).texts for name, text in fields.items()}))

    def tokenize(self, fields: Mapping[str, tf.RaggedTensor]) -> tuple[tf.RaggedTensor, ...]:
        """Return ids of all tokens, int32 `[N, (tokens)]`, and how many each word has, `[N, (words)]`.

        Args:
            fields: Words, strings `[N, (words)]`, by the name of their column.
        """
        (words,) = self.read.join(fields)
        ids = self.tokenizer.tokenize(tf.strings.join([self._before, self.prepare(words.flat_values)]))
        of_rows = tf.gather(ids.row_splits, words.row_splits)
        pieces = tf.cast(ids.row_lengths(), tf.int32)
        return tf.RaggedTensor.from_row_splits(ids.flat_values, of_rows), words.with_flat_values(pieces)

    def pack(self, *texts: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        """Return the inputs, each int32 `[N, tokens]`, and `word_places`, int32 `[N, words]`.

        The place of a word is that of its first piece; -1 is of one that was cut off, that the
        tokenizer sees nothing of, or that fills the row up.
        """
        ids, pieces = texts
        ends = tf.cumsum(pieces.flat_values)
        starts = (
            ends - pieces.flat_values - tf.gather(tf.cast(ids.row_starts(), tf.int32), pieces.value_rowids())
        )
        is_there = (pieces.flat_values > 0) & (starts < self.room())
        places = tf.where(is_there, starts + (self.frame.start is not None), -1)
        return super().pack(ids) | {"word_places": pieces.with_flat_values(places).to_tensor(-1)}


def before_word(tokenizer: Tokenizer) -> str:
    """Return what stands before a word alone, so that its ids are those that it has after another."""
    after_another = tokenizer.tokenize(tf.constant(["a a"]))[0].numpy().tolist()
    for before in ("", " "):
        alone = tokenizer.tokenize(tf.constant([f"{before}a"]))[0].numpy().tolist()
        if after_another[-len(alone) :] == alone:
            return before
    return ""
