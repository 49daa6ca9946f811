"""Tests of tfft/sources/folder.py."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft.errors import DataError, SettingError
from tfft.sources import folder

TWO = {"text": pa.string(), "label": pa.string()}


def read(where, columns=TWO, **options):
    """Return the good rows as tuples, and the reports as (number, reason)."""
    reports = []
    batches = folder.rows(where, columns, lambda *report: reports.append(report), **options)
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()], reports


def corpus(tmp_path, **files):
    """Write {class: {name: content}} and return the folder."""
    where = tmp_path / "corpus"
    for label, content in files.items():
        (where / label).mkdir(parents=True)
        for name, text in content.items():
            (where / label / name).parent.mkdir(exist_ok=True)
            (where / label / name).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return where


def test_a_folder_is_a_class_and_a_file_a_row_in_the_order_of_their_names(tmp_path):
    where = corpus(tmp_path, pos={"b.txt": "good\n", "a.txt": "fine"}, neg={"c.txt": "two\nlines\r\n"})
    columns = {"path": pa.string(), "label": pa.string(), "text": pa.string()}
    assert read(where, columns) == (
        [("neg/c.txt", "neg", "two\nlines"), ("pos/a.txt", "pos", "fine"), ("pos/b.txt", "pos", "good")],
        [],
    )
    assert read(where, {"text": pa.string()})[0] == [("two\nlines",), ("fine",), ("good",)]


def test_what_is_no_row_is_passed_over(tmp_path):
    where = corpus(
        tmp_path,
        pos={"a.txt": "good", ".b.txt": "hidden", "c.md": "other", "deep/d.txt": "too deep"},
        empty={},
    )
    (where / ".git").mkdir()
    (where / ".git" / "x.txt").write_text("hidden")
    (where / "readme.txt").write_text("beside the classes")
    (where / "pos" / "folder.txt").mkdir()
    assert read(where) == ([("good", "pos")], [])


@pytest.mark.parametrize(
    ("pattern", "texts"), [("*.md", ["other"]), ("**/*.txt", ["good", "deep"]), ("*/*", ["deep"])]
)
def test_the_pattern_says_which_files_are_rows(tmp_path, pattern, texts):
    where = corpus(tmp_path, pos={"a.txt": "good", "c.md": "other", "z/d.txt": "deep"})
    assert [text for text, _ in read(where, pattern=pattern)[0]] == texts


@pytest.mark.parametrize("pattern", ["../*.txt", "/etc/*", "", "."])
def test_a_pattern_that_leads_elsewhere_is_refused(tmp_path, pattern):
    where = corpus(tmp_path, pos={"a.txt": "good"})
    with pytest.raises(
        SettingError, match=r"^data\.source\.pattern: must be a pattern below .* Try \*\.txt\.$"
    ):
        read(where, pattern=pattern)


def test_a_bad_file_is_reported_by_its_number_and_path(tmp_path):
    where = corpus(
        tmp_path,
        neg={"a.txt": "bad", "b.txt": b"caf\xe9"},
        pos={"a.txt": " \n", "b.txt": "", "c.txt": "good"},
    )
    rows, reports = read(where)
    assert rows == [("bad", "neg"), ("good", "pos")]
    assert [number for number, _ in reports] == [2, 3, 4]
    assert reports[0][1].startswith("'neg/b.txt' is not utf-8 ('utf-8' codec can't decode byte 0xe9")
    assert reports[0][1].endswith("; set data.source.encoding")
    assert [reason for _, reason in reports[1:]] == ["'pos/a.txt' is empty", "'pos/b.txt' is empty"]


def test_the_encoding_is_that_of_the_files(tmp_path):
    where = corpus(tmp_path, pos={"a.txt": "café".encode("cp1252"), "b.txt": b"a\x81"})
    rows, reports = read(where, encoding="cp1252")
    assert rows == [("café", "pos")]
    assert reports[0][0] == 2
    assert "'pos/b.txt' is not cp1252" in reports[0][1]
    with pytest.raises(SettingError, match=r"^data\.source\.encoding: .* got 'utf-88'\. Common ones are"):
        read(where, encoding="utf-88")


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_text(tmp_path, encoding):
    assert read(corpus(tmp_path, pos={"a.txt": "\ufeffgood"}), encoding=encoding) == ([("good", "pos")], [])


def test_half_of_a_surrogate_pair_that_the_codec_lets_pass(tmp_path):
    rows, reports = read(corpus(tmp_path, pos={"a.txt": "\\ud800"}), encoding="unicode_escape")
    assert rows == []
    assert reports[0][1].startswith("'pos/a.txt' is not unicode_escape")


def test_a_link_that_leads_out_is_not_followed(tmp_path):
    where = corpus(tmp_path, pos={"b.txt": "good"})
    (tmp_path / "secret.txt").write_text("secret")
    (where / "pos" / "a.txt").symlink_to(tmp_path / "secret.txt")
    (where / "pos" / "c.txt").symlink_to(where / "pos" / "b.txt")
    (where / "pos" / "gone.txt").symlink_to(where / "pos" / "nothing")
    assert read(where) == (
        [("good", "pos"), ("good", "pos")],
        [(1, "'pos/a.txt' is a link that leads out of the folder")],
    )


def test_a_class_that_is_a_link_leading_out_is_an_error(tmp_path):
    where = corpus(tmp_path, pos={"b.txt": "good"})
    (tmp_path / "elsewhere").mkdir()
    (where / "neg").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError) as caught:
        read(where)
    assert str(caught.value) == (
        f"{where}: its folder 'neg' is a link that leads out of it, which is not followed. "
        "Put the files themselves there."
    )


def test_the_folder_itself_may_be_a_link(tmp_path):
    where = corpus(tmp_path, pos={"b.txt": "good"})
    (tmp_path / "link").symlink_to(where)
    assert read(tmp_path / "link") == ([("good", "pos")], [])


@pytest.mark.parametrize(
    ("column", "kind", "what"),
    [("intent", pa.string(), "no column"), ("label", pa.list_(pa.string()), "lists in the column")],
)
def test_another_column_is_an_error_with_those_there_are(tmp_path, column, kind, what):
    where = corpus(tmp_path, pos={"b.txt": "good"})
    with pytest.raises(DataError) as caught:
        read(where, {"text": pa.string(), column: kind})
    assert str(caught.value).startswith(f"{where}: a folder of text files has ")
    assert ("no column" if what == "no column" else "no lists") in str(caught.value)
    assert f"{column!r}; its columns are 'text', 'label', 'path'." in str(caught.value)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "no such folder; "),
        ({"pos": {"a.md": ""}}, "no file matches '*.txt' in its folders ('pos'); "),
    ],
)
def test_a_folder_without_rows_says_what_was_expected(tmp_path, files, told):
    where = corpus(tmp_path, **files)
    with pytest.raises(DataError) as caught:
        read(where)
    assert str(caught.value).startswith(
        f"{where}: {told}expected a folder for each class with text files in it"
    )


def test_texts_without_class_folders_say_so(tmp_path):
    (tmp_path / "a.txt").write_text("good")
    with pytest.raises(DataError, match="no folder in it; expected a folder for each class"):
        read(tmp_path)
    with pytest.raises(DataError, match="no such folder; expected a folder for each class"):
        read(tmp_path / "a.txt")


def test_files_are_read_as_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "_ROWS", 10)
    where = corpus(tmp_path, pos={f"{number:02}.txt": "good" for number in range(25)} | {"99.txt": ""})
    reports = []
    batches = folder.rows(where, TWO, lambda *report: reports.append(report))
    assert next(batches).num_rows == 10
    (where / "pos" / "15.txt").write_text("changed")
    assert not reports
    rest = list(batches)
    assert [batch.num_rows for batch in rest] == [10, 5]
    assert rest[0].column("text")[5].as_py() == "changed"
    assert reports == [(26, "'pos/99.txt' is empty")]


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12).filter(
    lambda text: text.strip() and text == text.rstrip("\r\n") and text[0] != "\ufeff"
)


@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
@settings(deadline=None, max_examples=25)
def test_any_texts_written_are_read_back(tmp_path_factory, texts):
    where = corpus(tmp_path_factory.mktemp("any"), x={f"{n}.txt": text for n, text in enumerate(texts)})
    assert read(where) == ([(text, "x") for text in texts], [])
