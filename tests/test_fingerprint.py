"""Tests of tfft/fingerprint.py."""

import hashlib
import itertools

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tfft import fingerprint


def table(texts):
    return pa.table({"text": pa.array(texts, pa.string())})


def lists(rows):
    return pa.table({"labels": pa.array(rows, pa.list_(pa.string()))})


TEXTS = st.lists(st.text(max_size=4), min_size=1, max_size=12)


@given(texts=TEXTS, cuts=st.lists(st.integers(0, 12), max_size=3))
def test_a_fingerprint_does_not_depend_on_chunks(texts, cuts):
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    whole = table(texts)
    edges = [0, *sorted(cut for cut in cuts if cut <= len(texts)), len(texts)]
    parts = pa.concat_tables([whole.slice(a, b - a) for a, b in itertools.pairwise(edges)])
    assert fingerprint.of_table(parts) == fingerprint.of_table(whole)


def test_a_fingerprint_tells_texts_and_names_apart():
    tables = [
        table(["ab", "c"]), table(["a", "bc"]), table(["abc"]), table(["c", "ab"]), table(["ab", "c", ""]),
        pa.table({"other": ["ab", "c"]}), pa.table({"text": ["ab", "c"], "more": ["", ""]}),
    ]  # fmt: skip
    assert len({fingerprint.of_table(one) for one in tables}) == len(tables)


def test_lists_are_told_apart_by_where_they_end():
    rows = [[["a"], ["b"]], [["a", "b"], []], [[], ["a", "b"]], [["ab"], []], [["b"], ["a"]]]
    assert len({fingerprint.of_table(lists(one)) for one in rows}) == len(rows)
    whole = lists([["a", "b"], [], ["c"]])
    assert fingerprint.of_table(pa.concat_tables([whole.slice(0, 1), whole.slice(1)])) == (
        fingerprint.of_table(whole)
    )


def test_files_and_folders(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.txt").write_bytes(b"1" * (1 << 21))
    assert (
        fingerprint.of_files(tmp_path / "a" / "b" / "x.txt") == hashlib.sha256(b"1" * (1 << 21)).hexdigest()
    )
    before = fingerprint.of_files(tmp_path / "a")
    assert before == fingerprint.of_files(tmp_path / "a")
    (tmp_path / "a" / "b" / "x.txt").rename(tmp_path / "a" / "b" / "y.txt")
    assert fingerprint.of_files(tmp_path / "a") != before
