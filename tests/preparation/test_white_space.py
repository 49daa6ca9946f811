"""Tests of tfft/preparation/white_space.py."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.preparation.toys import applied
from tfft.preparation import white_space

STEP = white_space.build()


def rewritten(text):
    blank = ("Zs", "Zl", "Zp", "Cc")
    spaced = "".join(" " if unicodedata.category(c) in blank else c for c in text)
    return " ".join(part for part in spaced.split(" ") if part)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab \t\n\x00\x1f\x7f\x85\xa0\u2003\u2028\u2029\u3000\u200b\u200d\ufeffé👍")))
def test_the_same_in_plain_python(text):
    assert applied(STEP, text) == [rewritten(text)]


def test_by_hand():
    assert applied(STEP, " a\r\n\tb ", "\x00a\u3000\u00a0b\x07", "\n", "👩\u200d🚀") == [
        "a b",
        "a b",
        "",
        "👩\u200d🚀",
    ]
