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
    yaml_constructors = {
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (
            *(f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "null", "str", "seq", "map")),
            None,
        )
    }

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, KeyError):  # `!!bool maybe`, or a whole number of 5000 digits
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"{node.value[:40]!r} cannot be read as {kind}", node.start_mark
            ) from None

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


# Not PyYAML's own, to which 010 is eight and 08 nothing at all.
def _whole_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


class _Dumper(yaml.SafeDumper):
    """Quotes all text that YAML 1.1 or 1.2 would read as something else."""


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
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
        )


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
    try:
        mapping, lines = yaml.load(text, _Loader), _lines(text)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(path, [f"{place}not valid YAML: {_problem(error)}"]) from error
    except RecursionError:
        raise ConfigError(path, ["nested too deeply, or an alias that points into itself"]) from None
    if not isinstance(mapping, dict):
        holds = "is empty" if mapping is None else f"holds {mapping!r:.60}"
        raise ConfigError(path, [f"must hold keys and values, but {holds}"])
    return mapping, lines


def write(mapping: dict[str, Any]) -> str:
    """Return YAML that `read` takes for the same content."""
    return yaml.dump(mapping, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _problem(error: yaml.YAMLError) -> str:
    """Return what PyYAML says, on one line."""
    if not (problem := getattr(error, "problem", None)):
        return " ".join(str(error).split())
    context = getattr(error, "context", None)
    return f"{context}, {problem}" if context else problem


def override(path: Path, mapping: dict[str, Any], setting: str) -> tuple:
    """Replace one value of a parsed file.

    Args:
        path: The file, for the error's text.
        mapping: Its content, changed in place.
        setting: `a.b=value`, the value in YAML; a list's items are named by number.

    Returns:
        The key that was set, as in `read`.

    Raises:
        ConfigError: The place does not exist or the value is not YAML.
    """
    key, equals, text = setting.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigError(path, [f"--set {setting}: write it as key.of.setting=value"])
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(
            path, [f"--set {setting}: the value is not valid YAML: {_problem(error)}"]
        ) from error
    place: Any = mapping
    found: list[str | int] = []
    *parents, last = key.split(".")
    for name in parents:
        found.append(_step(path, setting, place, name))
        below = place.setdefault(name, {}) if isinstance(place, dict) else place[found[-1]]
        if isinstance(below, str):  # `optimizer: adamw` is short for `{name: adamw}`
            below = place[found[-1]] = {"name": below}
        if not isinstance(below, (dict, list)):
            raise ConfigError(path, [f"--set {setting}: {name} holds {below!r}, which has no keys"])
        place = below
    found.append(_step(path, setting, place, last))
    place[found[-1]] = value
    return tuple(found)


def _step(path: Path, setting: str, place: dict | list, name: str) -> str | int:
    """Return what `name` is in `place`: a key, or the number of an item."""
    if isinstance(place, dict):
        return name
    if name.isdecimal() and int(name) < len(place):
        return int(name)
    has = f"it has {len(place)}, counted from 0"
    raise ConfigError(path, [f"--set {setting}: the list has no item {name!r}; {has}"])


def _lines(text: str) -> dict[tuple, int]:
    """Return the line on which each key stands."""
    found: dict[tuple, int] = {}

    def visit(node: yaml.Node | None, key: tuple) -> None:
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                below = (*key, name.value)
                found[below] = name.start_mark.line + 1
                visit(value, below)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                below = (*key, index)
                found[below] = value.start_mark.line + 1
                visit(value, below)

    visit(yaml.compose(text, _Loader), ())
    return found
