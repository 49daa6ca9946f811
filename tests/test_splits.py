"""Tests of tfft/splits.py."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft import fingerprint, splits
from tfft.errors import DataError
from tfft.sources import delimited


def read(path, on_bad_row="error", **columns):
    names = {"text": "text", "label": "label"} | columns
    names = {name: (column, pa.string()) for name, column in names.items()}
    return splits.read(delimited.rows, [path], on_bad_row=on_bad_row, columns=names)


def rows_of(count, source=None):
    """Return so many rows."""
    texts = [f"text {number}" for number in range(count)]
    return splits.Rows(pa.table({"text": texts, "label": texts}), source or {})


def both(rows):
    return list(zip(rows.table["text"].to_pylist(), rows.table["label"].to_pylist(), strict=True))


def test_read_gives_columns_text_and_label_and_the_record(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"intent,message\nx,a\ny,b\n")
    rows = read(path, text="message", label="intent")
    assert rows.table.schema.names == ["text", "label"]
    assert both(rows) == [("a", "x"), ("b", "y")]
    assert rows.source == {
        "from": [str(path)],
        "files": {str(path): hashlib.sha256(path.read_bytes()).hexdigest()},
        "sha256": fingerprint.of_table(rows.table),
        "rows": 2,
        "bad_rows": [],
    }


def test_several_files_are_read_one_after_the_other(tmp_path):
    paths = [tmp_path / name for name in ("b.csv", "a.csv")]
    for path in paths:
        path.write_text(f"text,label\n{path.stem},x\n,y\n")
    columns = {"text": ("text", pa.string()), "label": ("label", pa.string())}
    rows = splits.read(delimited.rows, paths, on_bad_row="skip", columns=columns)
    assert both(rows) == [("b", "x"), ("a", "x")]
    assert rows.source["bad_rows"] == [f"{path}:3: 'text' is empty" for path in paths]
    assert list(rows.source["files"]) == [str(path) for path in paths]


def test_rows_lie_in_a_file(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "some words,x\nsome words,y\n" * 50_000)
    before = pa.total_allocated_bytes()
    rows = read(path)
    sides = splits.set_aside(rows, np.arange(0, 100_000, 2), {})
    assert sum(part.table.nbytes for part in (rows, *sides)) > 2_000_000
    assert pa.total_allocated_bytes() - before < 200_000


def test_one_bad_row_is_an_error_with_file_and_line(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na,x\n,y\n")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: 1 row cannot be used:\n  {path}:3: 'text' is empty\n"
        "Correct the data, or set data.on_bad_row to skip to leave such rows out."
    )


@pytest.mark.parametrize(("count", "rest"), [(10, []), (11, ["  … and 1 more"]), (25, ["  … and 15 more"])])
def test_many_bad_rows_are_cut_after_ten(tmp_path, count, rest):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na,x\n" + "a\n" * count)
    with pytest.raises(DataError) as caught:
        read(path)
    shown = [f"  {path}:{line}: 1 field where the header row has 2" for line in range(3, 13)]
    assert str(caught.value).splitlines() == [
        f"{path}: {count} rows cannot be used:",
        *shown,
        *rest,
        "Correct the data, or set data.on_bad_row to skip to leave such rows out.",
    ]


def test_skipped_rows_are_counted_out_and_all_listed(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na,x\n" + ",y\n" * 12 + "b,y\n")
    rows = read(path, on_bad_row="skip")
    assert both(rows) == [("a", "x"), ("b", "y")]
    assert rows.source["rows"] == 2
    assert rows.source["bad_rows"] == [f"{path}:{line}: 'text' is empty" for line in range(3, 15)]


@pytest.mark.parametrize("content", ["text,label\n", "text,label\n,x\na,\n"])
def test_file_without_a_good_row_is_an_error(tmp_path, content):
    path = tmp_path / "rows.csv"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read(path, on_bad_row="skip")
    assert str(caught.value) == f"{path}: no row can be used. Expected text, label in each row."


@settings(deadline=None)
@given(count=st.integers(1, 40), data=st.data())
def test_each_row_is_on_one_side_in_the_order_of_the_file(count, data):
    rows = rows_of(count)
    aside = data.draw(st.lists(st.integers(0, count - 1), unique=True))
    sides = [both(side) for side in splits.set_aside(rows, np.array(aside, np.int64), {})]
    assert sides[1] == [both(rows)[place] for place in sorted(aside)]
    assert sides[0] == [row for row in both(rows) if row not in sides[1]]


def test_record_of_each_side_says_what_it_came_from():
    rows = rows_of(20, {"from": "p", "sha256": "s", "rows": 20, "bad_rows": ["p:3: why"]})
    stay, aside = splits.set_aside(rows, np.arange(5), {"share_for": "test", "seed": 7})
    assert stay.source == {"from": "p", "sha256": "s", "rows": 15, "bad_rows": ["p:3: why"]}
    assert aside.source == {
        "from": "p",
        "sha256": "s",
        "rows": 5,
        "bad_rows": [],
        "share_for": "test",
        "seed": 7,
    }


TEXTS = st.sampled_from(["a", "b", "A", "a ", "", "ß"])
ROWS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=12)


@settings(deadline=None)
@given(rows=ROWS, others=ROWS, width=st.integers(1, 2))
def test_rows_with_the_texts_of_another_are_counted(rows, others, width):
    rows, others = ([row[:width] for row in side] for side in (rows, others))

    def table(side):
        return pa.table({"ab"[place]: [row[place] for row in side] for place in range(width)})

    shared = splits.count_shared(table(rows), table(others))
    assert shared == sum(row in others for row in rows)


def test_rows_of_the_same_words_are_counted():
    words = pa.list_(pa.string())
    rows = pa.table({"text": pa.array([["a", "bc"], [], ["ab", "c"], ["d"]], words)})
    others = pa.table({"text": pa.array([["ab", "c"], ["e"], []], words)})
    assert splits.count_shared(rows, others) == 2


def test_a_file_that_cannot_be_read_is_told_and_not_the_cache(tmp_path):
    def rows(place, columns, report):
        yield pa.record_batch({"text": ["a"], "label": ["x"]})
        raise PermissionError(13, "Permission denied", str(place))

    columns = {name: (name, pa.string()) for name in ("text", "label")}
    with pytest.raises(DataError) as caught:
        splits.read(rows, [tmp_path / "rows.csv"], on_bad_row="error", columns=columns)
    assert str(caught.value) == (
        f"{tmp_path}/rows.csv: cannot be read: [Errno 13] Permission denied: '{tmp_path}/rows.csv'. "
        "Correct the path or its rights."
    )
