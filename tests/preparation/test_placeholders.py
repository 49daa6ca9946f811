"""Tests of tfft/preparation/placeholders.py."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.preparation.toys import applied
from tfft.errors import SettingError
from tfft.preparation import placeholders

STEP = placeholders.build()
MARKS = "".join(chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c))[0] == "M")


def rewritten(text):
    """Return what the step does, in Python's own words, whose own classes lack the marks."""
    end = r" \t\n\f\r<>\"\u3000-\u303f\u4e00-\u9fff\uff00-\uffef"
    start = r"(?i)(?<![a-z0-9_])((https?|ftp)://|www\.)"
    text = re.sub(rf"{start}[^{end}]*[^{end}'.,;:!?()\[\]{{}}]", "http", text)
    text = re.sub(r"(?ia)[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}", "email", text)
    return re.sub(rf"(^|[^\w{MARKS}@.+-])@[\w{MARKS}]+", r"\1@user", text)


PIECES = st.sampled_from(
    ["http://", "https://a.b/c?d=e", "www.", "WWW.x.org", "ftp://f", "@", "a@b.co", "x.y+z@é.de", "@me",
     "@用户", "é@x", " ", "\n", ".", ",", ")", "(", "'", '"', "a", "Z9", "_", "-", "e\u0301", "。", "é"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_the_same_in_plain_python(text):
    assert applied(STEP, text) == [rewritten(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("see https://t.co/Ab1?x=y#z, ok", "see http, ok"),
        ("(http://a.org/b_(c))", "(http))"),
        ("HTTP://A.ORG. www.a.org! ftp://f.g", "http. http! http"),
        ('<a href="http://a.org">', '<a href="http">'),
        ("http:// www. awww.a http", "http:// www. awww.a http"),
        ("mail a.b+c@mail.x.org.", "mail email."),
        ("@a @b,@c", "@user @user,@user"),
        ("@用户：hi @José", "@user：hi @user"),
        ("a@b x@y.1 @ @@a", "a@b x@y.1 @ @@a"),
        ("http://u@a.org/@me", "http"),
        ("http://t.cn/a看，http://a.org/Москва。", "http看，http。"),
    ],
)
def test_by_hand(text, wanted):
    assert applied(STEP, text) == [wanted]


def test_null_leaves_a_kind_alone():
    text = "www.a.org a@b.org @me"
    assert applied(placeholders.build(url=None), text) == ["www.a.org email @user"]
    assert applied(placeholders.build(email=None), text) == ["http a@b.org @user"]
    assert applied(placeholders.build(user=None), text) == ["http email @me"]
    assert applied(placeholders.build(url=None, email=None, user=None), text) == [text]


def test_a_placeholder_is_taken_as_it_stands():
    step = placeholders.build(url=r"\1 \\", user="[USER]", email="e@mail.org")
    assert applied(step, "www.a.org @me a@b.org") == [r"\1 \\ [USER] e@mail.org"]


@pytest.mark.parametrize(
    ("key", "text"), [("url", "a@b.org"), ("email", "@email"), ("email", "www.a.org"), ("user", "@one @two")]
)
def test_a_placeholder_that_would_be_replaced_is_refused(key, text):
    with pytest.raises(SettingError) as raised:
        placeholders.build(**{key: text})
    assert str(raised.value).startswith(
        f"preparation.placeholders.{key}: must not hold what another placeholder replaces, got '{text}'. Take"
    )
