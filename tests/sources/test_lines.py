"""Tests of tfft/sources/lines.py."""

import inspect

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft.errors import DataError
from tfft.sources import lines

TEXT = {"text": pa.string()}


def read(path, columns=TEXT):
    """Return the good lines, and the reports as (line, reason)."""
    reports = []
    batches = lines.rows(path, columns, lambda *report: reports.append(report))
    return [text for batch in batches for text in batch.column(0).to_pylist()], reports


def file_of(tmp_path, content):
    path = tmp_path / "rows.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    "content", ["a b\n c\n", "a b\n c", "a b\r\n c\r\n", "a b\r c\r", "a b\n c\r\n", "\ufeffa b\n c\n"]
)
def test_line_ends_of_any_system_and_a_byte_order_mark_are_no_text(tmp_path, content):
    assert read(file_of(tmp_path, content)) == (["a b", " c"], [])


def test_quotes_commas_and_other_separators_are_text(tmp_path):
    text = 'say "hi", \t; a\u2028b\x0cc\x85d\x1ce\0f'
    assert read(file_of(tmp_path, f"{text}\n{text}")) == ([text, text], [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xff", "a byte that is not utf-8 at column 1"),
        ("né".encode() + b"\xe9 x", "a byte that is not utf-8 at column 3"),
        (b"\xed\xa0\x80", "a byte that is not utf-8 at column 1"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_bad_line_is_reported_with_its_number_and_reason(tmp_path, line, reason, end):
    path = file_of(tmp_path, end.join([b"a", b"b", line, b"c", b""]))
    assert read(path) == (["a", "b", "c"], [(3, reason)])


@pytest.mark.parametrize("content", ["", "\ufeff"])
def test_empty_file_has_no_rows(tmp_path, content):
    assert read(file_of(tmp_path, content)) == ([], [])


def test_label_is_refused_with_the_formats_that_have_one(tmp_path):
    path = file_of(tmp_path, "a\n")
    with pytest.raises(DataError) as caught:
        read(path, TEXT | {"label": pa.string()})
    assert str(caught.value) == (
        f"{path}: plain lines hold text only; rows with labels need csv, tsv or jsonl."
    )


@pytest.mark.parametrize("blank", ["", "  \t", "\u3000\u00a0"])
def test_blank_lines_are_passed_over(tmp_path, blank):
    assert read(file_of(tmp_path, f"a\n{blank}\nb\n")) == (["a", "b"], [])


def test_what_stands_above_a_bad_line_is_given_out_before_it_is_reported(tmp_path):
    def refuse(line, reason):
        raise DataError(f"{line}: {reason}")

    batches = lines.rows(file_of(tmp_path, b"a\nb\n\xff\nc\n"), TEXT, refuse)
    assert next(batches).to_pylist() == [{"text": "a"}, {"text": "b"}]
    with pytest.raises(DataError, match="3: a byte that is not utf-8"):
        next(batches)


def test_column_has_the_name_asked_for(tmp_path):
    (batch,) = lines.rows(file_of(tmp_path, "a\n"), {"message": pa.string()}, lambda *_: None)
    assert batch.to_pylist() == [{"message": "a"}]


def test_lines_are_read_as_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "_ROWS", 10)
    reports = []
    path = file_of(tmp_path, b"a\n" * 25 + b"\xff\n")
    assert inspect.isgeneratorfunction(lines.rows)
    batches = lines.rows(path, TEXT, lambda *report: reports.append(report))
    assert next(batches).num_rows == 10
    assert not reports  # the last line is not read yet
    assert [batch.num_rows for batch in batches] == [10, 5]
    assert reports == [(26, "a byte that is not utf-8 at column 1")]


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"), min_size=1, max_size=12)


@given(texts=st.lists(TEXTS.filter(str.strip), max_size=5))
@settings(deadline=None, max_examples=50)
def test_any_lines_written_are_read_back(tmp_path_factory, texts):
    path = tmp_path_factory.getbasetemp() / "property.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(texts).encode())
    assert read(path) == (texts, [])


def test_shared_csv_read_as_lines_has_a_row_for_each_line(shared):
    texts, reports = read(shared / "data" / "hwu64" / "test.csv")
    assert (len(texts), reports) == (1 + 1_076, [])


def test_lists_are_refused(tmp_path):
    with pytest.raises(DataError, match="plain lines hold text only"):
        read(file_of(tmp_path, "a\n"), {"text": pa.list_(pa.string())})
