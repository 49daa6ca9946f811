"""Stop words: leave out words that say little, such as "the" and "of".

It is meant for experiments, and for heads on features that hardly see the order of words. A pretrained
encoder has learned from whole sentences and reads "not" and "no", which are on the list of
scikit-learn, for what they say; with eight pretrained models, leaving out stop words brought
no significant gain:

Source: Chaerul Haviana et al. 2023, "The Effects of Stopwords, Stemming, and Lemmatization on
Pre-trained Language Models for Text Classification", EECSI. On lists of stop words: Nothman et
al. 2018, "Stop Word Lists in Free Open-source Software Packages".
https://aclanthology.org/W18-2502
"""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from tfft.errors import SettingError
from tfft.preparation import Step, chain, keeping, replace

_JOINERS = "'’-"
_WORD = rf"[\p{{L}}\p{{M}}\p{{N}}_]+(?:[{_JOINERS}][\p{{L}}\p{{M}}\p{{N}}_]+)*"
# Scripts that set no spaces between words, as the names of their characters begin.
_UNSPACED = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")

# Particles, pronouns, conjunctions and the commonest adverbs; none that negates, and of single
# characters none that is often part of another word, such as 地 of 地方 or 有 of 没有.
CHINESE = [
    "的", "了", "吗", "呢", "吧", "啊", "呀", "嘛", "啦", "哦", "是", "在", "和", "与", "及", "或", "而",
    "且", "但", "被", "从", "这", "那", "哪", "我", "你", "您", "他", "她", "它", "就", "也", "都", "还",
    "又", "再", "才", "很", "我们", "你们", "他们", "她们", "它们", "咱们", "自己", "这个", "那个", "这些",
    "那些", "这样", "那样", "这里", "那里", "什么", "怎么", "一个", "一些", "一种", "因为", "所以", "但是",
    "而且", "或者", "如果", "虽然", "然后", "以及", "并且", "关于", "对于", "由于", "就是", "还是", "已经",
    "可以",
]  # fmt: skip


def _read(words: Any) -> Any:
    """Return the words of a file for its path; a list of words as it is."""
    if not isinstance(words, (str, Path)):
        return words
    try:
        lines = Path(words).expanduser().read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PydanticCustomError(
            "word_file",
            "must be a list of words, or the path of a file in UTF-8 with one word on each line ({reason})",
            {"reason": str(error)},
        ) from error
    return [line.strip() for line in lines if line.strip()]


def _single(words: list[str]) -> list[str]:
    for word in words:
        parts = re.split(f"[{_JOINERS}]", word)
        if not all(parts) or not all(unicodedata.category(c)[0] in "LMN" or c == "_" for c in "".join(parts)):
            raise PydanticCustomError(
                "word",
                "must hold single words, but has {word}; split it, or remove it",
                {"word": repr(word)},
            )
    return words


Words = Annotated[
    list[str], BeforeValidator(_read, json_schema_input_type=list[str] | str), AfterValidator(_single)
]


def build(
    *,
    languages: list[Literal["english", "chinese"]] = ["english"],  # noqa: B006 - never changed
    words: Words = [],  # noqa: B006
    keep: Words = [],  # noqa: B006
) -> Step:
    """Leave out stop words, with the white space after each, and trim the ends.

    A word is a run of letters, marks, digits and underscores, also one with apostrophes or
    hyphens inside: of "don't" and "state-of-the-art" nothing is left out. Case does not count.

    Chinese has no spaces to tell words by, and is not segmented: a listed word of a script
    without spaces is left out wherever its characters stand, also inside another word, the
    longest first from the left, once.

    A text of nothing but stop words becomes empty.

    Args:
        languages: Lists to use: for `english` that of scikit-learn, with 318 words; for
            `chinese` one of tfft, with 75 function words, none of which negates.
        words: More stop words: a list, or the path of a file in UTF-8 with one word on each
            line. A file is read once, with the config; the run keeps its words.
        keep: Words that stay: listed ones such as `[not, no, nor, never]`, and in a script
            without spaces also those that hold a listed one, such as `[目的, 了解]`; a list or a
            file.

    Raises:
        SettingError: No word is left to leave out.
    """
    import tensorflow as tf

    listed = {*words}
    if "english" in languages:
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        listed |= ENGLISH_STOP_WORDS
    if "chinese" in languages:
        listed |= set(CHINESE)
    kept = _plain_words(set(keep))
    chosen = sorted(_plain_words(listed) - kept)
    if not chosen:
        raise SettingError(
            "preparation.stop_words",
            {"languages": languages, "words": words, "keep": keep},
            "must name a word that does not stay",
            fix="Name a language or words, or remove the step.",
        )
    rules: list[Step] = []
    tables = []
    if unspaced := _longest_first(filter(_is_unspaced, chosen)):
        # What stays comes first, and is put back.
        pattern = f"({_longest_first(filter(_is_unspaced, kept)) or '$'})|{unspaced}"
        rules.append(lambda texts: tf.strings.regex_replace(texts, pattern, r"\1"))
    if spaced := [word for word in chosen if not _is_unspaced(word)]:
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(spaced, [True] * len(spaced), tf.string, tf.bool), False
        )

        def drop(found: tf.Tensor) -> tf.Tensor:
            """Empty the stop words among words, each with the white space after it."""
            return tf.where(table.lookup(_plain(tf.strings.strip(found))), "", found)

        rules.append(lambda texts: replace(texts, rf"{_WORD}\s*", drop))
        tables.append(table)
    return keeping(chain([*rules, tf.strings.strip]), tables)


def _is_unspaced(word: str) -> bool:
    return any(unicodedata.name(character, "").startswith(_UNSPACED) for character in word)


def _longest_first(words: Iterable[str]) -> str:
    """Return a pattern of words, of which RE2 takes the first that fits."""
    return "|".join(sorted(words, key=lambda word: (-len(word), word)))


def _plain(words: Any) -> Any:
    """Return words as they are looked up."""
    import tensorflow as tf

    # ASCII first, so that no I is left for the locale of the machine, which may be Turkish.
    return tf.strings.lower(tf.strings.lower(tf.strings.regex_replace(words, "’", "'")), "utf-8")


def _plain_words(words: set[str]) -> set[str]:
    return {word.decode() for word in _plain(sorted(words)).numpy()} if words else set()
