"""Text to the inputs of a backbone, in one TensorFlow graph, the same in training and in the export.

A tokenizer (`word_piece.py`, `byte_pair.py`, `sentence_piece.py`) cuts text into
ids; here they are framed by the special tokens that the checkpoint was trained
with, cut to length and padded.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfft.errors import PresetError
from tfft.inputs import Inputs


class Tokenizer(Protocol):
    """What the tokenizers have in common.

    Attributes:
        settings: What `restore` of its file needs besides the files, ready for JSON.
        files: What `restore` reads, by the names of the files.
        unknown: Id of the token for what has none, None where every text has its tokens.
    """

    @property
    def settings(self) -> Mapping[str, Any]: ...

    @property
    def files(self) -> Mapping[str, bytes]: ...

    @property
    def unknown(self) -> int | None: ...

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Return the ids of all tokens, int32 `[N, (tokens)]`, of strings `[N]`."""

    def id_of(self, token: str) -> int | None:
        """Return the id of a special token, None if there is none."""

    def spell(self, ids: Sequence[int]) -> list[str]:
        """Return the text of each token, for people to read."""


@dataclass(frozen=True)
class Frame:
    """The special tokens around the ids of a text, by their ids; None is none.

    Attributes:
        start: Before the text.
        end: After the text.
        middle: Between two texts.
        blank: In place of a text that has no tokens.
        pad: Fills the row.
    """

    start: int | None
    end: int | None
    middle: Sequence[int]
    blank: int | None
    pad: int


def frame(
    tokenizer: Tokenizer,
    *,
    start: str | None,
    end: str | None,
    blank: str | None,
    pad: str | None,
    doubles_end: bool = False,
) -> Frame:
    """Return the frame that these special tokens make.

    Two texts stand apart by the token of the end, or two of it; where there is none, by that of the
    start, or else by that which stands for no text.

    Raises:
        PresetError: The vocabulary lacks one of them.
    """
    ids = {token: tokenizer.id_of(token) for token in (start, end, blank, pad) if token is not None}
    if absent := [token for token, found in ids.items() if found is None]:
        raise PresetError(
            f"backbone.preset: the vocabulary lacks {', '.join(absent)}, with which this kind of model "
            "was trained. Choose a preset whose tokenizer belongs to its model."
        )
    between = ids.get(end or start or blank or "")
    return Frame(
        start=ids.get(start or ""),
        end=ids.get(end or ""),
        middle=() if between is None else (between,) * (1 + doubles_end),
        blank=ids.get(blank or ""),
        pad=ids.get(pad or "") or 0,
    )


class Preprocessor(tf.Module):
    """Text to the inputs of a backbone.

    Args:
        read: Columns to one text or two.
        tokenizer: Text to ids.
        frame: Special tokens around them.
        sequence_length: Longest row in tokens, special tokens included.
        prepare: What cleans a text before the tokenizer.
        truncation: Which tokens of a longer text stay: `head`, `tail` or `head_and_tail`, a quarter of
            them from the front (Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?",
            section 5.3.1).
        inputs: Which of `token_ids`, `segment_ids` and `padding_mask` the model takes.
        is_full: Every row is padded to `sequence_length`, not to the longest of its batch. F-Net
            needs it: it has no padding mask, each vector is mixed from all places of the row, and
            so a text would be answered otherwise beside a longer one.
    """

    def __init__(
        self,
        read: Inputs,
        tokenizer: Tokenizer,
        frame: Frame,
        sequence_length: int,
        *,
        prepare: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
        truncation: str = "head",
        inputs: Iterable[str] = ("token_ids", "segment_ids", "padding_mask"),
        is_full: bool = False,
    ) -> None:
        super().__init__(name="preprocessor")
        self.read = read
        self.prepare = prepare
        self.tokenizer = tokenizer
        self.frame = frame
        self.sequence_length = sequence_length
        self.truncation = truncation
        self.inputs = tuple(inputs)
        self.is_full = is_full

    def __call__(self, fields: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return the inputs of the backbone for named columns of strings `[N]`."""
        return self.pack(*self.tokenize(fields))

    def tokenize(self, fields: Mapping[str, tf.Tensor]) -> tuple[tf.RaggedTensor, ...]:
        """Return the ids of all tokens of each text, int32 `[N, (tokens)]`, uncut and unframed."""
        return self.ids(self.read.join(fields))

    def ids(self, texts: Sequence[tf.Tensor]) -> tuple[tf.RaggedTensor, ...]:
        """Return the ids of all tokens of texts, strings `[N]` each, that columns were joined to."""
        return tuple(self.tokenizer.tokenize(self.prepare(text)) for text in texts)

    at_most = 1
    """Windows that read a row."""

    @property
    def parts(self) -> int:
        """How many arrays `tokenize` makes of a row."""
        return len(self.read.texts)

    @property
    def special(self) -> int:
        """How many special tokens frame the texts of a row."""
        frame = self.frame
        between = len(frame.middle) * (len(self.read.texts) - 1)
        return (frame.start is not None) + (frame.end is not None) + between

    def room(self) -> int:
        """Return the tokens of a row that are left for its texts."""
        return self.sequence_length - self.special

    def windows(self, lengths: np.ndarray) -> np.ndarray:
        """Return how many windows rows need that have so many tokens, `[rows]`."""
        return np.ones_like(lengths)

    def sizes(self, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what `pack` makes of rows before padding.

        Args:
            lengths: Tokens of each row in all its texts, uncut and unframed, `[rows]`.

        Returns:
            Tokens of the widest window of each row, and of all its windows, `[rows]`.
        """
        kept = self._of_text(np.minimum(lengths, self.room()))
        return kept + self.special, kept + self.special

    def _of_text(self, kept: np.ndarray) -> np.ndarray:
        """Return the tokens between the special ones; where there is no text, one may stand in for it."""
        return np.maximum(kept, 1) if len(self.read.texts) == 1 and self.frame.blank is not None else kept

    def pack(self, *texts: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        """Return the inputs, each int32 `[N, tokens]`.

        Rows are cut to the sequence length, framed, and padded to the longest of them. Of two texts
        that are too long together, the longer gives way until they are equally long.
        """
        start, end, blank = self.frame.start, self.frame.end, self.frame.blank
        rows, room = texts[0].nrows(), self.room()
        lengths = [text.row_lengths() for text in texts]
        if len(texts) == 1:
            parts = [self._cut(texts[0], tf.minimum(lengths[0], room))]
            if blank is not None:
                missing = tf.cast(lengths[0] == 0, tf.int64)  # [N], of tokens
                stands_in = tf.fill([tf.reduce_sum(missing)], blank)
                parts.append(tf.RaggedTensor.from_row_lengths(stands_in, missing, validate=False))
            segments = [0] * len(parts)
        else:
            first = tf.minimum(lengths[0], tf.maximum(room - lengths[1], room - room // 2))
            second = tf.minimum(lengths[1], room - first)
            middle = tf.tile(tf.constant([self.frame.middle], tf.int32), [rows, 1])
            parts = [self._cut(texts[0], first), middle, self._cut(texts[1], second)]
            segments = [0, 0, 1]
        edge = tf.ones([rows, 1], tf.int32)
        if start is not None:
            parts, segments = [edge * start, *parts], [0, *segments]
        if end is not None:
            parts, segments = [*parts, edge * end], [*segments, segments[-1]]
        ids = _beside(parts)
        shape = (None, self.sequence_length if self.is_full else None)
        made = {
            "token_ids": ids.to_tensor(self.frame.pad, shape=shape),
            "segment_ids": _beside(
                [tf.ones_like(part) * segment for part, segment in zip(parts, segments, strict=True)]
            ).to_tensor(0, shape=shape),
            "padding_mask": tf.ones_like(ids).to_tensor(0, shape=shape),
        }
        return {name: made[name] for name in self.inputs}

    def _cut(self, ids: tf.RaggedTensor, keep: tf.Tensor) -> tf.RaggedTensor:
        """Return `keep[n]` tokens of each row: its first, its last, or some of both."""
        lengths = ids.row_lengths()
        # Sun et al. 2019 keep the first 128 and the last 382 of 510.
        front = {"head": keep, "tail": tf.zeros_like(keep), "head_and_tail": keep // 4}[self.truncation]
        front = tf.where(keep < lengths, front, keep)
        place = tf.ragged.range(lengths).flat_values
        from_end = tf.repeat(lengths - keep + front, lengths)
        stays = (place < tf.repeat(front, lengths)) | (place >= from_end)
        return tf.RaggedTensor.from_row_lengths(tf.boolean_mask(ids.flat_values, stays), keep, validate=False)


def _beside(parts: Sequence[Any]) -> tf.RaggedTensor:
    """Return the rows of several tensors one after the other, `[N, (tokens)]`."""
    return tf.concat(parts, axis=1) if len(parts) > 1 else parts[0]
