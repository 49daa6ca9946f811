"""Tests of tfft/preparation/stop_words.py."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from tests.preparation.toys import applied
from tfft import plugins
from tfft.errors import SettingError
from tfft.preparation import stop_words

STEP = stop_words.build()


def is_part(character):
    return unicodedata.category(character)[0] in "LMN" or character == "_"


def rewritten(text, words):
    """Go through a text character by character, and leave out what the step leaves out."""
    kept, place = "", 0
    while place < len(text):
        end = place
        while end < len(text) and (
            is_part(text[end])
            or (text[end] in "'’-" and end > place and end + 1 < len(text) and is_part(text[end + 1]))
        ):
            end += 1
        if end == place:
            kept, place = kept + text[place], place + 1
            continue
        after = end
        while after < len(text) and text[after] in " \t\n\f\r":
            after += 1
        if text[place:end].lower().replace("’", "'") not in words:
            kept += text[place:after]
        place = after
    return kept.strip(" \t\n\v\f\r")


PIECES = [
    "the",
    "The",
    "of",
    "film",
    "don't",
    "don’t",
    "é",
    "a",
    "e\u0301",
    "_",
    "-",
    "'",
    " ",
    "\n",
    ".",
    "7",
    "the-",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_the_same_in_plain_python(text):
    words = {"the", "of", "a", "don't", "é"}
    step = stop_words.build(languages=[], words=sorted(words))
    assert applied(step, text) == [rewritten(text, words)]


def test_every_english_word_goes_in_any_case():
    words = sorted(ENGLISH_STOP_WORDS)
    assert len(words) == 318
    assert set(applied(STEP, *words, *map(str.upper, words), *map(str.title, words))) == {""}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("This is the best film of the year, and the last.", "best film year, ."),
        ("a naïve préa the-end don't", "naïve préa the-end don't"),
        ("The", ""),
        ("(the) theatre", "() theatre"),
        ("the  wide   spaces", "wide   spaces"),
    ],
)
def test_by_hand(text, wanted):
    assert applied(STEP, text) == [wanted]


def test_what_is_kept():
    assert applied(stop_words.build(keep=["NOT", "no"]), "not THE film, no") == ["not film, no"]


def test_chinese_by_hand():
    step = stop_words.build(languages=["chinese"])
    assert applied(step, "这个酒店的服务很好", "我们的the", "不好吃") == ["酒店服务好", "the", "不好吃"]


def test_of_chinese_words_the_longest_goes_first_and_what_stays_is_put_back():
    step = stop_words.build(languages=[], words=["的", "目", "的话"], keep=["目的"])
    assert applied(step, "目的是好的话，目录的") == ["目的是好，录"]


def test_the_chinese_list_has_words_that_differ_and_do_not_negate():
    assert len(set(stop_words.CHINESE)) == len(stop_words.CHINESE) >= 60
    assert not set("不没无未别非莫勿") & set("".join(stop_words.CHINESE))


def test_both_languages_and_words_of_ones_own():
    step = stop_words.build(languages=["english", "chinese"], words=["Film", "我爱", "Ünd"])
    assert applied(step, "the film 我爱你 ÜND so on and good") == ["good"]


def test_a_file_is_read_once_and_its_words_are_the_settings(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("\ufefffilm\r\n\n  plot \n电影", encoding="utf-8")
    model = plugins.settings("preparation", "stop_words")
    chosen = model(name="stop_words", languages=[], words=str(path))
    path.unlink()
    assert chosen.arguments() == {"languages": [], "words": ["film", "plot", "电影"], "keep": []}
    again = model.model_validate(chosen.model_dump(mode="json"))
    assert applied(stop_words.build(**again.arguments()), "Film and plot 看电影") == ["and 看"]


@pytest.mark.parametrize("text", [None, b"\xff"])
def test_a_file_that_cannot_be_read(tmp_path, text):
    path = tmp_path / "words.txt"
    if text:
        path.write_bytes(text)
    wanted = "must be a list of words, or the path of a file in UTF-8 with one word on each line "
    reason = "'utf-8' codec can't decode" if text else re.escape(f"No such file or directory: '{path}'")
    with pytest.raises(ValidationError, match=rf"{wanted}\(.*{reason}"):
        plugins.settings("preparation", "stop_words")(name="stop_words", words=str(path))


@pytest.mark.parametrize("word", ["as well", "", "don't!", "'tis", "well-", "a--b", "的.*"])
def test_what_is_no_single_word_is_refused(word):
    with pytest.raises(
        ValidationError, match=re.escape(f"must hold single words, but has {word!r}; split it")
    ):
        plugins.settings("preparation", "stop_words")(name="stop_words", words=["fine", word])


@pytest.mark.parametrize(
    "given_settings", [{"languages": []}, {"languages": [], "words": ["Not"], "keep": ["not"]}]
)
def test_nothing_to_leave_out(given_settings):
    with pytest.raises(SettingError, match=r"^preparation\.stop_words: must name a word that does not stay"):
        stop_words.build(**given_settings)
