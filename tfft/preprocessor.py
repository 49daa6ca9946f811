"""Text to the inputs of a backbone, in one TensorFlow graph, the same in training and in the export.

A tokenizer (`word_piece.py`, `byte_pair.py`, `sentence_piece.py`) cuts text into
ids; here they are framed by the special tokens that the checkpoint was trained
with, cut to length and padded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf

from tfft.errors import PresetError


class Tokenizer(Protocol):
    """What the tokenizers have in common.

    Attributes:
        settings: What `restore` of its file needs besides the files, ready for JSON.
        files: What `restore` reads, by the names of the files.
    """

    @property
    def settings(self) -> Mapping[str, Any]: ...

    @property
    def files(self) -> Mapping[str, bytes]: ...

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Return the ids of all tokens, int32 `[N, (tokens)]`, of strings `[N]`."""

    def id_of(self, token: str) -> int | None:
        """Return the id of a special token, None if there is none."""


@dataclass(frozen=True)
class Frame:
    """The special tokens around the ids of a text, by their ids; None is none.

    Attributes:
        start: Before the text.
        end: After the text.
        blank: In place of a text that has no tokens.
        pad: Fills the row.
    """

    start: int | None
    end: int | None
    blank: int | None
    pad: int

    @property
    def size(self) -> int:
        """Tokens that the frame adds to a text."""
        return (self.start is not None) + (self.end is not None)


def frame(
    tokenizer: Tokenizer, *, start: str | None, end: str | None, blank: str | None, pad: str | None
) -> Frame:
    """Return the frame that these special tokens make.

    Raises:
        PresetError: The vocabulary lacks one of them.
    """
    ids = {token: tokenizer.id_of(token) for token in (start, end, blank, pad) if token is not None}
    if absent := [token for token, found in ids.items() if found is None]:
        raise PresetError(
            f"backbone.preset: the vocabulary lacks {', '.join(absent)}, with which this kind of model "
            "was trained. Choose a preset whose tokenizer belongs to its model."
        )
    return Frame(
        start=ids.get(start or ""),
        end=ids.get(end or ""),
        blank=ids.get(blank or ""),
        pad=ids.get(pad or "") or 0,
    )


class Preprocessor(tf.Module):
    """Text to the inputs of a backbone.

    Args:
        tokenizer: Text to ids.
        frame: Special tokens around them.
        sequence_length: Longest row in tokens, special tokens included.
        inputs: Which of `token_ids`, `segment_ids` and `padding_mask` the model takes.
        is_full: Every row is padded to `sequence_length`, not to the longest of its batch. F-Net
            needs it: it has no padding mask, each vector is mixed from all places of the row, and
            so a text would be answered otherwise beside a longer one.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        frame: Frame,
        sequence_length: int,
        *,
        inputs: Iterable[str] = ("token_ids", "segment_ids", "padding_mask"),
        is_full: bool = False,
    ) -> None:
        super().__init__(name="preprocessor")
        self.tokenizer = tokenizer
        self.frame = frame
        self.sequence_length = sequence_length
        self.inputs = tuple(inputs)
        self.is_full = is_full

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Return the ids of all tokens, int32 `[N, (tokens)]`, uncut and unframed, of strings `[N]`."""
        return self.tokenizer.tokenize(text)

    def pack(self, ids: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        """Return the inputs, each int32 `[N, tokens]`.

        Rows are cut to the sequence length, framed, and padded to the longest of them.
        """
        start, end, blank = self.frame.start, self.frame.end, self.frame.blank
        ids = ids[:, : self.sequence_length - self.frame.size]
        edge = tf.ones([ids.nrows(), 1], tf.int32)
        parts = [ids]
        if blank is not None:
            missing = tf.cast(ids.row_lengths() == 0, tf.int64)  # [N], of tokens
            stands_in = tf.fill([tf.reduce_sum(missing)], blank)
            parts.append(tf.RaggedTensor.from_row_lengths(stands_in, missing, validate=False))
        if start is not None:
            parts.insert(0, edge * start)
        if end is not None:
            parts.append(edge * end)
        framed = tf.concat(parts, axis=1) if len(parts) > 1 else ids  # [N, (tokens)]
        shape = (None, self.sequence_length if self.is_full else None)
        made = {
            "token_ids": framed.to_tensor(self.frame.pad, shape=shape),
            "segment_ids": tf.zeros_like(framed).to_tensor(0, shape=shape),
            "padding_mask": tf.ones_like(framed).to_tensor(0, shape=shape),
        }
        return {name: made[name] for name in self.inputs}

    def __call__(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the inputs of the backbone for strings `[N]`."""
        return self.pack(self.tokenize(text))
