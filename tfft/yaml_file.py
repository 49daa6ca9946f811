"""YAML as people mean it: `no` is text, `2e-5` is a number, a key stands once.

That is YAML 1.2's core schema; PyYAML follows 1.1, where `no` is false, `2e-5`
is text, `1:30` is ninety, and of two equal keys the last one wins in silence
(https://github.com/yaml/pyyaml/issues/173, https://github.com/yaml/pyyaml/issues/165).
"""

import re
from pathlib import Path
from typing import Any

import yaml

from tfft.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of plain values: `no` is text, `2e-5` is a number, a key stands once."""

    yaml_implicit_resolvers: dict = {}

    def construct_mapping(self, node, deep=False):
        seen: set = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is not text; put it in quotes", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice; keep one", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def read(path: Path) -> tuple[dict[str, Any], dict[tuple, int]]:
    """Return a file's content, and the line on which each of its keys stands.

    Args:
        path: A YAML file in UTF-8 that holds a mapping.

    Returns:
        The mapping; and line numbers from 1 by key, ("optimizer", "name") or ("freeze", 0).

    Raises:
        ConfigError: The file cannot be read, is not YAML, or has a key twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, [f"cannot be read: {error}"]) from error
    return _parse(path, text), _lines(text)


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        mapping = yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(path, [f"{place}not valid YAML: {problem}"]) from error
    if not isinstance(mapping, dict):
        raise ConfigError(path, [f"must hold keys and values, holds {type(mapping).__name__}"])
    return mapping


def override(path: Path, mapping: dict[str, Any], setting: str) -> None:
    """Replace one value of a parsed file.

    Args:
        path: The file, for the error's text.
        mapping: Its content, changed in place.
        setting: `a.b=value`, the value in YAML; a list's items are named by number.

    Raises:
        ConfigError: The place does not exist or the value is not YAML.
    """
    key, equals, text = setting.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigError(path, [f"--set {setting}: write it as key.of.setting=value"])
    value = _parse(path, f"value: {text}")["value"]
    *parents, last = key.split(".")
    place: Any = mapping
    for name in parents:
        below = place.setdefault(name, {}) if isinstance(place, dict) else _item(place, name)
        if isinstance(below, str):  # `optimizer: adamw` is short for `{name: adamw}`
            below = place[name if isinstance(place, dict) else int(name)] = {"name": below}
        if not isinstance(below, (dict, list)):
            raise ConfigError(path, [f"--set {setting}: {name} holds {below!r}, which has no keys"])
        place = below
    if isinstance(place, dict):
        place[last] = value
    elif last.isdecimal() and int(last) < len(place):
        place[int(last)] = value
    else:
        raise ConfigError(path, [f"--set {setting}: the list has no item {last!r}"])


def _item(place: list, name: str) -> Any:
    return place[int(name)] if name.isdecimal() and int(name) < len(place) else None


def _lines(text: str) -> dict[tuple, int]:
    """Return the line on which each key stands."""
    found: dict[tuple, int] = {}

    def visit(node: yaml.Node, key: tuple) -> None:
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                found[(*key, name.value)] = name.start_mark.line + 1
                visit(value, (*key, name.value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                found[(*key, index)] = value.start_mark.line + 1
                visit(value, (*key, index))

    visit(yaml.compose(text, _Loader), ())
    return found
