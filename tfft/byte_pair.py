r"""Text to byte pairs exactly as the checkpoint's own tokenizer does, in one TensorFlow graph.

Text is cut into words; the bytes of a word are joined pair by pair, the pair that
stands first in the file of merges first (Sennrich et al. 2016,
https://arxiv.org/abs/1508.07909; over bytes, Radford et al. 2019, GPT-2).

KerasHub's tokenizers, in their form for TensorFlow graphs, cut the words of every
family by the rule of GPT-2, drop a Devanagari digit ६ that stands alone, and keep each
word that they meet in a table: it grows with the texts that a server is asked, and the
words of the training texts lie readable in the export (all tried with KerasHub 0.32). So
words are cut here by each family's own rule and nothing is kept.

The rules are those of the checkpoints' tokenizer.json. They use `\s+(?!\S)`: spaces
before a word, but for the last one, which belongs to the word. RE2 cannot look ahead;
a mark before the last space tells the same.

Text of a user is text: `</s>` in it is four characters, not a special token.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from tfft.errors import PresetError

_BLANK = r"\t\x0B\x0C \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}"
_SPACE = rf"\r\n{_BLANK}"
_MARK = "\U0010ffff"  # no character; where a text holds it, it is left out
_NOT_WORD = rf"[^{_SPACE}\p{{L}}\p{{N}}{_MARK}]"
_GPT2 = rf"'s|'t|'re|'ve|'m|'ll|'d| ?\p{{L}}+| ?\p{{N}}+| ?{_NOT_WORD}+|[{_SPACE}]+"
_NEWER = (
    rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}{_MARK}]?\p{{L}}+|DIGITS"
    rf"| ?{_NOT_WORD}+[\r\n]*|[{_SPACE}]*[\r\n]+|[{_SPACE}]+"
)
_BEFORE_SPACE = rf"([{_SPACE}])([{_SPACE}][^{_SPACE}])"
_BEFORE_BLANK = rf"([{_SPACE}])([{_BLANK}][^{_SPACE}])"

# The passes of each rule: what tells the last space apart, and what the words are.
_SPLITS: dict[str, tuple[tuple[str | None, str], ...]] = {
    "gpt2": ((_BEFORE_SPACE, _GPT2),),
    "bloom": ((None, rf" ?[^{_SPACE}()|.,!?…。，、।۔،]+"),),
    "falcon": (
        (None, r"[\p{P}!-/:-@\[-`{-~]+"),
        (_BEFORE_SPACE, _GPT2),
        (None, r"\p{N}+"),
        (None, r"[0-9][0-9][0-9]"),
    ),
    "llama3": ((_BEFORE_BLANK, _NEWER.replace("DIGITS", r"\p{N}{1,3}")),),
    "qwen": ((_BEFORE_BLANK, _NEWER.replace("DIGITS", r"\p{N}")),),
    "smollm2": ((None, r"\p{N}"), (_BEFORE_SPACE, _GPT2)),
}
# The same rules, as the steps of `pre_tokenizer` in a tokenizer.json tell them.
_NEWER_STEP = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_STEPS: dict[tuple[tuple[str, object], ...], str] = {
    (("ByteLevel", True),): "gpt2",
    (("Split", r" ?[^(\s|[.,!?…。，、।۔،])]+"), ("ByteLevel", False)): "bloom",
    (
        ("Punctuation", "Contiguous"),
        ("ByteLevel", True),
        ("Digits", False),
        ("Split", "[0-9][0-9][0-9]"),
    ): "falcon",
    (("Split", _NEWER_STEP.replace("DIGITS", r"\p{N}{1,3}")), ("ByteLevel", False)): "llama3",
    (("Split", _NEWER_STEP.replace("DIGITS", r"\p{N}")), ("ByteLevel", False)): "qwen",
    (("Digits", True), ("ByteLevel", True)): "smollm2",
}
_NO_MERGE = tf.int64.max


def read(folder: Path, *, split: str) -> "Tokenizer":
    """Return the tokenizer of a preset folder, in KerasHub's or Hugging Face's format.

    Args:
        folder: With `assets/tokenizer/vocabulary.json` and `merges.txt`, `vocab.json` and
            `merges.txt`, or a `tokenizer.json` that holds both.
        split: Name of the rule that cuts text into words, where no file tells it.

    Raises:
        PresetError: There is no byte-level vocabulary, or words are cut by a rule that is not known.
    """
    fast = _json(folder / "tokenizer.json")
    settings = fast.get("config", {}) | _json(folder / "tokenizer_config.json")
    model = fast.get("model") or {}
    if model.get("type") == "BPE":
        vocabulary = dict(model["vocab"])
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
        split = _told_split(folder, fast) or split
    else:
        for place in (folder / "assets" / "tokenizer" / "vocabulary.json", folder / "vocab.json"):
            if place.is_file() and place.with_name("merges.txt").is_file():
                vocabulary, merges = _json(place), _merges(place.with_name("merges.txt"))
                break
        else:
            raise PresetError(
                f"backbone.preset: {folder} holds no byte-pair vocabulary; expected vocab.json and "
                "merges.txt, or a tokenizer.json with both. Fetch it again, or choose another."
            )
    # Special tokens may stand elsewhere than the vocabulary, in one of three spellings.
    vocabulary |= {token["content"]: token["id"] for token in fast.get("added_tokens", [])}
    vocabulary |= _json(folder / "added_tokens.json")
    for number, token in settings.get("added_tokens_decoder", {}).items():
        vocabulary[token["content"]] = int(number)
    return Tokenizer(
        vocabulary,
        merges,
        split=split,
        add_prefix_space=bool(settings.get("add_prefix_space", False)),
        # Llama 3 takes a word that has an id as it is, though no merges may lead to it.
        ignore_merges=bool(model.get("ignore_merges", split == "llama3")),
    )


def _told_split(folder: Path, fast: Mapping[str, Any]) -> str | None:
    """Return the rule that a tokenizer.json tells, None where it tells none.

    Models of one kind need not cut alike: SmolLM 2 is a Llama to all but its tokenizer.
    """
    told, normalizer = fast.get("pre_tokenizer"), fast.get("normalizer")
    if told is None:
        return None
    steps = []
    for step in told["pretokenizers"] if told["type"] == "Sequence" else [told]:
        setting = {
            "ByteLevel": step.get("use_regex", True),
            "Digits": step.get("individual_digits"),
            "Punctuation": step.get("behavior"),
            "Split": step.get("pattern", {}).get("Regex"),
        }.get(step["type"])
        steps.append((step["type"], setting))
    found = _STEPS.get(tuple(steps))
    normal = {"type": "NFC"} if found == "qwen" else None
    if found is None or normalizer != normal:
        raise PresetError(
            f"backbone.preset: {folder / 'tokenizer.json'} cuts words by a rule that tfft does not know: "
            f"normalizer {normalizer}, pre_tokenizer {steps}. Choose another preset."
        )
    return found


def restore(folder: Path, settings: Mapping[str, Any]) -> "Tokenizer":
    """Return the tokenizer that a run kept as its `files` and `settings`."""
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    return Tokenizer(vocabulary, _merges(folder / "merges.txt"), **settings)


@dataclass(frozen=True)
class _Content:
    """What a tokenizer was made from, out of the reach of tf.Module, which would track every dict."""

    vocabulary: dict[str, int]
    merges: tuple[str, ...]
    split: str
    add_prefix_space: bool
    ignore_merges: bool


class Tokenizer(tf.Module):
    """Text to the ids of byte pairs.

    Args:
        vocabulary: Token, its bytes written as GPT-2 does, to id.
        merges: Two tokens with a space between, the first to be joined first.
        split: Name of the rule that cuts text into words.
        add_prefix_space: A text starts with a space, as a word inside of it does.
        ignore_merges: A word that is in the vocabulary is taken whole.

    Raises:
        PresetError: The vocabulary is not one of bytes, or a merge makes what it lacks.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        merges: Sequence[str],
        *,
        split: str,
        add_prefix_space: bool,
        ignore_merges: bool,
    ) -> None:
        super().__init__(name="byte_pair")
        self._content = _Content(dict(vocabulary), tuple(merges), split, add_prefix_space, ignore_merges)
        letters = _byte_letters()
        if absent := [letter for letter in letters[32:127] if letter not in vocabulary]:
            raise PresetError(
                f"backbone.preset: the vocabulary lacks {' '.join(absent[:5])}, so it is not one of "
                "bytes. Choose a preset whose tokenizer belongs to its model."
            )
        # -1: bytes that no UTF-8 text holds may be missing.
        self._of_bytes = [vocabulary.get(letter, -1) for letter in letters]
        self._base = max(vocabulary.values()) + 1  # two ids make one key, in this base
        self._merges = _table(_ranked(merges, vocabulary, self._base), _NO_MERGE)
        self._words = None
        if ignore_merges:
            spelt = {letter: bytes([number]) for number, letter in enumerate(letters)}
            whole = {
                b"".join(map(spelt.__getitem__, token)): number
                for token, number in vocabulary.items()
                if spelt.keys() >= set(token)
            }
            self._words = _table(whole, -1)

    @property
    def settings(self) -> dict[str, Any]:
        """What `restore` needs besides the files."""
        return {name: getattr(self._content, name) for name in ("split", "add_prefix_space", "ignore_merges")}

    @property
    def files(self) -> dict[str, bytes]:
        """What `restore` reads, by the names of the files."""
        return {
            "vocab.json": json.dumps(self._content.vocabulary, ensure_ascii=False).encode(),
            "merges.txt": "".join(f"{merge}\n" for merge in self._content.merges).encode(),
        }

    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Return the ids of all tokens, int32 `[N, (tokens)]`, of strings `[N]`.

        NULs and bytes that are not UTF-8 are left out.
        """
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="ignore")
        # TensorFlow Text's splitting would end the text at a NUL.
        text = tf.strings.regex_replace(text, rf"[\x00{_MARK}]", "")
        if self._content.split == "qwen":
            text = tf_text.normalize_utf8(text, "NFC")
        if self._content.add_prefix_space:
            text = tf.strings.regex_replace(text, rf"^([^{_SPACE}])", r" \1")
        words = self._split(text)  # [N, (words)]
        each, place = tf.unique(words.flat_values)
        ids = tf.gather(self._join(each), place)  # [all words, (tokens)]
        return words.with_values(ids).merge_dims(1, 2)

    def id_of(self, token: str) -> int | None:
        """Return the id of a special token, None if there is none."""
        return self._content.vocabulary.get(token)

    @property
    def unknown(self) -> None:
        """None, for every byte has a token."""
        return None

    def spell(self, ids: Sequence[int]) -> list[str]:
        r"""Return the texts of tokens; bytes that are no whole character are written as in \xe4."""
        bytes_of = {letter: bytes([number]) for number, letter in enumerate(_byte_letters())}
        tokens = {number: token for token, number in self._content.vocabulary.items()}
        spelt = []
        for number in ids:
            token = tokens[number]
            if bytes_of.keys() >= set(token):  # a special token need not be written so
                token = b"".join(map(bytes_of.__getitem__, token)).decode(errors="backslashreplace")
            spelt.append(token)
        return spelt

    def _split(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Return the words, strings `[N, (words)]`."""
        words = tf.RaggedTensor.from_row_lengths(text, tf.ones_like(text, tf.int64), validate=False)
        for before, pattern in _SPLITS[self._content.split]:
            parts = words.flat_values
            if before is not None:
                parts = tf.strings.regex_replace(parts, before, rf"\1{_MARK}\2")
            # A mark, too, parts words, but is not kept as one.
            parts = tf_text.regex_split(parts, f"({pattern}|{_MARK})", f"({pattern})")  # [words, (parts)]
            words = words.with_values(parts).merge_dims(1, 2)
        return words

    def _join(self, words: tf.Tensor) -> tf.RaggedTensor:
        """Return the ids of each word, int32 `[W, (tokens)]`, of strings `[W]`."""
        letters = tf.strings.bytes_split(words)  # [W, (bytes)]
        numbers = tf.reshape(tf.io.decode_raw(letters.flat_values, tf.uint8), [-1])
        ids = tf.gather(tf.constant(self._of_bytes, tf.int64), tf.cast(numbers, tf.int32))
        rows = tf.cast(letters.value_rowids(), tf.int32)
        is_known = ids >= 0
        ids, rows = tf.boolean_mask(ids, is_known), tf.boolean_mask(rows, is_known)
        number = tf.size(words)

        def step(ids, rows, go):
            # One pair a word and step: that which was learned first, the leftmost of equals.
            key = ids[:-1] * self._base + ids[1:]
            rank = tf.where(rows[:-1] == rows[1:], self._merges.lookup(key), _NO_MERGE)
            best = tf.math.unsorted_segment_min(rank, rows[:-1], number)
            is_best = (rank < _NO_MERGE) & (rank == tf.gather(best, rows[:-1]))
            place = tf.range(tf.size(rank))
            first = tf.math.unsorted_segment_min(tf.where(is_best, place, tf.int32.max), rows[:-1], number)
            joined = is_best & (place == tf.gather(first, rows[:-1]))
            ids = tf.concat([tf.where(joined, rank % self._base, ids[:-1]), ids[-1:]], 0)
            stays = tf.concat([[True], ~joined], 0)
            return tf.boolean_mask(ids, stays), tf.boolean_mask(rows, stays), tf.reduce_any(joined)

        ids, rows, _ = tf.while_loop(
            lambda ids, rows, go: go,
            step,
            (ids, rows, tf.size(ids) > 1),
            shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None]), tf.TensorShape([])),
        )
        found = tf.RaggedTensor.from_value_rowids(
            tf.cast(ids, tf.int32), tf.cast(rows, tf.int64), tf.cast(number, tf.int64), validate=False
        )
        if self._words is None:
            return found
        whole = tf.cast(self._words.lookup(words), tf.int32)  # [W]
        both = tf.concat([found, tf.RaggedTensor.from_tensor(whole[:, None])], 0)
        place = tf.range(number)
        return tf.gather(both, tf.where(whole >= 0, place + number, place))


def _ranked(merges: Sequence[str], vocabulary: Mapping[str, int], base: int) -> dict[int, int]:
    """Return both ids of each pair, as one number, to its rank and the id that it makes, as one number."""
    found: dict[int, int] = {}
    for rank, merge in enumerate(merges):
        left, _, right = merge.partition(" ")
        try:
            key = vocabulary[left] * base + vocabulary[right]
            found.setdefault(key, rank * base + vocabulary[left + right])
        except KeyError as error:
            raise PresetError(
                f"backbone.preset: the merge {merge!r} needs the token {error}, which the vocabulary "
                "lacks. Fetch the preset again."
            ) from error
    return found


def _byte_letters() -> list[str]:
    """Return the letter that stands for each byte: itself if it can be seen, else one from U+0100 on."""
    seen = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = iter(range(256, 512))
    return [chr(number if number in seen else next(others)) for number in range(256)]


def _table(content: Mapping[Any, int], default: int) -> tf.lookup.StaticHashTable:
    keys = tf.constant(list(content)) if content else tf.constant([], tf.int64)
    keys = tf.cast(keys, tf.int64) if keys.dtype != tf.string else keys
    values = tf.constant(list(content.values()), tf.int64)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), default)


def _merges(path: Path) -> list[str]:
    # Not splitlines(): tokens may hold U+0085 and its like.
    lines = path.read_text(encoding="utf-8").split("\n")
    return [
        line for line in (line.rstrip("\r") for line in lines) if line and not line.startswith("#version")
    ]


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PresetError(f"backbone.preset: {path} cannot be read: {error}. Fetch it again.") from error
    return found if isinstance(found, dict) else {}
