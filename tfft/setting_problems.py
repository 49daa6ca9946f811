"""What is wrong with the settings, in the user's words: pydantic's errors, told by the user's keys."""

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

_TYPES = {
    "bool_type": "must be true or false",
    "dict_type": "must hold keys and values",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must hold keys and values",
    "string_type": "must be text",
}
_PHRASES = {
    "Input should be": "must be",
    "String should": "must",
    "List should": "must",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "above",
    "less than": "below",
}


def describe(
    error: ValidationError, model: type[BaseModel], mapping: Any, lines: Mapping[tuple, int]
) -> list[str]:
    """Return one line for each wrong key; the branches of a choice are joined by "or".

    Args:
        error: What pydantic raised.
        model: The class that was to be filled.
        mapping: What it was to be filled with.
        lines: Line of each key in the user's file.
    """
    by_key: dict[tuple, list[str]] = {}
    for detail in error.errors(include_url=False):
        key = _key(detail, mapping)
        message = _message(detail, model, key, mapping)
        if message not in by_key.setdefault(key, []):
            by_key[key].append(message)
    problems = []
    for key, messages in by_key.items():
        # A fault further in means that the branch which names it has the right shape.
        if any(len(other) > len(key) and other[: len(key)] == key for other in by_key):
            continue
        first, *others = messages
        message = " or ".join([first, *(other.removeprefix("must be ") for other in others)])
        got = f", got {_shown(_at(mapping, key))}" if first.startswith("must") else ""
        if message == "must be text" and isinstance(_at(mapping, key), (bool, int, float)):
            got += "; put it in quotes"
        stands = key[:-1] if first.startswith("is missing") else key
        problems.append(f"{'.'.join(map(str, key))}{line(stands, lines)}: {message}{got}")
    return problems


def line(key: tuple, lines: Mapping[tuple, int]) -> str:
    """Return ` (line 3)`, or nothing for a key that does not stand in the file."""
    return f" (line {lines[key]})" if key in lines else ""


def _key(detail: Any, mapping: Any) -> tuple:
    """Return where an error stands in the user's file: pydantic also names the branch it tried."""
    key, place = [], mapping
    for part in detail["loc"]:
        if (isinstance(place, dict) and part in place) or (
            isinstance(place, list) and isinstance(part, int) and part < len(place)
        ):
            key.append(part)
            place = place[part]
    if detail["type"] == "missing":
        key.append(detail["loc"][-1])
    elif detail["type"] == "union_tag_invalid" and isinstance(place, dict):
        key.append("name")
    return tuple(key)


def _message(detail: Any, model: type[BaseModel], key: tuple, mapping: Any) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "is missing, and has no default"
    if kind == "extra_forbidden":
        known = _known_keys(model, key[:-1], mapping)
        near = difflib.get_close_matches(str(key[-1]), known, n=1)
        return (
            f"unknown key. Did you mean {near[0]}?"
            if near
            else f"unknown key. Known here: {', '.join(known)}."
        )
    if kind == "union_tag_invalid":
        expected = [name.strip("'") for name in context["expected_tags"].split(", ")]
        near = difflib.get_close_matches(str(context["tag"]), expected, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"unknown name {context['tag']!r}. Known: {', '.join(expected)}.{hint}"
    if kind == "union_tag_not_found":
        return "needs the key `name`"
    if kind in _TYPES:
        return _TYPES[kind]
    message = detail["msg"]
    for phrase, ours in _PHRASES.items():
        message = message.replace(phrase, ours)
    return message


def _known_keys(model: type[BaseModel], key: Iterable, mapping: Any) -> list[str]:
    place, candidates, default = mapping, [model], None
    for part in key:
        place = place[part]
        if isinstance(part, str):
            field = model.model_fields[part]
            candidates, default = list(_models(field.annotation, field.metadata)), field.default
        chosen = place.get("name", default) if isinstance(place, dict) else None
        named = [
            c
            for c in candidates
            if "name" in c.model_fields and get_args(c.model_fields["name"].annotation) == (chosen,)
        ]
        model = (named or candidates)[0]
    return list(model.model_fields)


def _models(annotation: Any, metadata: Iterable = ()) -> Iterable[type[BaseModel]]:
    """Yield the settings classes inside a type such as `list[Annotated[A | B, …]]`."""
    if get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _shown(value: Any) -> str:
    """Return a value about as it stands in the file, and not all of a long one."""
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 120 else text[:119] + "…"


def _at(mapping: Any, key: tuple) -> Any:
    for part in key:
        mapping = mapping[part]
    return mapping
