"""Tests of tfft/data_files.py."""

import bz2
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfft import data_files
from tfft.data_files import DataFiles
from tfft.errors import DataError

CSV = "text,label\nso good a film,good\nnot for me,bad\n"
JSONL = '{"text": "so good", "label": "good"}\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, which is called `reviews`."""
    path = tmp_path / "reviews"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


def write(name: str, content: str | bytes = CSV) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def write_parquet(name: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": ["so good"], "label": ["good"]}), name)


def source_of(name: str, content: str | bytes) -> dict:
    write(name, content)
    return dict(data_files.find(name).source)


@pytest.mark.parametrize(
    ("name", "content", "source"),
    [
        ("a.csv", CSV, {"name": "delimited"}),
        ("a.tsv", CSV.replace(",", "\t"), {"name": "delimited"}),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0), {"name": "delimited"}),
        ("a.tsv.bz2", bz2.compress(CSV.replace(",", "\t").encode()), {"name": "delimited"}),
        ("a.csv", CSV.replace(",", ";"), {"name": "delimited", "delimiter": ";"}),
        ("a.csv", CSV.replace(",", "\t"), {"name": "delimited", "delimiter": "\t"}),
        ("a.tsv", CSV, {"name": "delimited", "delimiter": ","}),
        ("a.csv", "text|label\na, b|x\nc|y\n", {"name": "delimited", "delimiter": "|"}),
        # The usual delimiter is kept where it fits, whatever the texts hold.
        ("a.csv", 'text,label\n"a;b",x\nc;d,y\n', {"name": "delimited"}),
        ("a.csv", "text\na\n", {"name": "delimited"}),
        ("a.csv", 'text,label\n"never closed,x\n', {"name": "delimited"}),
        ("a.jsonl", JSONL, {"name": "jsonl"}),
        ("a.jsonl", "\ufeff\n" + JSONL, {"name": "jsonl"}),
        ("a.json", JSONL, {"name": "jsonl"}),
        ("a.txt", JSONL, {"name": "jsonl"}),
        ("a.txt", CSV, {"name": "delimited"}),
        ("rows", CSV, {"name": "delimited"}),
        ("a.csv", "{text},label\nx y,z\n", {"name": "delimited"}),
        ("a.csv", CSV.encode("utf-16"), {"name": "delimited", "encoding": "utf-16"}),
        ("a.csv", (CSV + "café,good\n").encode("cp1252"), {"name": "delimited", "encoding": "cp1252"}),
        # One broken line among good ones is a bad row, no other encoding.
        ("a.csv", (CSV + "café,good\nthé,good\n").encode() + b"caf\xe9,bad\n", {"name": "delimited"}),
    ],
)
def test_the_source_is_told_by_what_a_file_holds(folder, name, content, source):
    assert source_of(name, content) == source


def test_the_source_is_told_by_the_first_bytes_of_a_long_file(folder):
    # The cut of 2**18 bytes falls within a character of two bytes, and within a row.
    assert source_of("a.csv", "text;label\n" + "éé é;x\n" * 60_000) == {"name": "delimited", "delimiter": ";"}


def test_parquet_needs_no_ending(folder):
    write_parquet("rows")
    assert data_files.find("rows").source == {"name": "parquet"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "a.csv: the file is empty. Expected rows with a text and a label."),
        ("a.csv", " \n\n", "a.csv: the file is empty."),
        (
            "a.xlsx",
            b"PK\x03\x04\0\0",
            "a.xlsx: expected CSV, TSV, JSON Lines or Parquet, got bytes that are no",
        ),
        (
            "a.json",
            '[{"text": "a"}]\n',
            "a.json: expected JSON Lines, one object a line; got JSON of another",
        ),
        (
            "a.json",
            '{\n"text": "a"}\n',
            "a.json: expected JSON Lines, one object a line; got JSON of another",
        ),
        ("a.csv", "[1, 2]\n", "a.csv: expected JSON Lines"),
        ("a.zip", CSV, "a.zip: expected a plain file, or one packed as"),
        ("a.csv.gz", CSV, "a.csv.gz: damaged or cut off; expected gzip data"),
    ],
)
def test_what_no_source_reads_is_refused(folder, name, content, message):
    write(name, content)
    with pytest.raises(DataError) as caught:
        data_files.find(name)
    assert str(caught.value).startswith(message)


def test_a_file_that_is_not_there(folder):
    write("rows.csv")
    with pytest.raises(DataError, match=r"row\.csv: no such file or folder. In . there is 'rows\.csv'"):
        data_files.find("row.csv")


@pytest.mark.parametrize(
    ("there", "named", "name", "validation", "test"),
    [
        (["train.csv"], "train.csv", "reviews", None, None),
        (["train.csv", "validation.csv", "test.csv"], "train.csv", "reviews", "validation.csv", "test.csv"),
        (["train.csv", "valid.csv"], "train.csv", "reviews", "valid.csv", None),
        (["train.csv", "val.csv"], "train.csv", "reviews", "val.csv", None),
        (["train.csv", "dev.csv"], "train.csv", "reviews", "dev.csv", None),
        (["train.csv", "dev.csv", "valid.csv"], "train.csv", "reviews", "valid.csv", None),
        (["sst2-train.csv", "sst2-dev.csv"], "sst2-train.csv", "sst2", "sst2-dev.csv", None),
        (["train_films.csv", "test_films.csv"], "train_films.csv", "films", None, "test_films.csv"),
        (["Train.csv", "test.csv"], "Train.csv", "reviews", None, "test.csv"),
        # Of another kind, or beside a file that is not called so.
        (["train.csv", "test.tsv", "test2.csv"], "train.csv", "reviews", None, None),
        (["films.csv", "test.csv"], "films.csv", "films", None, None),
        (["trains.csv", "tests.csv"], "trains.csv", "trains", None, None),
        (["films.tsv.gz"], "films.tsv.gz", "films", None, None),
    ],
)
def test_files_of_other_splits_lie_beside(folder, there, named, name, validation, test):
    for file in there:
        write(file, gzip.compress(CSV.encode(), mtime=0) if file.endswith(".gz") else CSV)
    found = data_files.find(named)
    assert (found.name, found.train, found.validation, found.test) == (name, named, validation, test)


def test_a_pattern_is_kept(folder):
    write("a-1.csv", CSV)
    write("a-2.csv", CSV)
    found = data_files.find("a-*.csv")
    assert found == DataFiles("a", "a-*.csv", source={"name": "delimited"})
    assert data_files.paths(found.train, found.source) == [Path("a-1.csv"), Path("a-2.csv")]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_folder_with_files_of_the_splits(folder, ending):
    for split in ("train", "dev", "test"):
        write(f"d/{split}.{ending}", CSV if ending == "csv" else JSONL)
    write("d/train_more.csv")
    write("d/README.txt", "read me")
    found = data_files.find("d")
    assert (found.name, found.train) == ("d", f"d/train.{ending}")
    assert (found.validation, found.test) == (f"d/dev.{ending}", f"d/test.{ending}")


def test_a_folder_with_one_file(folder):
    write("d/rows.csv")
    assert data_files.find("d") == DataFiles("rows", "d/rows.csv", source={"name": "delimited"})


def test_a_folder_with_a_folder_for_each_class(folder):
    write("d/good/1.txt", "so good")
    write("d/bad/1.txt", "so bad")
    write("d/README.txt", "read me")
    found = data_files.find("d")
    assert found == DataFiles("d", "d", source={"name": "folder"})
    assert data_files.paths("d", found.source) == [Path("d/bad/1.txt"), Path("d/good/1.txt")]


@pytest.mark.parametrize(("ending", "pattern"), [(".md", "*.md"), ("", "*")])
def test_texts_of_another_ending(folder, ending, pattern):
    write(f"d/good/one{ending}", "so good")
    write(f"d/bad/two{ending}", "so bad")
    found = data_files.find("d")
    assert found.source == {"name": "folder", "pattern": pattern}
    assert len(data_files.paths("d", found.source)) == 2


def test_folders_of_the_splits_with_a_folder_for_each_class(folder):
    for split in ("train", "test"):
        write(f"d/{split}/good/1.txt", "so good")
    assert data_files.find("d") == DataFiles("d", "d/train", None, "d/test", {"name": "folder"})


def test_parts_of_parquet_files(folder):
    for part in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        write_parquet(f"d/{part}.parquet")
    found = data_files.find("d")
    assert found.source == {"name": "parquet"}
    assert [path.name for path in data_files.paths(found.train, found.source)] == [
        "train-00000-of-00002.parquet", "train-00001-of-00002.parquet",
    ]  # fmt: skip
    assert found.validation is None
    assert [path.name for path in data_files.paths(found.test, found.source)] == [
        "test-00000-of-00001.parquet"
    ]


def test_a_folder_of_parquet_files(folder):
    write_parquet("d/0.parquet")
    write_parquet("d/1.parquet")
    found = data_files.find("d")
    assert found == DataFiles("d", "d", source={"name": "parquet"})
    assert len(data_files.paths("d", found.source)) == 2


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"d/LICENSE": "x"},
            "d: expected a folder for each class, files called train, validation and test, or",
        ),
        ({"d/a.csv": CSV, "d/b.csv": CSV}, "or one data file; got 'a.csv', 'b.csv'. Name a file in it"),
        (
            {"d/train_a.csv": CSV, "d/train_b.csv": CSV},
            "d: more than one file may be the training rows: 'train_a",
        ),
        ({"d/cat/1.jpg": b"\xff\xd8\0"}, "1.jpg: expected text, got a file with bytes of zero."),
        (
            {"d/cat/.hidden": "x"},
            "d: expected a folder for each class with text files in it; there is no file",
        ),
    ],
)
def test_a_folder_that_does_not_say_what_it_is(folder, files, message):
    for name, content in files.items():
        write(name, content)
    with pytest.raises(DataError) as caught:
        data_files.find("d")
    assert message in str(caught.value)
