"""Tests of tfft/sources/delimited.py."""

import csv
import inspect
import sys
import tracemalloc

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft.errors import DataError, SettingError
from tfft.sources import delimited, gather

TWO = {"text": pa.string(), "label": pa.string()}
UNCLOSED = "a broken quote (unexpected end of data)"
GARBAGE = "a broken quote (',' expected after '\"')"


def read(path, columns=TWO, **options):
    """Return the good rows as tuples, and the reports as (line, reason)."""
    reports = []
    batches = delimited.rows(path, columns, lambda *report: reports.append(report), **options)
    return flat(batches), reports


def flat(batches):
    return [row for batch in batches for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)]


def file_of(tmp_path, content, name="rows.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def is_fast(path, columns=TWO, delimiter=",", quote='"', encoding="utf-8"):
    return delimited._above_suspicion(path, columns, delimiter, quote, encoding, None)


def strictly(path, columns=TWO, delimiter=",", quote='"', encoding="utf-8"):
    reports = []

    def report(line, reason):
        reports.append((line, reason))

    rows = delimited._strict_values(path, columns, delimiter, quote, encoding, None)
    return flat(gather(rows, columns, report, 4096)), reports


@pytest.mark.parametrize(
    ("content", "good", "reports"),
    [
        ("text,label\na,x\nb,\nc,z\n", [("a", "x"), ("c", "z")], [(3, "'label' is empty")]),
        ("text,label\na,x\n,y\nc,z\n", [("a", "x"), ("c", "z")], [(3, "'text' is empty")]),
        ("text,label\n,\na,x\n", [("a", "x")], [(2, "'text' is empty")]),
        ('text,label\na,x\n"",y\n', [("a", "x")], [(3, "'text' is empty")]),
        ('text,label\n"a,x\nb,y\nc,z\n', [("b", "y"), ("c", "z")], [(2, UNCLOSED)]),
        ('text,label\nb,y\n"c,z', [("b", "y")], [(3, UNCLOSED)]),
        ('text,label\n"a,x\nb,y\n"c",z\n', [("b", "y"), ("c", "z")], [(2, GARBAGE)]),
        ('text,label\n"a,x\nb,y\n"c,z\nd,w\n', [("b", "y"), ("d", "w")], [(2, GARBAGE), (4, UNCLOSED)]),
        ('text,label\n"a"b,x\nb,y\n', [("b", "y")], [(2, GARBAGE)]),
        ('text,label\n"a" ,x\nb,y\n', [("b", "y")], [(2, GARBAGE)]),
        ("text,label\na,x,z\nb,y\n", [("b", "y")], [(2, "3 fields where the header row has 2")]),
        ("text,label\na\nb,y\n", [("b", "y")], [(2, "1 field where the header row has 2")]),
        ("text,label,more\na,x\nb,y,z\n", [("b", "y")], [(2, "2 fields where the header row has 3")]),
        ("text,label\n  \nb,y\n", [("b", "y")], [(2, "1 field where the header row has 2")]),
        (
            b"text,label\na,x\nb\xff,y\nc,z\n",
            [("a", "x"), ("c", "z")],
            [(3, "a byte that is not utf-8; set data.source.encoding")],
        ),
        (
            b"text,label\na,x\nb,\xc3\nc,z\n",
            [("a", "x"), ("c", "z")],
            [(3, "a byte that is not utf-8; set data.source.encoding")],
        ),
        (
            b"text,label\n\xed\xa0\x80,x\nc,z\n",  # half of a surrogate pair, as CESU-8 has it
            [("c", "z")],
            [(2, "a byte that is not utf-8; set data.source.encoding")],
        ),
    ],
)
def test_bad_row_is_reported_with_line_and_reason_and_the_rest_is_read(tmp_path, content, good, reports):
    path = file_of(tmp_path, content)
    assert not is_fast(path)
    assert read(path) == (good, reports)


@pytest.mark.parametrize(
    ("content", "reports"),
    [
        ('text,label\n"a\nb",x\n,y\n', [(4, "'text' is empty")]),
        ('text,label\n"a\nb\r\nc",x\n,y\n', [(5, "'text' is empty")]),
        ('text,label\n"a\rb",x\n,y\n', [(4, "'text' is empty")]),
        ('text,label\n"a\n\n\nb",x\n"c\nd",\n"e,z\n', [(6, "'label' is empty"), (8, UNCLOSED)]),
        ('text,label\n"a\nb",x\n"c\nd"e,y,\n', [(4, GARBAGE), (5, "3 fields where the header row has 2")]),
        ('text,label,"more\nwords"\na,x,1\n,y,2\n', [(4, "'text' is empty")]),
        (
            "text,label\n\n\n,y\n\n\n\nb\n",
            [(4, "'text' is empty"), (8, "1 field where the header row has 2")],
        ),
        ("\n\ntext,label\n\n,y\n", [(5, "'text' is empty")]),
        ("text,label\r\n\r\na,x\r\n,y\r\n", [(4, "'text' is empty")]),
        ("text,label\ra,x\r,y\r", [(3, "'text' is empty")]),
        ("text,label\na\u2028b,x\nc\x0cd\x85,x\n,y\n", [(4, "'text' is empty")]),  # no line ends of a file
    ],
)
def test_line_is_the_one_an_editor_shows(tmp_path, content, reports):
    path = file_of(tmp_path, content)
    assert read(path)[1] == reports


def test_rows_after_each_of_many_stray_quotes_are_kept(tmp_path):
    lines = [f'"stray {n},x' if n % 3 == 0 else f"fine {n},x" for n in range(30)]
    good, reports = read(file_of(tmp_path, "\n".join(["text,label", *lines]) + "\n"))
    assert good == [(f"fine {n}", "x") for n in range(30) if n % 3]
    assert [line for line, _ in reports] == [n + 2 for n in range(0, 30, 3)]


def test_broken_quote_in_a_column_not_asked_for_does_not_swallow_rows(tmp_path):
    path = file_of(tmp_path, 'text,label,more\na,x,"oops\nb,y,q\nc,z,"w"\nd,v,"1"2\n')
    assert not is_fast(path)
    good, reports = read(path)
    assert good == [("b", "y"), ("c", "z")]
    assert reports == [(2, GARBAGE), (5, GARBAGE)]


# Python's str.isspace, so that `is empty` means one thing on both paths.
@pytest.mark.parametrize("space", [chr(code) for code in range(0x3001) if chr(code).isspace()])
def test_text_of_spaces_alone_is_empty(tmp_path, space):
    path = file_of(tmp_path, f'text,label\n"{space}{space}",x\nb,y\n')
    assert not is_fast(path)
    assert read(path) == ([("b", "y")], [(2, "'text' is empty")])


def test_text_beside_spaces_is_kept_with_its_spaces(tmp_path):
    path = file_of(tmp_path, "text,label\n\u3000a \u00a0,x\n")
    assert is_fast(path)
    assert read(path) == ([("\u3000a \u00a0", "x")], [])


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "{path}: the file is empty; expected a header row with text, label."),
        ("\n\n", {}, "{path}: the file is empty; expected a header row with text, label."),
        ("\ufeff", {}, "{path}: the file is empty; expected a header row with text, label."),
        (
            "text,lab\na,x\n",
            {},
            "{path}:1: no column 'label'; the header row has 'text', 'lab'. "
            "Set data.text_column and data.label_column, or data.source.delimiter.",
        ),
        (
            "text;label\na;x\n",
            {},
            "{path}:1: no column 'text' or 'label'; the header row has 'text;label'. "
            "Set data.text_column and data.label_column, or data.source.delimiter.",
        ),
        (
            "\n\ntext,lab\na,x\n",
            {},
            "{path}:3: no column 'label'; the header row has 'text', 'lab'. "
            "Set data.text_column and data.label_column, or data.source.delimiter.",
        ),
        ("text,label,text\na,x,b\n", {}, "{path}:1: the column 'text' stands twice; rename one."),
        ('"text,label\na,x\n', {}, f"{{path}}:1: the header row is broken: {UNCLOSED}."),
        ('"te"xt,label\na,x\n', {}, f"{{path}}:1: the header row is broken: {GARBAGE}."),
    ],
)
def test_bad_header_is_an_error_that_quotes_it(tmp_path, content, options, message):
    path = file_of(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read(path, **options)
    assert str(caught.value) == message.format(path=path)


def test_utf_16_read_as_utf_8_shows_what_the_header_looks_like(tmp_path):
    path = file_of(tmp_path, "text,label\na,x\n".encode("utf-16-le"))
    with pytest.raises(DataError, match=r"rows\.csv:1: .*the header row (has 't\\x00e|is broken: .*NUL)"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-88", "", "rot13", "base64", "undefined", "utf\0-8"])
def test_unknown_encoding_names_the_setting_and_common_ones(tmp_path, encoding):
    path = file_of(tmp_path, "text,label\na,x\n")
    with pytest.raises(SettingError) as caught:
        read(path, encoding=encoding)
    assert str(caught.value) == (
        f"data.source.encoding: must be an encoding that Python knows, got {encoding!r}. "
        "Common ones are utf-8, cp1252, latin-1 and utf-16."
    )


def test_utf_16_without_byte_order_mark_names_the_way_out(tmp_path):
    path = file_of(tmp_path, "text,label\na,x\n".encode("utf-16-le"))
    with pytest.raises(SettingError, match=r"must be the encoding of .*BOM\), got 'utf-16'\..*utf-16-le"):
        read(path, encoding="utf-16")
    assert read(path, encoding="utf-16-le") == ([("a", "x")], [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"delimiter": "\n"},
            "data.source.delimiter: must not be a line break, got '\\n'. Leave the key out.",
        ),
        ({"quote": "\r"}, "data.source.quote: must not be a line break, got '\\r'. Leave the key out."),
        (
            {"quote": ","},
            "data.source.quote: must differ from the delimiter, got ','. Change one of the two.",
        ),
    ],
)
def test_delimiter_and_quote_that_tell_no_rows_are_refused(tmp_path, options, message):
    path = file_of(tmp_path, "text,label\na,x\n")
    with pytest.raises(SettingError) as caught:
        read(path, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize("content", ["text,label\n", "text,label", '"text","label"\r\n\r\n'])
def test_header_alone_gives_no_rows_and_no_reports(tmp_path, content):
    assert read(file_of(tmp_path, content)) == ([], [])


@pytest.mark.parametrize(
    "content",
    [
        "text,label\na,x\nb,y\n",
        "text,label\na,x\nb,y",
        "text,label\r\na,x\r\nb,y\r\n",
        "text,label\ra,x\rb,y\r",
        "text,label\ra,x\nb,y\r\n",
        "\ufefftext,label\na,x\nb,y\n",
        "\n\ntext,label\n\na,x\n\n\nb,y\n\n",
        '"text","label"\n"a","x"\n"b","y"\n',
        'text,label\n"a",x\r\nb,"y"',
    ],
)
def test_clean_file_takes_the_fast_path_and_the_strict_one_agrees(tmp_path, content):
    path = file_of(tmp_path, content)
    assert is_fast(path)
    assert read(path) == strictly(path) == ([("a", "x"), ("b", "y")], [])


@pytest.mark.parametrize("header", ["text,label", '"text","label"', '"te""xt",label'])
@pytest.mark.parametrize("bad", ["", ",y\n"])
def test_byte_order_mark_is_no_part_of_the_first_name(tmp_path, header, bad):
    path = file_of(tmp_path, f"\ufeff{header}\n\ufeffa,x\n{bad}")
    first = 'te"xt' if '""' in header else "text"
    # A mark further down is text.
    assert read(path, dict.fromkeys((first, "label"), pa.string()))[0] == [("\ufeffa", "x")]


def test_quoted_delimiters_and_doubled_quotes_are_text(tmp_path):
    path = file_of(tmp_path, 'text,label\n"a, ""b"", c",x\n"""",y\n"""d""",z\n"e"",",w\n')
    assert is_fast(path)
    rows = [('a, "b", c', "x"), ('"', "y"), ('"d"', "z"), ('e",', "w")]
    assert read(path) == strictly(path) == (rows, [])


def test_quote_inside_an_unquoted_field_is_text(tmp_path):
    path = file_of(tmp_path, 'text,label\na 5" disk,x\nthe "best" one,y\n')
    assert read(path) == ([('a 5" disk', "x"), ('the "best" one', "y")], [])


def test_line_breaks_in_quoted_fields_are_kept_as_they_are(tmp_path):
    path = file_of(tmp_path, 'text,label\r\n"a\r\nb\nc\rd",x\r\n"\n e",y\r\n')
    assert not is_fast(path)
    assert read(path) == ([("a\r\nb\nc\rd", "x"), ("\n e", "y")], [])


@pytest.mark.parametrize("suffix", [".tsv", ".tab"])
def test_tab_is_the_delimiter_by_the_name_of_the_file(tmp_path, suffix):
    path = file_of(tmp_path, 'text\tlabel\na, b\tx\n"c\td"\ty\n', f"rows{suffix}")
    assert is_fast(path, delimiter="\t")
    assert read(path) == ([("a, b", "x"), ("c\td", "y")], [])


def test_delimiter_given_outranks_the_name_of_the_file(tmp_path):
    path = file_of(tmp_path, "text;label\na,\tb;x\n", "rows.tsv")
    assert read(path, delimiter=";") == ([("a,\tb", "x")], [])


# Each has a meaning in a regular expression, or is none of pyarrow's.
@pytest.mark.parametrize("quote", ["'", "|", "]", "[", "^", "-", "\\", ".", "$", "«"])
@pytest.mark.parametrize("delimiter", [",", ";", " ", "*", "+", ")", "→"])
def test_any_character_may_be_quote_or_delimiter(tmp_path, delimiter, quote):
    content = f"{quote}text{quote}{delimiter}label\n{quote}a{delimiter}{quote}{quote}b{quote}{delimiter}x\n"
    path = file_of(tmp_path, content)
    expected = [(f"a{delimiter}{quote}b", "x")]
    assert is_fast(path, TWO, delimiter, quote) == (delimiter + quote).isascii()
    assert read(path, delimiter=delimiter, quote=quote) == (expected, [])
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(f"{quote}c{quote}d{delimiter}y\n")
    reason = f"a broken quote ('{delimiter}' expected after '{quote}')"
    assert read(path, delimiter=delimiter, quote=quote) == (expected, [(3, reason)])


@pytest.mark.parametrize(
    "encoding",
    ["utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "shift_jis", "utf-7"],
)
def test_encodings_on_both_paths(tmp_path, encoding):
    word = "日本" if encoding in ("gb18030", "shift_jis") else "café"
    clean = f"text,label\n{word},x\nb,y\n"
    path = file_of(tmp_path, clean.encode(encoding))
    assert is_fast(path, encoding=encoding)
    assert read(path, encoding=encoding) == ([(word, "x"), ("b", "y")], [])
    path = file_of(tmp_path, (clean + f'"{word}\n",z\n,w\n').encode(encoding))
    good = [(word, "x"), ("b", "y"), (f"{word}\n", "z")]
    assert read(path, encoding=encoding) == (good, [(6, "'text' is empty")])


def test_encoding_longer_than_one_block(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK", 64)
    rows = [(f"größe {number} €", "xy"[number % 2]) for number in range(100)]
    content = "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)
    path = file_of(tmp_path, content.encode("cp1252"))
    assert is_fast(path, encoding="cp1252")
    assert read(path, encoding="cp1252") == (rows, [])


@pytest.mark.parametrize(
    ("encoding", "before", "bad", "after"),
    [
        ("cp1252", "text,label\n", b"a\x81,x\n", "c,z\n"),
        ("ascii", "text,label\n", "é,x\n".encode(), "c,z\n"),
        ("shift_jis", "text,label\n", b"\x81,x\n", "c,z\n"),
        # Half of a surrogate pair: its byte 0x00 is one that `surrogateescape` cannot hold.
        ("utf-16-le", "text,label\n", b"\x00\xd8,\x00x\x00\n\x00", "c,z\n"),
    ],
)
def test_bytes_that_are_not_of_the_encoding_are_reported(tmp_path, encoding, before, bad, after):
    path = file_of(tmp_path, before.encode(encoding) + bad + after.encode(encoding))
    reason = f"a byte that is not {encoding}; set data.source.encoding"
    assert read(path, encoding=encoding) == ([("c", "z")], [(2, reason)])


def test_utf_16_cut_in_the_middle_of_a_character(tmp_path):
    path = file_of(tmp_path, "text,label\na,x\nb,yz".encode("utf-16-le")[:-1])
    reason = "a byte that is not utf-16-le; set data.source.encoding"
    assert read(path, encoding="utf-16-le") == ([("a", "x")], [(3, reason)])


def test_half_of_a_surrogate_pair_that_the_codec_lets_pass(tmp_path):
    path = file_of(tmp_path, "text,label\n\\ud800,x\nc,z\n")
    reason = "a byte that is not unicode_escape; set data.source.encoding"
    assert read(path, encoding="unicode_escape") == ([("c", "z")], [(2, reason)])


def test_bytes_outside_the_columns_asked_for_do_not_matter(tmp_path):
    path = file_of(tmp_path, b"text,label,\xff\na,x,\xff\n")
    assert read(path) == ([("a", "x")], [])


@pytest.mark.parametrize(
    "value", ["007", "1.0", "1e3", "true", "NULL", "null", "NaN", "N/A", "2020-01-01", "-0"]
)
@pytest.mark.parametrize("bad", ["", ",y\n"])
def test_values_stay_the_text_that_stands_in_the_file(tmp_path, value, bad):
    path = file_of(tmp_path, f'text,label\n{value},{value}\n"{value}",{value}\n{bad}')
    assert is_fast(path) != bool(bad)
    assert read(path)[0] == [(value, value)] * 2


@pytest.mark.parametrize("bad", ["", "z,,,\n"])
def test_columns_come_in_the_order_asked_for_and_others_are_left_out(tmp_path, bad):
    path = file_of(tmp_path, f"label,more,text,more\nx,,a,\ny,2,b,3\n{bad}z,,c,\n")
    assert is_fast(path) != bool(bad)
    batches = list(delimited.rows(path, TWO, lambda *_: None))
    assert {tuple(batch.schema.names) for batch in batches} == {tuple(TWO)}
    assert {str(kind) for batch in batches for kind in batch.schema.types} == {"string"}
    assert flat(batches) == [("a", "x"), ("b", "y"), ("c", "z")]


def test_one_column_alone_as_for_prediction(tmp_path):
    path = file_of(tmp_path, 'text\na\n\n"b"\n""\n  \nc\n')
    assert read(path, {"text": pa.string()}) == (
        [("a",), ("b",), ("c",)],
        [(5, "'text' is empty"), (6, "'text' is empty")],
    )


@pytest.mark.skipif(sys.version_info < (3, 11), reason="csv of Python 3.10 refuses NUL")
def test_nul_is_a_character_like_others_on_both_paths(tmp_path):
    path = file_of(tmp_path, "text,label\na\0b,x\n\0,y\n")
    assert is_fast(path)
    assert read(path) == strictly(path) == ([("a\0b", "x"), ("\0", "y")], [])


@pytest.mark.parametrize("bad", ["", ",y\n"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_field_beyond_the_limit_of_the_csv_module_is_read(tmp_path, quote, bad):
    text = "a" * (csv.field_size_limit() + 1)
    path = file_of(tmp_path, f"text,label\n{quote}{text}{quote},x\n{bad}")
    assert is_fast(path) != bool(bad)
    assert read(path)[0] == [(text, "x")]


def test_overlong_field_is_reported_and_bounds_an_unclosed_quote(tmp_path, monkeypatch):
    before, during = csv.field_size_limit(), []
    monkeypatch.setattr(delimited, "_LONGEST", 20)
    long = "word " * 5
    path = file_of(tmp_path, f'text,label\n{long},x\nb,y\n"open,x\n' + "c,z\n" * 9)
    assert not is_fast(path)
    reason = "a field too long or a broken quote (field larger than field limit (20))"
    assert read(path) == ([("b", "y"), *[("c", "z")] * 9], [(2, reason), (4, reason)])
    for _ in delimited.rows(path, TWO, lambda *_: during.append(csv.field_size_limit())):
        during.append(csv.field_size_limit())
    assert during == [before] * 4  # it is one for the whole process


def test_rows_come_in_batches_as_the_file_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "_ROWS", 10)
    monkeypatch.setattr(delimited, "_BLOCK", 100)
    clean = "text,label\n" + "some words,x\n" * 25
    assert inspect.isgeneratorfunction(delimited.rows)
    path = file_of(tmp_path, clean)
    fast = list(delimited.rows(path, TWO, lambda *_: None))
    assert len(fast) >= 3
    path = file_of(tmp_path, clean + ",y\n")
    reports = []
    strict = delimited.rows(path, TWO, lambda *report: reports.append(report))
    assert next(strict).num_rows == 10
    assert not reports  # the last line is not read yet
    assert [batch.num_rows for batch in strict] == [10, 5]
    assert reports == [(27, "'text' is empty")]
    assert sum(batch.num_rows for batch in fast) == 25


def test_strict_path_keeps_a_batch_in_memory_and_not_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "_ROWS", 16)
    row = "word " * 200
    path = file_of(tmp_path, "text,label\n" + f'"{row}\n",x\n' * 2000 + '"open,y\n' + f"{row},x\n" * 20)
    tracemalloc.start()
    count = sum(batch.num_rows for batch in delimited.rows(path, TWO, lambda *_: None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 2020
    assert peak < path.stat().st_size / 4


CHARACTER = st.one_of(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0\r\n"),
    st.sampled_from(list("\",;\t' ab")),
)
FLAT = st.text(CHARACTER, min_size=1, max_size=12).filter(str.strip)
DEEP = st.tuples(FLAT, st.sampled_from(["\n", "\r", "\r\n", "\n\n", '"\n"', ",\r\n"]), FLAT).map("".join)
STYLES = st.sampled_from(
    [
        {"quoting": csv.QUOTE_ALL, "lineterminator": "\n"},
        {"quoting": csv.QUOTE_ALL, "lineterminator": "\r\n", "delimiter": ";"},
        {"quoting": csv.QUOTE_MINIMAL, "lineterminator": "\r\n", "delimiter": "\t"},
        {"quoting": csv.QUOTE_ALL, "lineterminator": "\r", "quotechar": "'"},
    ]
)


def written(folder, table, style):
    path = folder / "property.csv"
    with open(path, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, **style).writerows([("text", "extra", "label"), *table])
    return path


def options_of(style):
    return {"delimiter": style.get("delimiter", ","), "quote": style.get("quotechar", '"')}


@given(table=st.lists(st.tuples(FLAT, FLAT, FLAT), min_size=1, max_size=5), style=STYLES)
@settings(deadline=None, max_examples=100)
def test_any_table_written_by_the_csv_module_is_read_back_by_pyarrow(tmp_path_factory, table, style):
    path = written(tmp_path_factory.getbasetemp(), table, style)
    expected = [(text, label) for text, _, label in table]
    assert is_fast(path, TWO, **options_of(style))
    assert read(path, **options_of(style)) == (expected, [])
    assert strictly(path, TWO, **options_of(style)) == (expected, [])


@given(
    table=st.lists(st.tuples(FLAT | DEEP, FLAT | DEEP, FLAT), max_size=4),
    last=st.tuples(DEEP, FLAT, FLAT | DEEP),
    style=STYLES,
)
@settings(deadline=None, max_examples=100)
def test_any_table_with_line_breaks_is_read_back_strictly(tmp_path_factory, table, last, style):
    path = written(tmp_path_factory.getbasetemp(), [*table, last], style)
    assert not is_fast(path, TWO, **options_of(style))
    expected = [(text, label) for text, _, label in [*table, last]]
    assert read(path, **options_of(style)) == (expected, [])


@given(body=st.text(st.sampled_from(list('"", \n\n\rab\t\ufeffé\x1c')), max_size=30), wide=st.booleans())
@settings(deadline=None, max_examples=300)
def test_where_no_row_is_suspicious_both_paths_say_the_same(tmp_path_factory, body, wide):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(f"text,{'more,' * wide}label\n{body}".encode())
    if is_fast(path):
        assert strictly(path) == (flat(delimited._batches(path, TWO, ",", '"', "utf-8")), [])


@pytest.mark.parametrize(
    ("name", "rows", "labels"),
    [
        ("banking77/train.csv", 10_003, 77),
        ("banking77/test.csv", 3_080, 77),
        ("sms_spam/train.csv", 4_460, 2),
        ("sms_spam/validation.csv", 557, 2),
        ("sms_spam/test.csv", 557, 2),
        ("chnsenticorp_hotel/validation.csv", 776, 2),
        ("chnsenticorp_hotel/test.csv", 776, 2),
        ("afrisenti_5lang/train.csv", 30_612, 3),
        ("afrisenti_5lang/validation.csv", 5_888, 3),
        ("afrisenti_5lang/test.csv", 14_673, 3),
    ],
)
def test_shared_data_has_the_rows_that_its_description_counts(shared, name, rows, labels):
    path = shared / "data" / name
    good, reports = read(path)
    assert (len(good), len({label for _, label in good}), reports) == (rows, labels, [])
    with open(path, newline="", encoding="utf-8") as stream:
        assert good == [(row["text"], row["label"]) for row in csv.DictReader(stream)]


def test_shared_chinese_reviews_have_one_that_is_empty(shared):
    good, reports = read(shared / "data" / "chnsenticorp_hotel" / "train.csv")
    assert len(good) == 6_213
    assert reports == [(5102, "'text' is empty")]


TAGGED = {"text": pa.string(), "tags": pa.list_(pa.string())}


@pytest.mark.parametrize(
    ("separator", "field", "values"),
    [
        (None, "a b", ["a", "b"]),
        (None, " a\u3000b\t", ["a", "b"]),
        (None, "", []),
        (None, " ", []),
        ("|", "a|b c", ["a", "b c"]),
        ("|", " a | b ", ["a", "b"]),
        ("|", "a", ["a"]),
        ("|", "", []),
        ("|", "  ", []),
        ("::", "a::b:c", ["a", "b:c"]),
        (".", "a.b", ["a", "b"]),
    ],
)
@pytest.mark.parametrize("bad", ["", ",x\n"])
def test_a_field_of_several_values_is_split_on_both_paths(tmp_path, separator, field, values, bad):
    path = file_of(tmp_path, f"text,tags\nq,{field}\n{bad}")
    assert delimited._above_suspicion(path, TAGGED, ",", '"', "utf-8", separator) != bool(bad)
    batches = list(delimited.rows(path, TAGGED, lambda *_: None, separator=separator))
    assert {batch.schema.field("tags").type for batch in batches} == {pa.list_(pa.string())}
    assert flat(batches) == [("q", values)]


@pytest.mark.parametrize(("field", "place"), [("a||b", 2), ("|a", 1), ("a|", 2), ("a| |b", 2), ("|", 1)])
def test_a_blank_among_several_values_is_reported(tmp_path, field, place):
    path = file_of(tmp_path, f"text,tags\nq,{field}\nr,c\n")
    reason = f"value {place} of 'tags' is empty"
    assert read(path, TAGGED, separator="|") == ([("r", ["c"])], [(2, reason)])


def test_a_separator_may_be_the_delimiter_of_a_quoted_field(tmp_path):
    path = file_of(tmp_path, 'text,tags\nq,"a, b"\n')
    assert read(path, TAGGED, separator=",") == ([("q", ["a", "b"])], [])


def test_a_bad_byte_among_several_values_is_reported(tmp_path):
    path = file_of(tmp_path, b"text,tags\nq,a \xff\nr,c\n")
    reason = "a byte that is not utf-8; set data.source.encoding"
    assert read(path, TAGGED) == ([("r", ["c"])], [(2, reason)])


def test_a_list_column_may_stand_before_others(tmp_path):
    path = file_of(tmp_path, "text,tags\nq,a b\n,c\n")
    assert read(path, dict(reversed(TAGGED.items()))) == ([(["a", "b"], "q")], [(3, "'text' is empty")])
