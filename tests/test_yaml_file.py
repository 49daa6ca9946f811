"""Tests of tfft/yaml_file.py."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft import yaml_file
from tfft.errors import ConfigError


@pytest.fixture
def read(tmp_path):
    """Write text to a file and read it."""

    def write_and_read(text):
        path = tmp_path / "c.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return yaml_file.read(path)

    return write_and_read


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("Off", "Off"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("2e-5", 2e-5),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-1.", -1.0),
        ("-.inf", -math.inf),
        ("3", 3),
        ("-3", -3),
        ("010", 10),
        ("08", 8),
        ("0o10", "0o10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ("nan", "nan"),
        ("e5", "e5"),
        ("'3'", "3"),
        ('"no"', "no"),
        ("[no, 1]", ["no", 1]),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(read, written, meant):
    value = read(f"key: {written}\n")[0]["key"]
    assert value == meant
    assert type(value) is type(meant)


def test_nan_is_a_number(read):
    assert math.isnan(read("key: .nan\n")[0]["key"])


def test_keys_that_look_like_yaml_1_1_switches_stay_text(read):
    assert read("no: 1\non: 2\n")[0] == {"no": 1, "on": 2}


def test_a_byte_order_mark_is_passed_over(read):
    assert read("\ufeffkey: 1\n")[0] == {"key": 1}


def test_lines_are_those_of_the_file(read):
    _, lines = read("# first\nhead:\n  dropout: 0\nfreeze:\n- layers: x\n- 2\n")
    assert lines == {
        ("head",): 2,
        ("head", "dropout"): 3,
        ("freeze",): 4,
        ("freeze", 0): 5,
        ("freeze", 0, "layers"): 5,
        ("freeze", 1): 6,
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: not valid YAML: the key 'a' stands twice; keep one"),
        ("a: {b: 1, b: 2}\n", "line 1, column 11: not valid YAML: the key 'b' stands twice; keep one"),
        ("1: 2\n", "line 1, column 1: not valid YAML: the key 1 is not text; put it in quotes"),
        ("a:\n  true: 2\n", "line 2, column 3: not valid YAML: the key True is not text; put it in quotes"),
        ("? [a]\n: b\n", "line 1, column 3: not valid YAML: the key ['a'] is not text; put it in quotes"),
        ("", "must hold keys and values, but is empty"),
        ("# nothing\n", "must hold keys and values, but is empty"),
        ("- a\n", "must hold keys and values, but holds ['a']"),
        ("text\n", "must hold keys and values, but holds 'text'"),
        (
            "a: [1\n",
            "line 2, column 1: not valid YAML: while parsing a flow sequence, "
            "expected ',' or ']', but got '<stream end>'",
        ),
        (
            "a:\n\tb: 1\n",
            "line 2, column 1: not valid YAML: while scanning for the next token, "
            r"found character '\t' that cannot start any token",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "line 2, column 1: not valid YAML: expected a single document in the stream, "
            "but found another document",
        ),
        (
            "a: \0\n",
            "not valid YAML: unacceptable character #x0000: special characters are not allowed "
            'in "<unicode string>", position 3',
        ),
        (
            b"a: \xff\n",
            "cannot be read: 'utf-8' codec can't decode byte 0xff in position 3: invalid start byte",
        ),
        ("a: !!int x1\n", "line 1, column 4: not valid YAML: 'x1' cannot be read as int"),
        ("a: !!bool maybe\n", "line 1, column 4: not valid YAML: 'maybe' cannot be read as bool"),
        (f"a: {'9' * 5000}\n", f"line 1, column 4: not valid YAML: '{'9' * 40}' cannot be read as int"),
        ("a: &x [*x]\n", "nested too deeply, or an alias that points into itself"),
        (f"a: {'[' * 3000}\n", "nested too deeply, or an alias that points into itself"),
    ],
)
def test_a_file_that_is_no_mapping_tells_why(read, text, problem):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.problems == (problem,)
    assert str(caught.value).splitlines()[0].endswith("c.yaml: 1 problem")


@pytest.mark.parametrize("tag", ["binary aGk=", "timestamp 2024-01-01", "set {x}", "omap [a: 1]"])
def test_types_beyond_the_core_schema_are_refused(read, tag):
    with pytest.raises(
        ConfigError, match=f"could not determine a constructor for the tag '.*:{tag.split()[0]}'"
    ):
        read(f"a: !!{tag}\n")


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.mkdir [CANARY]", "!!python/name:os.mkdir", "!!python/object:a.B {}"]
)
def test_python_tags_run_nothing(read, tmp_path, tag):
    canary = tmp_path / "canary"
    with pytest.raises(ConfigError, match=r"line 1, column 4: .*constructor for the tag '.*:python/"):
        read(f"a: {tag.replace('CANARY', str(canary))}\n")
    assert not canary.exists()


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.yaml"
    with pytest.raises(ConfigError) as caught:
        yaml_file.read(path)
    assert str(caught.value) == (
        f"{path}: 1 problem\n  cannot be read: [Errno 2] No such file or directory: '{path}'"
    )


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read: .*Is a directory"):
        yaml_file.read(tmp_path)


# PyYAML does not read back the odd line breaks that it writes itself.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029")
) | st.sampled_from(
    [
        "no",
        "1e5",
        "2e-5",
        "08",
        "010",
        "1:30",
        "2024-01-01",
        "~",
        "null",
        "true",
        ".nan",
        "=",
        "<<",
        "-",
        "1_0",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        TEXTS,
        st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=5),
    )
)
def test_what_is_written_is_read_back(tmp_path_factory, mapping):
    path = tmp_path_factory.mktemp("written") / "c.yaml"
    path.write_bytes(yaml_file.write(mapping).encode("utf-8"))
    assert repr(yaml_file.read(path)[0]) == repr(mapping)


@pytest.mark.parametrize(
    ("setting", "expected", "key"),
    [
        ("head.dropout=2e-5", {"head": {"dropout": 2e-5}}, ("head", "dropout")),
        ("new.section.key=no", {"new": {"section": {"key": "no"}}}, ("new", "section", "key")),
        ("optimizer.epsilon=1", {"optimizer": {"name": "adamw", "epsilon": 1}}, ("optimizer", "epsilon")),
        ("optimizer.name=sgd", {"optimizer": {"name": "sgd"}}, ("optimizer", "name")),
        ("optimizer={name: sgd}", {"optimizer": {"name": "sgd"}}, ("optimizer",)),
        ("callbacks.1=stop", {"callbacks": [{"name": "a"}, "stop"]}, ("callbacks", 1)),
        (
            "callbacks.0.patience=2",
            {"callbacks": [{"name": "a", "patience": 2}, "b"]},
            ("callbacks", 0, "patience"),
        ),
        ("callbacks.1.x=2", {"callbacks": [{"name": "a"}, {"name": "b", "x": 2}]}, ("callbacks", 1, "x")),
        ("callbacks=[]", {"callbacks": []}, ("callbacks",)),
        ("preset=package:a==1", {"preset": "package:a==1"}, ("preset",)),
        ("preset=hf://a/b", {"preset": "hf://a/b"}, ("preset",)),
        ("preset=", {"preset": None}, ("preset",)),
        ("preset='a: b'", {"preset": "a: b"}, ("preset",)),
    ],
)
def test_override_sets_one_place(setting, expected, key):
    start = {"optimizer": "adamw", "callbacks": [{"name": "a"}, "b"]}
    mapping = {"optimizer": "adamw", "callbacks": [{"name": "a"}, "b"]}
    assert yaml_file.override("c.yaml", mapping, setting) == key
    assert mapping == start | expected


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("epochs", "--set epochs: write it as key.of.setting=value"),
        ("=1", "--set =1: write it as key.of.setting=value"),
        ("a..b=1", "--set a..b=1: write it as key.of.setting=value"),
        (".a=1", "--set .a=1: write it as key.of.setting=value"),
        ("a.=1", "--set a.=1: write it as key.of.setting=value"),
        ("number.x=1", "--set number.x=1: number holds 3, which has no keys"),
        ("empty.x=1", "--set empty.x=1: empty holds None, which has no keys"),
        ("list.2=1", "--set list.2=1: the list has no item '2'; it has 2, counted from 0"),
        ("list.-1=1", "--set list.-1=1: the list has no item '-1'; it has 2, counted from 0"),
        ("list.a=1", "--set list.a=1: the list has no item 'a'; it has 2, counted from 0"),
        ("list.5.a=1", "--set list.5.a=1: the list has no item '5'; it has 2, counted from 0"),
        (
            "number=[1",
            "--set number=[1: the value is not valid YAML: while parsing a flow sequence, "
            "expected ',' or ']', but got '<stream end>'",
        ),
        (
            "number={a: 1, a: 2}",
            "--set number={a: 1, a: 2}: the value is not valid YAML: the key 'a' stands twice; keep one",
        ),
        (
            "number=relu\nother: 1",
            "--set number=relu\nother: 1: the value is not valid YAML: mapping values are not allowed here",
        ),
    ],
)
def test_a_malformed_override_is_named_and_changes_no_value(setting, problem):
    mapping = {"number": 3, "list": ["x", "y"], "empty": None}
    with pytest.raises(ConfigError) as caught:
        yaml_file.override("c.yaml", mapping, setting)
    assert str(caught.value) == f"c.yaml: 1 problem\n  {problem}"
    assert mapping == {"number": 3, "list": ["x", "y"], "empty": None}


def test_override_refuses_python_tags(tmp_path):
    canary = tmp_path / "canary"
    with pytest.raises(ConfigError, match=r"--set a=.*: the value is not valid YAML: could not determine"):
        yaml_file.override("c.yaml", {}, f"a=!!python/object/apply:os.mkdir ['{canary}']")
    assert not canary.exists()
