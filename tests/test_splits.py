"""Tests of tfft/splits.py."""

import hashlib
from collections import Counter

import pyarrow as pa
import pytest

from tfft import fingerprint, splits
from tfft.errors import DataError
from tfft.sources import delimited


def read(path, on_bad_row="error", **columns):
    names = {"text": "text", "label": "label"} | columns
    names = {name: (column, pa.string()) for name, column in names.items()}
    return splits.read(delimited.rows, [path], on_bad_row=on_bad_row, columns=names)


def rows_of(counts, source=None):
    """Return rows with so many of each label, the labels taking turns."""
    left = Counter(counts)
    labels = []
    while left := +left:
        labels += sorted(left)
        left.subtract(sorted(left))
    texts = [f"{label} {number}" for number, label in enumerate(labels)]
    return splits.Rows(pa.table({"text": texts, "label": labels}), source or {})


def set_aside(rows, fraction, **settings):
    return splits.set_aside(rows, fraction, strata=rows.table["label"], **settings)


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
    sides = set_aside(rows, 0.5, seed=0, split="test")
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


def test_share_set_aside_has_the_mix_of_labels_of_the_whole():
    rows = rows_of({"a": 60, "b": 30, "c": 10})
    stay, aside = set_aside(rows, 0.2, seed=1, split="validation")
    assert Counter(aside.table["label"].to_pylist()) == {"a": 12, "b": 6, "c": 2}
    assert Counter(stay.table["label"].to_pylist()) == {"a": 48, "b": 24, "c": 8}


def test_each_row_is_on_one_side_in_the_order_of_the_file():
    rows = rows_of({"a": 30, "b": 20})
    sides = set_aside(rows, 0.3, seed=1, split="test")
    position = {row: place for place, row in enumerate(both(rows))}
    places = [[position[row] for row in both(side)] for side in sides]
    assert sorted(places[0] + places[1]) == list(range(50))
    assert len(places[1]) == 15
    assert all(side == sorted(side) for side in places)


def test_seed_decides_which_rows_are_set_aside():
    rows = rows_of({"a": 30, "b": 20})
    first, again, other = (both(set_aside(rows, 0.3, seed=seed, split="test")[1]) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    # The draw of numpy's legacy generator, which must not change between versions.
    assert [text for text, _ in first[:5]] == ["a 0", "b 1", "b 9", "a 10", "b 13"]


def test_record_of_each_side_says_what_it_came_from():
    rows = rows_of({"a": 10, "b": 10}, {"path": "p", "sha256": "s", "rows": 20, "bad_rows": ["p:3: why"]})
    stay, aside = set_aside(rows, 0.25, seed=7, split="validation")
    assert stay.source == {"path": "p", "sha256": "s", "rows": 15, "bad_rows": ["p:3: why"]}
    assert aside.source == {
        "path": "p",
        "sha256": "s",
        "rows": 5,
        "bad_rows": [],
        "share_for": "validation",
        "fraction": 0.25,
        "seed": 7,
    }


@pytest.mark.parametrize(
    ("counts", "fraction", "rarest", "rare"),
    [
        ({"a": 50, "b": 1}, 0.2, "b", 1),  # b cannot stand on two sides
        ({"a": 5, "b": 4, "c": 3}, 0.1, "c", 3),  # one row cannot hold three labels
        ({"a": 5, "b": 4, "c": 3}, 0.9, "c", 3),
        ({"a": 197, "b": 3}, 0.05, "b", 3),  # ten rows could, but b's share is 0.15 rows
        ({"a": 197, "b": 3}, 0.95, "b", 3),
    ],
)
def test_share_that_cannot_hold_each_label_is_an_error_with_the_rarest(counts, fraction, rarest, rare):
    with pytest.raises(DataError) as caught:
        set_aside(rows_of(counts), fraction, seed=0, split="validation")
    assert str(caught.value) == (
        f"data.validation: {fraction} of {sum(counts.values())} rows cannot hold each of {len(counts)} "
        f"labels on both sides (the rarest, {rarest!r}, has {rare}). Raise the fraction, add rows, "
        "or name a file."
    )


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
