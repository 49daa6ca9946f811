"""Tests of tfft/sources/parquet.py, and through it of the columns with types."""

import datetime
import decimal
import inspect

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft.errors import DataError
from tfft.sources import parquet

TEXT, LIST = pa.string(), pa.list_(pa.string())
TWO = {"text": TEXT, "label": TEXT}


def read(where, columns=TWO):
    """Return the good rows as tuples, and the reports as (row, reason)."""
    reports = []
    batches = list(parquet.rows(where, columns, lambda *report: reports.append(report)))
    assert all(batch.schema == pa.schema(list(columns.items())) for batch in batches)
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()], reports


def file_of(tmp_path, columns, name="rows.parquet", **options):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def bytes_as_text(values):
    """Return bytes under the type of text, as files of some writers have them."""
    return pa.array(values, pa.binary()).view(pa.string())


DECIMALS = [decimal.Decimal("1.50"), decimal.Decimal("-3.00")]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array(["a b", " é"]), ["a b", " é"]),
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array([b"a", "é".encode()]), ["a", "é"]),
        (pa.array([b"a", b"b"], pa.large_binary()), ["a", "b"]),
        (pa.array(["x", "y"]).dictionary_encode(), ["x", "y"]),
        (pa.array([3, -1]), ["3", "-1"]),
        (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
        (pa.array([1.0, 0.25]), ["1.0", "0.25"]),
        (pa.array([1e22, 1e-7]), ["1e+22", "1e-07"]),
        (pa.array(np.array([0.1, 16777216], "f4")), ["0.1", "16777216.0"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(DECIMALS, pa.decimal128(5, 2)), ["1.50", "-3.00"]),
    ],
)
def test_values_of_any_plain_type_are_text(tmp_path, values, texts):
    path = file_of(tmp_path, {"text": ["a", "b"], "label": values})
    assert read(path) == (list(zip("ab", texts, strict=True)), [])


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ([["a", "b"], []], pa.list_(pa.string()), [["a", "b"], []]),
        ([["a"], ["b", "c"]], pa.large_list(pa.large_string()), [["a"], ["b", "c"]]),
        ([["a", "b"], ["c", "d"]], pa.list_(pa.string(), 2), [["a", "b"], ["c", "d"]]),
        ([[1, 2], [3]], pa.list_(pa.int8()), [["1", "2"], ["3"]]),
        ([[1.0], [0.5]], pa.list_(pa.float64()), [["1.0"], ["0.5"]]),
        ([[True], [False]], pa.list_(pa.bool_()), [["true"], ["false"]]),
        ([["a"], ["a", "b"]], pa.list_(pa.dictionary(pa.int32(), pa.string())), [["a"], ["a", "b"]]),
        ([[], []], pa.list_(pa.null()), [[], []]),
    ],
)
def test_lists_of_any_plain_type_are_lists_of_text(tmp_path, values, kind, texts):
    path = file_of(tmp_path, {"text": ["a", "b"], "label": pa.array(values, kind)})
    assert read(path, {"label": LIST, "text": TEXT}) == (list(zip(texts, "ab", strict=True)), [])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (pa.array(["x", None, "z"]), "'label' is missing"),
        (pa.array(["x", None, "z"]).dictionary_encode(), "'label' is missing"),
        (pa.array([1, None, 3]), "'label' is missing"),
        (pa.array([1.0, None, 3.0]), "'label' is missing"),
        (pa.array([True, None, True]), "'label' is missing"),
        (pa.array(["x", "", "z"]), "'label' is empty"),
        (pa.array(["x", " \u3000\x1c\x85", "z"]), "'label' is empty"),
        (pa.array(["x", "", "z"]).dictionary_encode(), "'label' is empty"),
        (pa.array([1.0, float("nan"), 3.0]), "'label' is nan, no number"),
        (pa.array([1.0, float("-inf"), 3.0]), "'label' is -inf, no number"),
        (pa.array([b"x", b"\xff", b"z"]), "'label' holds a byte that is not utf-8"),
        (bytes_as_text([b"x", b"\xed\xa0\x80", b"z"]), "'label' holds a byte that is not utf-8"),
    ],
)
def test_a_bad_value_is_reported_with_its_row(tmp_path, values, reason):
    path = file_of(tmp_path, {"text": ["a", "b", "c"], "label": values})
    rows, reports = read(path)
    assert reports == [(2, reason)]
    assert [text for text, _ in rows] == ["a", "c"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([["x"], None, ["z"]], "'label' is missing"),
        ([["x"], ["y", None], ["z"]], "value 2 of 'label' is missing"),
        ([["x"], ["", "y"], ["z"]], "value 1 of 'label' is empty"),
        ([[1.0], [2.0, 3.0, float("inf")], [4.0]], "value 3 of 'label' is inf, no number"),
    ],
)
def test_a_bad_list_is_reported_with_its_row(tmp_path, values, reason):
    path = file_of(tmp_path, {"text": ["a", "b", "c"], "label": values})
    rows, reports = read(path, {"text": TEXT, "label": LIST})
    assert reports == [(2, reason)]
    assert [text for text, _ in rows] == ["a", "c"]


def test_the_first_fault_of_a_row_is_told_and_all_bad_rows_are(tmp_path):
    path = file_of(tmp_path, {"text": [None, "b", ""], "label": [None, "", "z"]})
    assert read(path) == ([], [(1, "'text' is missing"), (2, "'label' is empty"), (3, "'text' is empty")])


def test_a_column_without_any_value_has_bad_rows_only(tmp_path):
    path = file_of(tmp_path, {"text": ["a"], "label": pa.nulls(1)})
    assert read(path) == ([], [(1, "'label' is missing")])


def test_what_stands_above_a_bad_row_is_given_out_before_it_is_reported(tmp_path):
    def refuse(row, reason):
        raise DataError(f"{row}: {reason}")

    batches = parquet.rows(file_of(tmp_path, {"text": ["a", "b", "", "c"]}), {"text": TEXT}, refuse)
    assert next(batches).to_pylist() == [{"text": "a"}, {"text": "b"}]
    with pytest.raises(DataError, match="3: 'text' is empty"):
        next(batches)


def test_rows_come_in_portions_and_are_numbered_through(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_ROWS", 10)
    path = file_of(tmp_path, {"text": ["a"] * 24 + [""], "label": ["x"] * 25}, row_group_size=15)
    assert inspect.isgeneratorfunction(parquet.rows)
    reports = []
    batches = parquet.rows(path, TWO, lambda *report: reports.append(report))
    assert next(batches).num_rows == 10
    assert not reports
    assert sum(batch.num_rows for batch in batches) == 14
    assert reports == [(25, "'text' is empty")]


def test_only_the_columns_asked_for_are_read(tmp_path, monkeypatch):
    path = file_of(tmp_path, {"more": ["x"], "label": ["y"], "text": ["a"]})
    asked = []
    read_batches = pq.ParquetFile.iter_batches

    def note(self, *args, **kwargs):
        asked.append(kwargs["columns"])
        return read_batches(self, *args, **kwargs)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", note)
    assert read(path) == ([("a", "y")], [])
    assert asked == [["text", "label"]]


def test_a_column_with_a_dot_in_its_name_is_no_part_of_another(tmp_path):
    path = file_of(tmp_path, {"a": [{"b": "inner"}], "a.b": ["outer"]})
    assert read(path, {"a.b": TEXT}) == ([("outer",)], [])


def test_a_folder_of_shards_is_read_in_the_order_of_names(tmp_path):
    file_of(tmp_path, {"text": ["c"], "label": ["x"]}, "data/part-1.parquet")
    file_of(tmp_path, {"text": ["a", ""], "label": ["x", "y"]}, "data/part-0.parquet")
    file_of(tmp_path, {"text": [None], "label": ["x"]}, "data/part-2/x.parquet")
    (tmp_path / "data" / "readme.md").write_text("no shard")
    rows, reports = read(tmp_path / "data")
    assert rows == [("a", "x"), ("c", "x")]
    assert reports == [
        (2, "'text' is empty (in part-0.parquet)"),
        (1, "'text' is missing (in part-2/x.parquet)"),
    ]


def test_a_shard_without_the_column_is_named(tmp_path):
    file_of(tmp_path, {"text": ["c"], "label": ["x"]}, "data/0.parquet")
    file_of(tmp_path, {"text": ["c"]}, "data/1.parquet")
    with pytest.raises(DataError, match=r"1\.parquet: no column 'label'; the columns are 'text'\."):
        read(tmp_path / "data")


def test_a_folder_without_shards_is_an_error(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{tmp_path}: no file in this folder ends in .parquet. Correct the path."


def test_a_missing_column_is_an_error_with_those_there_are(tmp_path):
    path = file_of(tmp_path, {"text": ["a"], "intent": ["x"]})
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: no column 'label'; the columns are 'text', 'intent'. "
        "Set data.text_column and data.label_column."
    )


@pytest.mark.parametrize(
    ("values", "kind", "told"),
    [
        (["x"], LIST, "string; expected lists of text, numbers or true/false."),
        ([["x"]], TEXT, "list<element: string>; expected text, numbers or true/false."),
        ([{"a": 1}], TEXT, "struct<a: int64>; expected text, numbers or true/false."),
        (
            [[["x"]]],
            LIST,
            "list<element: list<element: string>>; expected lists of text, numbers or true/false.",
        ),
        ([datetime.date(2020, 1, 1)], TEXT, "date32[day]; expected text, numbers or true/false."),
    ],
)
def test_a_column_of_another_type_is_an_error(tmp_path, values, kind, told):
    path = file_of(tmp_path, {"text": ["a"], "label": values})
    with pytest.raises(DataError) as caught:
        read(path, {"text": TEXT, "label": kind})
    shown = str(caught.value).replace("item:", "element:")  # as older releases of pyarrow write it
    assert shown.startswith(f"{path}: the column 'label' holds {told} Name another column")


@pytest.mark.parametrize("content", [b"", b"text,label\na,x\n", b"PAR1 or not PAR1"])
def test_a_file_of_another_format_is_an_error(tmp_path, content):
    path = tmp_path / "rows.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).startswith(
        f"{path}: expected a Parquet file, but it is damaged or another format ("
    )
    assert str(caught.value).endswith("Write or fetch it again, or set data.source to the format it has.")


def test_a_damaged_file_is_an_error_though_its_footer_is_whole(tmp_path):
    path = file_of(tmp_path, {"text": [f"row {n}" for n in range(9999)], "label": ["x"] * 9999})
    content = bytearray(path.read_bytes())
    content[200:2000] = bytes(1800)
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read(path)


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=5) | st.none()
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(table=st.lists(st.tuples(TEXTS, NUMBERS, st.lists(TEXTS, max_size=3) | st.none()), max_size=8))
@settings(deadline=None, max_examples=60)
def test_any_table_is_read_as_the_contract_says(tmp_path_factory, table):
    names = {"text": TEXT, "number": TEXT, "labels": LIST}
    columns = list(zip(*table, strict=True)) or [(), (), ()]
    kinds = (pa.string(), pa.float64(), LIST)
    arrays = [pa.array(list(values), kind) for values, kind in zip(columns, kinds, strict=True)]
    path = file_of(tmp_path_factory.getbasetemp(), dict(zip(names, arrays, strict=True)))

    def is_usable(text, labels):
        return bool(text and text.strip()) and labels is not None and all(x and x.strip() for x in labels)

    good = [(text, repr(number), labels) for text, number, labels in table if is_usable(text, labels)]
    bad = [n for n, (text, _, labels) in enumerate(table, start=1) if not is_usable(text, labels)]
    rows, reports = read(path, names)
    assert rows == good
    assert [row for row, _ in reports] == bad
