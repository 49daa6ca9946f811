"""Tests of tfft/preparation/__init__.py, and of what all steps have in common."""

import subprocess
import sys

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.preparation.toys import applied, applied_to_bytes
from tfft import plugins
from tfft.preparation import WINDOWS_1252, chain, keeping, replace

NAMES = plugins.names("preparation")
STEPS = {name: plugins.load("preparation", name)() for name in NAMES}
CHANGED = {
    "cp1252": ("don\u0092t", "don’t"),
    "html_entities": ("a &lt; b &#x1F600;", "a < b 😀"),
    "placeholders": ("@me: www.a.org", "@user: http"),
    "stop_words": ("The film", "film"),
    "unicode": ("cafe\u0301", "café"),
    "white_space": ("a\u00a0\n b ", "a b"),
}
AWKWARD = [
    b"", b" ", b"\x00", b"a\x00b", b"caf\xe9 \xff\x00x", b"\xe2\x82", b"\xed\xa0\x80z", b"\xef\xb7\x90",
    b"\xef\xb7", b"\xff&amp;\xff", b"&\x00amp;", b"&#\xff;", b"e\xcc\x81\xff", b"\xc2\x92\xc2",
    "\ufeffthe \ufffe \U000e0001".encode(),
]  # fmt: skip
# Characters that the steps look at, and any others.
CHARACTERS = st.one_of(
    st.sampled_from("aé e\u0301ﬁ\u0092\u00a0\n\u3000@:./wh-'_,(&;the的 \x00\ufdd0😀"),
    st.characters(exclude_categories=["Cs"]),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_step_changes_what_it_is_for_and_no_plain_text(name):
    text, wanted = CHANGED[name]
    assert applied(STEPS[name], text, "plain words", "", text) == [wanted, "plain words", "", wanted]


@pytest.mark.parametrize("name", NAMES)
def test_every_step_takes_any_bytes_and_the_number_of_texts_stays(name):
    assert len(applied_to_bytes(STEPS[name], AWKWARD)) == len(AWKWARD)
    assert applied_to_bytes(STEPS[name], []) == []


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.binary(max_size=20), max_size=5))
def test_no_bytes_stop_a_step(name, texts):
    assert len(applied_to_bytes(STEPS[name], texts)) == len(texts)


# HTML entities are decoded once, so that twice is another thing: see its tests.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "html_entities"])
@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.text(CHARACTERS), max_size=4))
def test_a_second_time_changes_nothing(name, texts):
    once = applied(STEPS[name], *texts)
    assert applied(STEPS[name], *once) == once


@pytest.mark.parametrize("name", NAMES)
def test_every_step_works_inside_a_dataset(name):
    text, wanted = CHANGED[name]
    rows = tf.data.Dataset.from_tensor_slices([text, "plain"]).batch(2).map(STEPS[name])
    assert [text.decode() for text in next(iter(rows)).numpy()] == [wanted, "plain"]


def test_every_step_alone_and_all_in_a_chain_are_exported(tmp_path):
    # In a fresh process, so that no table of this one is at hand.
    module = tf.Module()
    module.steps = [*(chain([STEPS[name]]) for name in NAMES), chain(list(STEPS.values()))]
    strings = tf.TensorSpec([None], tf.string)
    module.all = tf.function(lambda texts: tf.stack([step(texts) for step in module.steps]), [strings])
    texts = tf.constant([text for text, _ in CHANGED.values()])
    tf.saved_model.save(module, str(tmp_path / "saved"))
    code = (
        "import tensorflow as tf, tensorflow_text\n"
        f"loaded = tf.saved_model.load({str(tmp_path / 'saved')!r})\n"
        f"texts = tf.constant({[text for text, _ in CHANGED.values()]!r})\n"
        "print(ascii(loaded.all(texts).numpy().tolist()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == ascii(module.all(texts).numpy().tolist()), done.stderr
    operations = {
        operation.type
        for function in module.all.get_concrete_function().graph._functions.values()
        for operation in function.graph.get_operations()
    } | {operation.type for operation in module.all.get_concrete_function().graph.get_operations()}
    assert "StaticRegexReplace" in operations
    assert not {kind for kind in operations if "PyFunc" in kind}


def test_a_chain_runs_in_order():
    upper = tf.strings.upper
    assert applied(chain([upper, lambda texts: texts + "a"]), "x") == ["Xa"]
    assert applied(chain([lambda texts: texts + "a", upper]), "x") == ["XA"]
    assert applied(chain([]), "x", "") == ["x", ""]


def test_what_a_step_keeps_is_tracked():
    variable = tf.Variable(["!"])
    step = keeping(lambda texts: texts + variable, [variable])
    assert step.variables == (variable,)
    assert applied(step, "a", "b") == ["a!", "b!"]


def test_matches_are_replaced_by_what_the_function_makes_of_them():
    def double(found):
        return tf.strings.join([found, found], "+")

    texts = ["a1b22", "", "3", "none", "4 5", "6a", "\x007\x00", "\ufdd08"]
    wanted = ["a1+1b22+22", "", "3+3", "none", "4+4 5+5", "6+6a", "\x007+7\x00", "\ufffd8+8"]
    assert applied(lambda t: replace(t, "[0-9]+", double), *texts) == wanted


def test_windows_1252_is_what_python_has_for_it_where_that_has_any():
    for code, character in zip(range(0x80, 0xA0), WINDOWS_1252, strict=True):
        assert character in (bytes([code]).decode("cp1252", "replace"), chr(code))
    assert sum(ord(character) < 0xA0 for character in WINDOWS_1252) == 5
