"""Tests of tfft/preparation/html_entities.py."""

import html
from html.entities import html5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.preparation.toys import applied
from tfft.preparation import html_entities

STEP = html_entities.build()
NAMES = sorted(name for name in html5 if name.endswith(";"))
NUMBERS = st.one_of(
    st.integers(0, 0x11FFFF), st.integers(0, 0x100), st.integers(0), st.sampled_from([0xFDD0, 0xD800, 0xFFFF])
)
REFERENCES = st.one_of(
    st.sampled_from(NAMES).map("&{}".format),
    NUMBERS.map("&#{};".format),
    st.tuples(st.sampled_from(["&#x{:x};", "&#X{:X};", "&#x000{:X};", "&#x{:09x};"]), NUMBERS).map(
        lambda pair: pair[0].format(pair[1])
    ),
    st.text(st.characters(exclude_characters="&\ufdd0", exclude_categories=["Cs"])),
)


def test_every_name():
    texts = [f"&{name}" for name in NAMES]
    assert applied(STEP, *texts) == [html.unescape(text) for text in texts]


@settings(max_examples=300, deadline=None)
@given(st.lists(REFERENCES, max_size=6).map("".join))
def test_the_same_as_python(text):
    assert applied(STEP, text) == [html.unescape(text)]


def test_every_number_near_a_bound_is_the_same_as_in_python():
    bounds = [0, 8, 0xB, 0xD, 0x1F, 0x7F, 0x9F, 0xD800, 0xDFFF, 0xFDD0, 0xFDEF, 0xFFFF, 0x1FFFE, 0x10FFFF]
    bounds += [10**7, 16**7 - 1, 16**7, 2**31, 2**32, 2**32 + 65, 2**64 + 65, 10**40]
    numbers = sorted({max(0, bound + step) for bound in bounds for step in (-2, -1, 0, 1, 2)})
    texts = [f"&#{number};" for number in numbers] + [f"&#x{number:x};" for number in numbers]
    assert applied(STEP, *texts) == [html.unescape(text) for text in texts]


def test_by_hand():
    assert applied(STEP, "&lt;b&gt; &amp;amp; &#39;&#x27;&#X1F600;&nbsp;", "&#0;&#128;&#xD800;&#1;|") == [
        "<b> &amp; ''😀\u00a0",
        "\ufffd€\ufffd|",
    ]


@pytest.mark.parametrize(
    "text",
    ["AT&T", "&copy 2020", "&notit;", "?a=1&copy=2", "&#12", "& amp;", "&;", "&#;", "&#x;", "&bogus;", "&é;"],
)
def test_what_is_no_reference_with_a_semicolon_stays(text):
    assert applied(STEP, text) == [text]


def test_each_reference_is_decoded_once():
    assert applied(STEP, "&amp;lt;", "&amp;amp;lt;", "&#38;lt;", "&&lt;lt;") == [
        "&lt;",
        "&amp;lt;",
        "&lt;",
        "&<lt;",
    ]
