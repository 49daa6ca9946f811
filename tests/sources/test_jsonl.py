"""Tests of tfft/sources/jsonl.py."""

import inspect
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft.errors import DataError
from tfft.sources import jsonl

TWO = {"text": pa.string(), "label": pa.string()}
GOOD = '{"text": "a", "label": "x"}\n'


def read(path, columns=TWO):
    """Return the good rows as tuples, and the reports as (line, reason)."""
    reports = []
    batches = jsonl.rows(path, columns, lambda *report: reports.append(report))
    rows = [row for batch in batches for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)]
    return rows, reports


def file_of(tmp_path, content):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a"}', "'label' is missing"),
        ('{"text": "a", "label": null}', "'label' is missing"),
        ('{"text": "", "label": "x"}', "'text' is empty"),
        ('{"text": " \\u3000\\t\\u001c", "label": "x"}', "'text' is empty"),
        ('{"text": ["a"], "label": "x"}', "'text' must be text or a number, got list"),
        ('{"text": "a", "label": {"is": "x"}}', "'label' must be text or a number, got dict"),
        ("[1, 2]", "expected an object, got '[1, 2]'"),
        ("7", "expected an object, got '7'"),
        ('"a text that is longer than what is shown"', "expected an object, got '\"a text that is long'"),
        ("text,label", "not JSON at column 1: Expecting value"),
        (
            "{'text': 'a', 'label': 'x'}",
            "not JSON at column 2: Expecting property name enclosed in double quotes",
        ),
        ('{"text": "a", "label": "x"},', "not JSON at column 28: Extra data"),
        ('{"text": "a", "label": "x"} {"text": "b", "label": "x"}', "not JSON at column 29: Extra data"),
        ('{"text": "a", "label": "x"', "not JSON at column 27: Expecting ',' delimiter"),
        ('{"text": "a\tb", "label": "x"}', "not JSON at column 12: Invalid control character at"),
        ('{"text": "a\0b", "label": "x"}', "not JSON at column 12: Invalid control character at"),
        ('{"text": "a', "not JSON at column 10: Unterminated string starting at"),
        ('{"text": "a", "label": 007}', "not JSON at column 25: Expecting ',' delimiter"),
        ('{"text": "a", "label": NaN}', "not JSON: NaN"),
        ('{"text": "a", "label": "x", "weight": -Infinity}', "not JSON: -Infinity"),
        ('{"text": "a", "text": "b", "label": "x"}', "the key 'text' stands twice"),
        ('{"text": "a", "label": "x", "n": 1, "n": 1}', "the key 'n' stands twice"),
        ('{"text": "\\ud800", "label": "x"}', "'text' holds half of a surrogate pair"),
        (b'{"text": "a\xff", "label": "x"}', "a byte that is not utf-8 at column 12"),
        (b'{"text": "a", "label": "x", "more": "\xc3"}', "a byte that is not utf-8 at column 38"),
        ('{"text": "a", "label": "x", "deep": ' + "[" * 100_000, "JSON that is nested too deeply"),
    ],
)
def test_bad_line_is_reported_with_its_number_and_reason(tmp_path, line, reason):
    line = line if isinstance(line, bytes) else line.encode("utf-8")
    path = file_of(tmp_path, GOOD.encode() + b"\n" + line + b"\n" + GOOD.encode())
    rows, reports = read(path)
    assert reports == [(3, reason)]
    assert rows == [("a", "x"), ("a", "x")]


def test_object_over_several_lines_is_reported_line_by_line(tmp_path):
    rows, reports = read(file_of(tmp_path, GOOD + '{"text": "a",\n"label": "x"}\n' + GOOD))
    assert rows == [("a", "x"), ("a", "x")]
    assert [line for line, _ in reports] == [2, 3]


@pytest.mark.parametrize(
    "content",
    [
        GOOD * 2,
        (GOOD * 2).rstrip(),
        (GOOD * 2).replace("\n", "\r\n"),
        "\n" + GOOD + "  \n\r\n" + GOOD + "\n",
        "\ufeff" + GOOD * 2,
        '{"label": "x", "more": {"text": 1}, "text": "a"}\n' * 2,
        '{"label": "x", "text": "a", "more": "\\ud800"}\n' * 2,
    ],
)
def test_line_ends_blank_lines_and_other_keys_do_not_matter(tmp_path, content):
    assert read(file_of(tmp_path, content)) == ([("a", "x"), ("a", "x")], [])


@pytest.mark.parametrize(
    "value", ["7", "-0", "1.0", "1.50", "1e3", "1E400", "18446744073709551616", "1" * 5000, "true", "false"]
)
def test_numbers_and_truth_are_kept_as_they_stand(tmp_path, value):
    path = file_of(tmp_path, f'{{"text": "a", "label": {value}}}\n{{"text": {value}, "label": "b"}}\n')
    assert read(path) == ([("a", value), (value, "b")], [])


@pytest.mark.parametrize("text", ["007", "2020-01-01", "2020-01-01 10:00:00", "null", "NaN", "\0", "😀"])
def test_text_that_looks_like_something_else_stays_text(tmp_path, text):
    path = file_of(tmp_path, json.dumps({"text": text, "label": text}) + "\n")
    assert read(path) == ([(text, text)], [])


def test_kinds_may_differ_from_line_to_line(tmp_path):
    path = file_of(tmp_path, "".join(f'{{"text": "a", "label": {v}}}\n' for v in ("1", '"x"', "1.0", "true")))
    assert read(path) == ([("a", "1"), ("a", "x"), ("a", "1.0"), ("a", "true")], [])


def test_columns_come_in_the_order_asked_for(tmp_path):
    path = file_of(tmp_path, GOOD)
    (batch,) = jsonl.rows(path, dict(reversed(TWO.items())), lambda *_: None)
    assert batch.schema.names == ["label", "text"]
    assert batch.to_pylist() == [{"label": "x", "text": "a"}]
    assert read(path, {"text": pa.string()}) == ([("a",)], [])


def test_key_that_no_line_has_is_an_error_with_the_keys_there_are(tmp_path):
    path = file_of(tmp_path, '{"text": "a", "intent": "x"}\n{"text": "a", "id": 1}\nno\n')
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: no line has the key 'label'; the keys are 'id', 'intent', 'text'. "
        "Set data.text_column and data.label_column."
    )


@pytest.mark.parametrize("content", ["", "\n  \n"])
def test_empty_file_is_an_error(tmp_path, content):
    path = file_of(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: the file is empty; expected an object with text, label a line."


def test_file_of_another_format_is_told_line_by_line_and_not_by_its_keys(tmp_path):
    rows, reports = read(file_of(tmp_path, "text,label\na,x\n"))
    assert rows == []
    assert reports == [(line, "not JSON at column 1: Expecting value") for line in (1, 2)]


def test_lines_are_read_as_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonl, "_ROWS", 10)
    reports = []
    path = file_of(tmp_path, GOOD * 25 + "no\n")
    assert inspect.isgeneratorfunction(jsonl.rows)
    batches = jsonl.rows(path, TWO, lambda *report: reports.append(report))
    assert next(batches).num_rows == 10
    assert not reports  # the last line is not read yet
    assert [batch.num_rows for batch in batches] == [10, 5]
    assert [line for line, _ in reports] == [26]


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12).filter(str.strip)


@given(table=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), is_ascii=st.booleans())
@settings(deadline=None, max_examples=50)
def test_any_table_written_by_the_json_module_is_read_back(tmp_path_factory, table, is_ascii):
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=is_ascii) for text, label in table]
    path = file_of(tmp_path_factory.getbasetemp(), "\n".join(lines))
    assert read(path) == (table, [])


@pytest.mark.parametrize(("split", "count"), [("train", 43_410), ("validation", 5_426), ("test", 5_427)])
def test_shared_goemotions_has_the_rows_that_its_description_counts(shared, split, count):
    rows, reports = read(shared / "data" / "goemotions" / f"{split}.jsonl", {"text": pa.string()})
    assert (len(rows), reports) == (count, [])


LIST = {"text": pa.string(), "labels": pa.list_(pa.string())}


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ('["joy", "fear"]', ["joy", "fear"]),
        ("[]", []),
        ("[1, 2.50, true]", ["1", "2.50", "true"]),
        ('["a b", " c"]', ["a b", " c"]),
    ],
)
def test_lists_are_lists_of_text(tmp_path, written, values):
    path = file_of(tmp_path, f'{{"text": "a", "labels": {written}}}\n')
    batches = list(jsonl.rows(path, LIST, lambda *_: None))
    assert batches[0].schema == pa.schema(list(LIST.items()))
    assert batches[0].to_pylist() == [{"text": "a", "labels": values}]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ('["x", ""]', "value 2 of 'labels' is empty"),
        ('[" ", "x"]', "value 1 of 'labels' is empty"),
        ("[null]", "value 1 of 'labels' is missing"),
        ('[["x"]]', "value 1 of 'labels' must be text or a number, got list"),
        ('["\\ud800"]', "value 1 of 'labels' holds half of a surrogate pair"),
        ('"joy"', "'labels' must be a list, got \"joy\""),
        ("true", "'labels' must be a list, got true"),
        ('{"a": 1}', '\'labels\' must be a list, got {"a": "1"}'),
        ("null", "'labels' is missing"),
    ],
)
def test_a_bad_list_is_reported_with_its_line(tmp_path, written, reason):
    good = '{"text": "a", "labels": []}\n'
    path = file_of(tmp_path, f'{good}{{"text": "b", "labels": {written}}}\n{good}')
    assert read(path, LIST) == ([("a", []), ("a", [])], [(2, reason)])


@pytest.mark.parametrize(("split", "count"), [("train", 3_394), ("validation", 1_009), ("test", 1_287)])
def test_shared_words_and_tags_are_of_equal_number(shared, split, count):
    columns = dict.fromkeys(("tokens", "tags"), pa.list_(pa.string()))
    rows, reports = read(shared / "data" / "wnut17_ner" / f"{split}.jsonl", columns)
    assert (len(rows), reports) == (count, [])
    assert all(len(tokens) == len(tags) > 0 for tokens, tags in rows)


def test_shared_goemotions_has_the_labels_that_its_description_counts(shared):
    rows, reports = read(shared / "data" / "goemotions" / "train.jsonl", LIST)
    assert (len(rows), reports) == (43_410, [])
    assert len({label for _, labels in rows for label in labels}) == 28
    assert round(sum(len(labels) for _, labels in rows) / len(rows), 2) == 1.18
