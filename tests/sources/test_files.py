"""Tests of tfft/sources/__init__.py: the files a config names, and packed files in every format."""

import bz2
import gzip
import tracemalloc

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft.errors import DataError
from tfft.sources import delimited, files, gather, jsonl, lines, open_bytes, suffix

TEXT = {"text": pa.string()}
TWO = TEXT | {"label": pa.string()}


def zstd(data):
    return pa.Codec("zstd").compress(data, asbytes=True)


PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".zst": zstd}
FORMATS = {
    ".csv": (delimited, "text,label\n{0},x\nb,y\n"),
    ".tsv": (delimited, "text\tlabel\n{0}\tx\nb\ty\n"),
    ".jsonl": (jsonl, '{{"text": "{0}", "label": "x"}}\n{{"text": "b", "label": "y"}}\n'),
}


def read(source, path, columns=TWO, **options):
    reports = []
    batches = source.rows(path, columns, lambda *report: reports.append(report), **options)
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()], reports


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("b.csv", "a.csv", "deep/c.csv", "deep/er/d.csv", ".hidden.csv", "train.jsonl.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "folder.csv").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("a.csv", ["a.csv"]),
        ("deep", ["deep"]),
        ("*.csv", ["a.csv", "b.csv"]),
        ("[ab].csv", ["a.csv", "b.csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("deep/**/*.csv", ["deep/c.csv", "deep/er/d.csv"]),
        ("*.gz", ["train.jsonl.gz"]),
    ],
)
def test_files_are_a_path_or_all_that_match_by_name(folder, where, names):
    assert files(f"{folder}/{where}") == [folder / name for name in names]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    (folder / "[ab].csv").write_text("")
    assert files(f"{folder}/[ab].csv") == [folder / "[ab].csv"]


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("train.jsonl", "no such file or folder. In {folder} there is 'train.jsonl.gz'."),
        ("trian*.gz", "no file matches this pattern. In {folder} there is 'train.jsonl.gz'."),
        ("dep/c.csv", "no such file or folder. In {folder} there is 'deep'."),
        ("deep/er/d.txt", "no such file or folder. In {folder}/deep/er there is 'd.csv'."),
        ("folder.csv/*.csv", "no file matches this pattern. In {folder}/folder.csv there is nothing."),
        (
            "zzzzz",
            "no such file or folder. In {folder} there is '.hidden.csv', 'a.csv', 'b.csv', "
            "'deep', 'folder.csv'.",
        ),
    ],
)
def test_nothing_found_is_an_error_that_tells_what_is_there(folder, where, told):
    with pytest.raises(DataError) as caught:
        files(f"{folder}/{where}")
    assert str(caught.value) == (
        f"{folder}/{where}: {told.format(folder=folder)} Correct the path, or bring the file back."
    )


def test_a_relative_path_is_looked_for_in_the_working_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [str(path) for path in files("*.csv")] == ["a.csv", "b.csv"]
    with pytest.raises(DataError, match=r"^trian\.jsonl\.gz: no such file or folder\. In \. there is 'train"):
        files("trian.jsonl.gz")


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.csv", ".csv"),
        ("a.TSV.GZ", ".tsv"),
        ("a.b.jsonl.zst", ".jsonl"),
        ("a.gz", ""),
        ("a", ""),
        ("a.zip", ".zip"),
    ],
)
def test_suffix_is_that_of_the_format(tmp_path, name, ending):
    assert suffix(tmp_path / name) == ending


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("word", ["é", ""])  # "" is a bad row: the strict way through a csv
def test_a_packed_file_has_the_rows_of_the_plain_one(tmp_path, packed, form, word):
    source, content = FORMATS[form]
    data = content.format(word).encode()
    (tmp_path / f"plain{form}").write_bytes(data)
    (tmp_path / f"rows{form}{packed}").write_bytes(PACK[packed](data))
    expected = read(source, tmp_path / f"plain{form}")
    assert [label for _, label in expected[0]] == (["x", "y"] if word else ["y"])
    assert read(source, tmp_path / f"rows{form}{packed}") == expected


@pytest.mark.parametrize("packed", PACK)
def test_packed_lines_and_other_encodings(tmp_path, packed):
    (tmp_path / f"rows.txt{packed}").write_bytes(PACK[packed]("\ufeffé\n\nb".encode()))
    assert read(lines, tmp_path / f"rows.txt{packed}", TEXT) == ([("é",), ("b",)], [])
    (tmp_path / f"rows.csv{packed}").write_bytes(PACK[packed]("text,label\né,x\n".encode("utf-16")))
    assert read(delimited, tmp_path / f"rows.csv{packed}", encoding="utf-16") == ([("é", "x")], [])


def test_members_one_after_another_are_one_file(tmp_path):
    path = tmp_path / "rows.txt.gz"
    path.write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    assert read(lines, path, TEXT) == ([("a",), ("b",)], [])


def unlike(count):
    """Return lines that pack badly, so that what is cut off is not the end mark alone."""
    return [f"{number * 7919 % 10007},{number * 104729 % 99991}" for number in range(count)]


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("form", [*FORMATS, ".txt"])
@pytest.mark.parametrize("harm", ["cut", "other"])
def test_a_damaged_archive_is_one_clear_error(tmp_path, packed, form, harm):
    source, content = FORMATS.get(form, (lines, "{0}\n"))
    data = PACK[packed](content.format(" ".join(unlike(2000))).encode())
    path = tmp_path / f"rows{form}{packed}"
    path.write_bytes(data[: len(data) // 2] if harm == "cut" else b"text,label\na,x\n")
    with pytest.raises(DataError) as caught:
        read(source, path, TEXT)
    codec = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}[packed]
    assert str(caught.value).startswith(
        f"{path}: damaged or cut off; expected {codec} data, as the name says ("
    )
    assert str(caught.value).endswith("). Fetch or pack the file again, or correct its name.")


@pytest.mark.parametrize("name", ["rows.zip", "rows.csv.XZ", "rows.7z"])
def test_another_archive_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        DataError, match=r"expected a plain file, or one packed as \.gz, \.bz2, \.zst; got .*Unpack"
    ):
        read(jsonl, tmp_path / name)


def test_the_whole_of_a_packed_file_is_never_in_memory(tmp_path):
    path = tmp_path / "rows.txt.gz"
    with gzip.open(path, "wb") as stream:
        for _ in range(200):
            stream.write(b"word " * 20_000 + b"\n")  # 20 MB in all
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    with open_bytes(path) as stream:
        count = sum(1 for _ in stream)
        held = pa.total_allocated_bytes() - before
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 200
    assert max(peak, held) < 2_000_000


@given(data=st.binary(max_size=300), packed=st.sampled_from(list(PACK)))
@settings(deadline=None, max_examples=60)
def test_any_bytes_packed_are_unpacked(tmp_path_factory, data, packed):
    path = tmp_path_factory.getbasetemp() / f"any{packed}"
    path.write_bytes(PACK[packed](data))
    with open_bytes(path) as stream:
        assert stream.read() == data


@given(faults=st.lists(st.booleans(), max_size=12), size=st.integers(1, 4))
def test_gathered_rows_keep_their_order_and_come_before_the_fault_below(faults, size):
    numbered = [(n, [str(n)], "bad" if fault else None) for n, fault in enumerate(faults)]
    told = []

    def note(number, reason):
        told.append(number)

    for batch in gather(numbered, TEXT, note, size):
        assert 1 <= batch.num_rows <= size
        told += [int(text) for text in batch.column(0).to_pylist()]
    assert told == list(range(len(faults)))
