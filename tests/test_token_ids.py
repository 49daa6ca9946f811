"""Tests of tfft/token_ids.py."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tests.conftest import VOCABULARY, bert_preprocessor
from tfft import token_ids

MADE = bert_preprocessor(16)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TFFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokens"


def table(*chunks):
    return pa.table({"text": pa.chunked_array(list(chunks), pa.string())})


def of(rows, identity=None, tokenize=MADE.tokenize):
    (ids,) = token_ids.of(rows, 1, tokenize, identity or {})
    words = iter(VOCABULARY[i] for i in ids.flat)
    return [[next(words) for _ in range(length)] for length in ids.lengths]


def test_ids_of_all_rows_in_their_order(monkeypatch):
    monkeypatch.setattr(token_ids, "_AT_ONCE", 2)
    rows = table(["good film", ""], ["bad", "the the the", "x"], [], [f"{'y ' * n}z" for n in range(30)])
    wanted = [["good", "film"], [], ["bad"], ["the"] * 3, ["x"], *([*["y"] * n, "z"] for n in range(30))]
    assert of(rows) == wanted


def test_rows_without_a_token():
    assert of(table(["", " "])) == [[], []]


def test_two_texts_of_two_columns():
    def both(fields):
        return tuple(MADE.tokenizer.tokenize(fields[name]) for name in ("b", "a"))

    first, second = token_ids.of(pa.table({"a": ["good", "x"], "b": ["bad film", ""]}), 2, both, {})
    assert (first.lengths.tolist(), second.lengths.tolist()) == ([2, 0], [1, 1])
    assert token_ids.lengths([first, second]).tolist() == [3, 1]
    assert [VOCABULARY[i] for i in second.flat] == ["good", "x"]


def test_what_was_tokenized_is_not_tokenized_again(cache):
    rows, calls = table(["good", "bad"]), []

    def counted(fields):
        calls.append(fields)
        return MADE.tokenize(fields)

    first, second = of(rows, tokenize=counted), of(rows, tokenize=counted)
    assert first == second == [["good"], ["bad"]]
    assert len(calls) == 1
    assert len(list(cache.iterdir())) == 1


def test_other_texts_another_tokenizer_and_other_code_are_kept_apart(cache, monkeypatch):
    of(table(["good", "bad"]))
    of(table(["good", "bad"]), {"lowercase": True})
    of(table(["goodb", "ad"]))
    monkeypatch.setattr(token_ids, "_code", lambda: "changed")
    of(table(["good", "bad"]))
    assert len(list(cache.iterdir())) == 4


def test_a_file_that_was_cut_off_is_made_again(cache):
    rows = table(["good film", "bad"])
    of(rows)
    (file,) = cache.glob("*/0.ids")
    file.write_bytes(file.read_bytes()[:5])
    assert of(rows) == [["good", "film"], ["bad"]]


def test_ids_lie_in_a_file():
    (ids,) = token_ids.of(table(["good"]), 1, MADE.tokenize, {})
    assert isinstance(ids.flat, np.memmap)
    assert ids.flat.dtype == np.int32


def test_what_fails_in_a_thread_is_told():
    def broken(fields):
        text = fields["text"]
        tf.debugging.assert_equal(text, "good")
        return MADE.tokenize(fields)

    with pytest.raises(tf.errors.InvalidArgumentError):
        of(table(["bad"]), tokenize=broken)
