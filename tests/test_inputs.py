"""Tests of tfft/inputs.py."""

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfft import inputs
from tfft.errors import SettingError


def joined(written, **columns):
    """Return the texts of one row, given by the names of the signature."""
    fields = {name: tf.constant([value]) for name, value in columns.items()}
    return [text.numpy()[0].decode() for text in inputs.read(written).join(fields)]


@pytest.mark.parametrize(
    ("written", "columns", "texts"),
    [
        ("review", {"text": "review"}, ("{text}",)),
        (["premise", "claim"], {"text_a": "premise", "text_b": "claim"}, ("{text_a}", "{text_b}")),
        ("{title}: {body}", {"title": "title", "body": "body"}, ("{title}: {body}",)),
        ("{a b}|{a b}", {"a_b": "a b"}, ("{a_b}|{a_b}",)),
        (["{q}?", "answer"], {"q": "q", "text_b": "answer"}, ("{q}?", "{text_b}")),
        ("{{{x}}}", {"x": "x"}, ("{{{x}}}",)),
    ],
)
def test_columns_and_texts(written, columns, texts):
    assert inputs.read(written) == inputs.Inputs(columns, texts)


def test_one_text_is_itself():
    assert joined("review", text="good {x}") == ["good {x}"]


def test_a_template_joins_columns_and_keeps_braces():
    assert joined("{title}: {body} {{x}}", title="A", body="b") == ["A: b {x}"]


def test_a_pair_of_a_template_and_a_column():
    assert joined(["{q} ({kind})", "answer"], q="why", kind="x", text_b="so") == ["why (x)", "so"]


@given(
    st.lists(
        st.text(alphabet=st.characters(exclude_characters="{}\x00", exclude_categories=["Cs"])), max_size=3
    )
)
def test_what_a_template_says_is_what_python_formats(literals):
    template = "{x}".join(["", *literals, ""])
    assert joined(template, x="né") == [template.format(x="né")]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("{title", "expected '}' before end of string"),
        ("title}", "Single '}' encountered in format string"),
        ("{}", "it names no column"),
        ("{{x}}", "it names no column"),
        ("{x:>3}", "it formats a value"),
        ("{x!r}", "it formats a value"),
    ],
)
def test_a_broken_template_is_told(written, reason):
    with pytest.raises(SettingError) as caught:
        inputs.read(written)
    assert str(caught.value) == (
        f"data.text_column: must be a template such as '{{title}}: {{body}}' ({reason}), got {written!r}. "
        "Double a brace that is text, as in {{."
    )


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(SettingError, match=r"must not give two columns, 'a b' and 'a-b', the one name 'a_b'"):
        inputs.read("{a b} {a-b}")
