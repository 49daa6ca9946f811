"""Text to sentence pieces, by TensorFlow Text's own operation and the checkpoint's own model file.

The file holds all: how text is normalised, the pieces, their scores. What it does
not hold stands here.

- ALBERT's code treats text before (https://github.com/google-research/albert,
  tokenization.py, preprocess_text): quotes '' and `` become ", accents go and, for an
  uncased checkpoint, the case is lowered. No file tells that in KerasHub's format, but a
  vocabulary without an upper-case letter can be of no other.
- XLM-RoBERTa numbers the pieces as fairseq does: <s>, <pad>, </s>, <unk>, then the
  pieces of the file from its fourth on.

Text of a user is text. A piece that is a control symbol is never found in text, but
one that a file calls user-defined is; the special tokens among those are made
control symbols.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from google.protobuf.message import DecodeError

from tfft.errors import PresetError

_FILES = (
    "assets/tokenizer/vocabulary.spm",  # KerasHub
    "spiece.model", "spm.model", "sentencepiece.bpe.model", "tokenizer.model",  # Hugging Face
)  # fmt: skip
_FAIRSEQ = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
# Not every piece in brackets: to Gemma <table> is text, of which it has read much.
_IS_SPECIAL = re.compile(
    r"</?s>|<(bos|eos|pad|unk|mask|img|unused\d+|(start|end)_of_\w+)>|<\|.*\|>"
    r"|\[(CLS|SEP|PAD|UNK|MASK|BOS|EOS|@BOS@)\]"
)


def read(folder: Path, *, is_albert: bool, is_fairseq: bool) -> "Tokenizer":
    """Return the tokenizer of a preset folder, in KerasHub's or Hugging Face's format.

    Raises:
        PresetError: It holds no SentencePiece model.
    """
    for name in _FILES:
        if (folder / name).is_file():
            proto = (folder / name).read_bytes()
            break
    else:
        raise PresetError(
            f"backbone.preset: {folder} holds no SentencePiece model; expected {', '.join(_FILES[:-1])} "
            f"or {_FILES[-1]}. Fetch it again, or choose a preset that has one."
        )
    try:
        proto, letters = _without_special_text(proto)
    except DecodeError as error:
        raise PresetError(
            f"backbone.preset: {folder / name} cannot be read: {error}. Fetch it again."
        ) from error
    is_uncased = is_albert and letters == letters.lower()
    return Tokenizer(proto, is_albert=is_albert, is_uncased=is_uncased, is_fairseq=is_fairseq)


def restore(folder: Path, settings: Mapping[str, Any]) -> "Tokenizer":
    """Return the tokenizer that a run kept as its `files` and `settings`."""
    return Tokenizer((folder / "vocabulary.spm").read_bytes(), **settings)


class Tokenizer(tf.Module):
    """Text to the ids of sentence pieces.

    Args:
        proto: A SentencePiece model file.
        is_albert: Text is cleaned as ALBERT's own code does.
        is_uncased: With that, its case is lowered.
        is_fairseq: Ids are those of fairseq.
    """

    def __init__(self, proto: bytes, *, is_albert: bool, is_uncased: bool, is_fairseq: bool) -> None:
        super().__init__(name="sentence_piece")
        self._proto = proto
        self._is_albert, self._is_uncased, self._is_fairseq = is_albert, is_uncased, is_fairseq
        self._pieces = tf_text.SentencepieceTokenizer(model=proto, out_type=tf.int32)

    @property
    def settings(self) -> dict[str, Any]:
        """What `restore` needs besides the files."""
        return {
            "is_albert": self._is_albert,
            "is_uncased": self._is_uncased,
            "is_fairseq": self._is_fairseq,
        }

    @property
    def files(self) -> dict[str, bytes]:
        """What `restore` reads, by the names of the files."""
        return {"vocabulary.spm": self._proto}

    @property
    def unknown(self) -> int:
        """Id of the piece for characters that have none."""
        # Not at the head, as below. The file may spell the piece as it likes.
        from sentencepiece import SentencePieceProcessor

        if self._is_fairseq:
            return _FAIRSEQ["<unk>"]
        return SentencePieceProcessor(model_proto=self._proto).unk_id()

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Return the ids of all pieces, int32 `[N, (tokens)]`, of strings `[N]`."""
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="ignore")
        if self._is_albert:
            text = tf.strings.regex_replace(text, "``|''", '"')
            text = tf_text.normalize_utf8(text, "NFKD")
            text = tf.strings.regex_replace(text, r"\p{Mn}", "")
        if self._is_uncased:
            text = tf.strings.lower(tf.strings.lower(text), encoding="utf-8")
        ids = self._pieces.tokenize(text)
        if self._is_fairseq:
            # The file has <unk>, <s> and </s> first.
            ids = ids.with_flat_values(tf.where(ids.flat_values == 0, 3, ids.flat_values + 1))
        return ids

    def id_of(self, token: str) -> int | None:
        """Return the id of a special token, None if there is none."""
        if self._is_fairseq:
            return _FAIRSEQ.get(token)
        found = self._pieces.string_to_id(tf.constant([token]))
        spelt = self._pieces.id_to_string(found)[0].numpy().decode()
        return int(found[0]) if spelt == token else None

    def spell(self, ids: Sequence[int]) -> list[str]:
        """Return the pieces of ids; a word starts with ▁."""
        numbers = np.array(ids, np.int32)
        special = {number: token for token, number in _FAIRSEQ.items()} if self._is_fairseq else {}
        in_file = np.maximum(numbers - 1, 0) if self._is_fairseq else numbers
        pieces = self._pieces.id_to_string(tf.constant(in_file)).numpy()
        return [
            special.get(number, piece.decode())
            for number, piece in zip(numbers.tolist(), pieces, strict=True)
        ]


def _without_special_text(proto: bytes) -> tuple[bytes, str]:
    """Return the file with no special token that text could spell, and the letters of all other pieces."""
    # Not at the head: its protobuf module takes half a second that BERT need not wait for.
    from sentencepiece import sentencepiece_model_pb2

    file_format: Any = sentencepiece_model_pb2  # protobuf makes its classes when it is imported
    model = file_format.ModelProto.FromString(proto)
    kinds = file_format.ModelProto.SentencePiece
    for piece in model.pieces:
        if piece.type == kinds.USER_DEFINED and _IS_SPECIAL.fullmatch(piece.piece):
            piece.type = kinds.CONTROL
    return model.SerializeToString(), "".join(_ordinary(model.pieces, kinds.NORMAL))


def _ordinary(pieces: Iterable[Any], kind: int) -> list[str]:
    return [piece.piece for piece in pieces if piece.type == kind]
