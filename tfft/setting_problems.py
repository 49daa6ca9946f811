"""What is wrong with the settings, in the user's words: pydantic's errors, told by the user's keys."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


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
        line = f" (line {lines[key]})" if key in lines else ""
        got = f", got {_at(mapping, key)!r}" if messages[0].startswith("must") else ""
        problems.append(f"{'.'.join(map(str, key))}{line}: {' or '.join(messages)}{got}")
    return problems


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
        return f"no {context['discriminator'].strip(chr(39))} {context['tag']!r}. Known: {', '.join(expected)}.{hint}"
    if kind == "union_tag_not_found":
        return "needs the key `name`"
    message = detail["msg"]
    for begin in ("Input should be", "String should", "List should"):
        message = message.replace(begin, "must be" if begin.endswith("be") else "must")
    return message


def _known_keys(model: type[BaseModel], key: Iterable, mapping: Any) -> list[str]:
    place = mapping
    for part in key:
        place = place[part]
        if isinstance(part, int):
            continue
        candidates = list(_models(model.model_fields[part].annotation, model.model_fields[part].metadata))
        chosen = place["name"] if isinstance(place, dict) and "name" in place else None
        named = [
            c
            for c in candidates
            if "name" in c.model_fields and get_args(c.model_fields["name"].annotation) == (chosen,)
        ]
        model = (named or candidates)[0]
    return list(model.model_fields)


def _models(annotation: Any, metadata: Iterable = ()) -> Iterable[type[BaseModel]]:
    """Yield the settings classes inside a type such as `list[Annotated[A | B, …]]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _at(mapping: Any, key: tuple) -> Any:
    for part in key:
        mapping = mapping[part]
    return mapping
