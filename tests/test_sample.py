"""Tests of tfft/sample.py."""

import functools
import json
import tracemalloc
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfft import plugins, sample
from tfft.errors import DataError
from tfft.sample import Nested

CSV = {"name": "delimited"}


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_all_columns_of_a_csv_as_text(tmp_path):
    path = write(tmp_path / "a.csv", '\ufefftext,label,n\n"so, good",x,1.50\n,y,\n"a\nb",z,2\n')
    taken = sample.take([path], CSV)
    assert taken.columns == {
        "text": ["so, good", None, "a\nb"], "label": ["x", "y", "z"], "n": ["1.50", None, "2"],
    }  # fmt: skip
    assert (taken.rows, taken.size, taken.is_whole) == (3, 3, True)


def test_delimiter_and_encoding_of_the_source(tmp_path):
    path = write(tmp_path / "a.csv", "text;label\ncafé;x\n".encode("cp1252"))
    taken = sample.take([path], {"name": "delimited", "delimiter": ";", "encoding": "cp1252"})
    assert taken.columns == {"text": ["café"], "label": ["x"]}


def test_empty_lines_above_the_header_are_passed_over(tmp_path):
    path = write(tmp_path / "a.csv", "\n\ntext,label\na,x\n")
    assert sample.take([path], CSV).columns == {"text": ["a"], "label": ["x"]}


def test_ragged_rows_are_left_to_the_source(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\na,x\nb\nc,y,z\nd,w\n")
    assert sample.take([path], CSV).columns["text"] == ["a", "d"]


def test_values_of_json(tmp_path):
    rows = [
        {"text": "a", "n": 0.5, "flag": True, "tags": ["x", 1], "deep": {"k": 1}},
        {"text": " ", "n": None, "flag": False, "tags": [], "late": 7},
    ]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)) + "\nno json\n[1]\n")
    columns = sample.take([path], {"name": "jsonl"}).columns
    deep, missing = columns.pop("deep")
    assert isinstance(deep, Nested)
    assert missing is None
    assert columns == {
        "text": ["a", None], "n": ["0.5", None], "flag": ["true", "false"], "tags": [["x", "1"], []],
        "late": [None, "7"],
    }  # fmt: skip


def test_values_of_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"text": ["a", None], "n": [1.0, float("nan")], "tags": [["x"], None], "i": [3, 4]})
    pq.write_table(table, path)
    assert sample.take([path], {"name": "parquet"}).columns == {
        "text": ["a", None], "n": ["1.0", None], "tags": [["x"], None], "i": ["3", "4"],
    }  # fmt: skip


def test_texts_in_folders(tmp_path):
    paths = [write(tmp_path / name, "so good\n") for name in ("bad/1.txt", "good/1.txt")]
    taken = sample.take(paths, {"name": "folder"})
    assert taken.columns == {"text": ["so good\n"] * 2, "label": ["bad", "good"]}
    assert (taken.rows, taken.is_whole) == (2, True)


def test_many_rows_are_drawn_from_the_whole_file_in_their_order(tmp_path):
    # Sorted by label, as many files are: the first 4,000 rows would hold one label of three.
    rows = [f"row {number:05d},{'abc'[number // 5000]}\n" for number in range(15_000)]
    path = write(tmp_path / "a.csv", "text,label\n" + "".join(rows))
    taken = sample.take([path], CSV)
    assert (taken.size, taken.rows, taken.is_whole) == (sample.ROWS, 15_000, True)
    assert taken.columns["text"] == sorted(set(taken.columns["text"]))
    counts = Counter(taken.columns["label"])
    assert all(1200 < counts[label] < 1470 for label in "abc")  # 1333, four deviations of 34 either way
    assert sample.take([path], CSV) == taken


def test_long_files_are_read_in_part_and_their_rows_estimated(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "BYTES", 20_000)
    path = write(tmp_path / "a.csv", "text,label\n" + "so good,good\n" * 10_000)
    taken = sample.take([path], CSV)
    assert not taken.is_whole
    assert 1500 < taken.size < 1600  # 20,000 bytes at 13 a row
    assert taken.rows == pytest.approx(10_000, rel=0.01)


def test_of_several_files_each_has_its_share(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "BYTES", 20_000)
    for label in "ab":
        write(tmp_path / f"{label}.csv", "text,label\n" + f"so good,{label}\n" * 5000)
    taken = sample.take(sorted(tmp_path.glob("*.csv")), CSV)
    assert Counter(taken.columns["label"]) == {label: pytest.approx(1000, rel=0.1) for label in "ab"}
    assert taken.rows == pytest.approx(10_000, rel=0.01)


def test_a_long_file_is_not_in_memory(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\n" + ("so good " * 500 + ",good\n") * 5000)  # 20 MB
    tracemalloc.start()
    try:
        taken = sample.take([path], CSV)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 4,000 of 5,000 rows; what is left of memory is little beside them.
    assert peak < 1.2 * sum(map(len, taken.columns["text"]))


def test_a_long_value_is_cut_off(tmp_path):
    path = write(tmp_path / "a.csv", f"text,label\n{'a' * 50_000},x\n")
    assert len(sample.take([path], CSV).columns["text"][0]) == 10_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\n", "a.csv: no row in it. Expected rows with a text and a label."),
        ("text,text\na,b\n", "a.csv:1: the column 'text' stands twice; rename one, or add a header row."),
        ("text,,label\na,b,c\n", "a.csv:1: column 2 has no name. Expected a header row, as in text,label"),
    ],
)
def test_what_cannot_be_looked_at(tmp_path, content, message):
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(DataError) as caught:
        sample.take([path], CSV)
    assert message in str(caught.value)


def test_a_damaged_parquet_file(tmp_path):
    path = write(tmp_path / "a.parquet", b"PAR1 and no more")
    with pytest.raises(DataError, match=r"a\.parquet: damaged, or no Parquet file"):
        sample.take([path], {"name": "parquet"})


def test_the_index_of_pandas_has_no_name(tmp_path):
    path = write(tmp_path / "a.csv", ",text\n0,a\n")
    assert sample.take([path], CSV).columns == {"": ["0"], "text": ["a"]}


def test_count_is_what_the_source_makes_of_the_rows(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\na,x;y\n,x\nb,y\nc\n")
    read = functools.partial(plugins.load("sources", "delimited"), separator=";")
    types = {"text": pa.string(), "label": pa.list_(pa.string())}
    counted = sample.count(read, [path], types, "label")
    assert (counted.rows, counted.labels, counted.bad) == (2, {"x": 1, "y": 2}, 2)
    assert counted.bad_rows == [
        f"{path}:3: 'text' is empty", f"{path}:5: 1 field where the header row has 2",
    ]  # fmt: skip
    assert counted.is_whole


def test_counts_of_a_sample_tell_the_labels_only():
    counted = sample.counted([["a", "b"], "a"], 1_000_000)
    assert (counted.rows, counted.labels, counted.is_whole) == (1_000_000, {"a": 2, "b": 1}, False)
