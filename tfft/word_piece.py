"""Text to word pieces exactly as the checkpoint's own tokenizer does, in one TensorFlow graph.

BERT, DistilBERT, ELECTRA and RoFormer V2 cut text so. The graph follows the
original BERT tokenizer (https://github.com/google-research/bert, tokenization.py):
clean the text, set spaces around Chinese characters, strip accents, lower the
case, split at spaces and punctuation, then cut words into pieces.

KerasHub's and TensorFlow Text's BERT tokenizers differ from that in case
folding (ß becomes ss), compatibility forms (ﬁ becomes fi), control and format
characters and Unicode spaces; each difference hands the model tokens that it
was not trained on. What is left: characters that were added to Unicode after the
release that TensorFlow's tables are from.

Text of a user is text: `[SEP]` in it is five characters, not a special token.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from tfft.errors import PresetError

_PUNCTUATION = r"[!-/:-@\[-`{-~\p{P}]"
_CHINESE = (
    r"[\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}"
    r"\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}]"
)
_LONGEST_WORD = 100  # characters; the original tokenizer calls a longer word unknown


@dataclass(frozen=True)
class Tokenization:
    """How a checkpoint's tokenizer treats text."""

    lowercase: bool
    strip_accents: bool
    split_chinese: bool = True


def read(folder: Path) -> "Tokenizer":
    """Return the tokenizer of a preset folder; see `read_files`."""
    return Tokenizer(*read_files(folder))


def read_files(folder: Path) -> tuple[list[str], Tokenization]:
    """Read the vocabulary and the tokenizer's settings from a preset folder.

    Args:
        folder: In KerasHub format (`assets/tokenizer/vocabulary.txt`) or Hugging Face
            format (`vocab.txt`, or a WordPiece `tokenizer.json`).

    Returns:
        The word pieces, in the order of their ids, and the settings.

    Raises:
        PresetError: There is no WordPiece vocabulary.
    """
    keras_hub_vocabulary = folder / "assets" / "tokenizer" / "vocabulary.txt"
    if keras_hub_vocabulary.is_file():
        settings = _json(folder / "tokenizer.json").get("config", {})
        lowercase = settings.get("lowercase", False)
        return _read_vocabulary(keras_hub_vocabulary), Tokenization(
            lowercase=lowercase,
            # KerasHub writes false for the uncased BERT presets too, which were trained without accents.
            strip_accents=lowercase or settings.get("strip_accents", False),
            split_chinese=settings.get("split_on_cjk", True),
        )
    fast, settings = _json(folder / "tokenizer.json"), _json(folder / "tokenizer_config.json")
    if (folder / "vocab.txt").is_file():
        vocabulary = _read_vocabulary(folder / "vocab.txt")
    elif fast.get("model", {}).get("type") == "WordPiece":
        ids = fast["model"]["vocab"]
        vocabulary = sorted(ids, key=ids.__getitem__)
    else:
        raise PresetError(f"{folder}: no WordPiece vocabulary; expected vocab.txt or tokenizer.json.")
    normalizer = fast.get("normalizer") or {}
    lowercase = settings.get("do_lower_case", normalizer.get("lowercase", True))
    strip_accents = settings.get("strip_accents", normalizer.get("strip_accents"))
    return vocabulary, Tokenization(
        lowercase=lowercase,
        # BERT strips accents when it lowers the case, unless told otherwise.
        strip_accents=lowercase if strip_accents is None else strip_accents,
        split_chinese=settings.get("tokenize_chinese_chars", True),
    )


class Tokenizer(tf.Module):
    """Text to the ids of word pieces.

    Args:
        vocabulary: Word pieces, in the order of their ids.
        tokenization: How text is treated before it is cut into pieces.

    Raises:
        PresetError: The vocabulary lacks a special token.
    """

    def __init__(self, vocabulary: Sequence[str], tokenization: Tokenization) -> None:
        super().__init__(name="word_piece")
        self.vocabulary = tuple(vocabulary)
        self.tokenization = tokenization
        absent = [t for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if t not in self.vocabulary]
        if absent:
            raise PresetError(f"The vocabulary lacks {', '.join(absent)}; it is not a BERT vocabulary.")
        self._word_pieces = tf_text.FastWordpieceTokenizer(
            vocab=list(vocabulary),
            token_out_type=tf.int32,
            unknown_token="[UNK]",  # noqa: S106 - a word piece
            no_pretokenization=True,
            max_bytes_per_word=4 * _LONGEST_WORD,  # the limit in characters is applied below
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What `restore` needs besides the files."""
        return asdict(self.tokenization)

    @property
    def files(self) -> dict[str, bytes]:
        """What `restore` reads, by the names of the files."""
        return {"vocabulary.txt": "".join(f"{piece}\n" for piece in self.vocabulary).encode()}

    @property
    def unknown(self) -> int:
        """Id of the token for a word of which the vocabulary lacks a piece."""
        return self.vocabulary.index("[UNK]")

    def id_of(self, token: str) -> int | None:
        """Return the id of a special token, None if there is none."""
        return self.vocabulary.index(token) if token in self.vocabulary else None

    def spell(self, ids: Sequence[int]) -> list[str]:
        """Return the word pieces of ids; what goes on with a word starts with ##."""
        return [self.vocabulary[number] for number in ids]

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Return the ids of all word pieces, int32 `[N, (tokens)]`, of strings `[N]`.

        Bytes that are not UTF-8 are left out.
        """
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        text = tf.strings.regex_replace(text, r"[\t\n\r\p{Zs}]", " ")
        text = tf.strings.regex_replace(text, r"[\p{C}\x{FFFD}]", "")
        text = tf.strings.regex_replace(text, r"[\p{Zl}\p{Zp}]", " ")
        if self.tokenization.strip_accents:
            text = tf_text.normalize_utf8(text, "NFD")
            text = tf.strings.regex_replace(text, r"\p{Mn}", "")
        if self.tokenization.lowercase:
            text = self._lower(text)
        separate = f"{_CHINESE}|{_PUNCTUATION}" if self.tokenization.split_chinese else _PUNCTUATION
        text = tf.strings.regex_replace(text, f"({separate})", r" \1 ")
        words = tf.strings.split(text)  # [N, (words)]
        is_long = tf.strings.length(words.flat_values, unit="UTF8_CHAR") > _LONGEST_WORD
        words = words.with_flat_values(tf.where(is_long, "[UNK]", words.flat_values))
        return self._word_pieces.tokenize(words).merge_dims(-2, -1)  # [N, (words), (pieces)] before

    @staticmethod
    def _lower(text: tf.Tensor) -> tf.Tensor:
        """Lower the case of each character by itself, whatever the machine's language.

        tf.strings.lower follows the locale (I becomes ı on a Turkish machine) and the
        place in the word (Σ becomes ς at its end); the original tokenizer does neither.
        """
        text = tf.strings.lower(text)  # ASCII only, so that no I is left for the locale
        text = tf.strings.regex_replace(text, "İ", "i\u0307")
        text = tf.strings.regex_replace(text, "Σ", "σ")
        return tf.strings.lower(text, encoding="utf-8")


def restore(folder: Path, settings: Mapping[str, Any]) -> Tokenizer:
    """Return the tokenizer that a run kept as its `files` and `settings`."""
    return Tokenizer(_read_vocabulary(folder / "vocabulary.txt"), Tokenization(**settings))


def _read_vocabulary(path: Path) -> list[str]:
    # Not splitlines(): some vocabularies hold U+2028 and its like as pieces.
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def _json(path: Path) -> dict:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PresetError(f"backbone.preset: {path} cannot be read: {error}. Fetch it again.") from error
    return found if isinstance(found, dict) else {}
