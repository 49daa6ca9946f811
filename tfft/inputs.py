"""The columns that a model reads, and how they make the one text, or two, that its tokenizer cuts.

One text is `text` wherever it is asked for, two are `text_a` and `text_b`, whatever
their columns are called; columns that a template joins keep their names. The
joining is part of the exported graph, so that a client sends what a file holds.
"""

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfft.errors import SettingError


@dataclass(frozen=True)
class Inputs:
    """What a row gives to the model.

    Attributes:
        columns: Name in the signature of each input, and of its column in a file.
        texts: One text, or two, as templates over those names: `{title}: {body}`.
    """

    columns: Mapping[str, str]
    texts: tuple[str, ...]

    def join(self, fields: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the texts, strings `[N]` each, of the inputs, strings `[N]` each."""
        return tuple(_filled(template, fields) for template in self.texts)


def read(written: str | Sequence[str]) -> Inputs:
    """Return the inputs that a config names.

    Args:
        written: The name of a column, a template such as `{title}: {body}`, or two of those.

    Raises:
        SettingError: A template is broken, or two columns would have one name.
    """
    parts = [written] if isinstance(written, str) else list(written)
    columns: dict[str, str] = {}
    texts = []
    for number, part in enumerate(parts):
        if "{" in part or "}" in part:
            named = {field: re.sub(r"\W", "_", field) for field in _fields(part)}
            template = "".join(
                _escaped(literal) + ("" if field is None else f"{{{named[field]}}}")
                for literal, field, _, _ in string.Formatter().parse(part)
            )
        else:
            named = {part: "text" if len(parts) == 1 else "text_" + "ab"[number]}
            template = f"{{{named[part]}}}"
        for column, name in named.items():
            if columns.setdefault(name, column) != column:
                raise SettingError(
                    "data.text_column",
                    part,
                    f"must not give two columns, {columns[name]!r} and {column!r}, the one name {name!r}",
                    fix="Rename a column.",
                )
        texts.append(template)
    return Inputs(columns, tuple(texts))


def _fields(template: str) -> list[str]:
    try:
        parsed = [(field, spec, how) for _, field, spec, how in string.Formatter().parse(template)]
    except ValueError as error:
        raise _broken(template, str(error)) from error
    fields = [field for field, _, _ in parsed if field is not None]
    if not fields or not all(field.strip() for field in fields):
        raise _broken(template, "it names no column")
    if any(spec or how for _, spec, how in parsed):
        raise _broken(template, "it formats a value")
    return fields


def _broken(template: str, reason: str) -> SettingError:
    return SettingError(
        "data.text_column",
        template,
        f"must be a template such as '{{title}}: {{body}}' ({reason})",
        fix="Double a brace that is text, as in {{.",
    )


def _escaped(literal: str) -> str:
    return literal.replace("{", "{{").replace("}", "}}")


def _filled(template: str, fields: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    parts: list[Any] = []
    for literal, field, _, _ in string.Formatter().parse(template):
        parts += [literal] if literal else []
        parts += [fields[field]] if field is not None else []
    return tf.strings.join(parts) if len(parts) > 1 else parts[0]
