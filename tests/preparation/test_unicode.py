"""Tests of tfft/preparation/unicode.py."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.preparation.toys import applied, is_old
from tfft.preparation import unicode

FORMS = ["NFC", "NFD", "NFKC", "NFKD"]


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cn"]).filter(is_old)))
def test_the_same_as_python(form, text):
    assert applied(unicode.build(form=form), text) == [unicodedata.normalize(form, text)]


def test_by_hand():
    texts = ["e\u0301", "é", "ﬁ①Ａ", "한"]
    assert applied(unicode.build(), *texts) == ["é", "é", "ﬁ①Ａ", "한"]
    assert applied(unicode.build(form="NFKC"), *texts) == ["é", "é", "fi1A", "한"]
    assert applied(unicode.build(form="NFD"), *texts) == ["e\u0301", "e\u0301", "ﬁ①Ａ", "\u1112\u1161\u11ab"]


@pytest.mark.parametrize("form", FORMS)
def test_a_second_time_changes_nothing(form):
    step = unicode.build(form=form)
    once = applied(step, "ﬁne cafe\u0301 ①½ 한국 \u1e9b\u0323")
    assert applied(step, *once) == once
