"""The layers of a model by depth, and the words that select some of them.

Freezing and learning rates are both set by ordered rules over these groups.
"""

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import keras

from tfft.errors import SettingError

HEAD = "head"
"""Name of the group that every classifier has on top."""


@dataclass(frozen=True)
class Group:
    """The layers of one depth.

    Attributes:
        name: `embeddings`, `block 3`, `pooler` or `head`.
        depth: 0 for the embeddings, then each block; pooler and head are one above the top block.
        layers: Keras layers.
        dropouts: Each dropout layer inside of them with the rate it was built with.
    """

    name: str
    depth: int
    layers: Sequence[keras.layers.Layer]
    dropouts: Sequence[tuple[keras.layers.Dropout, float]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        inner = [inner for layer in self.layers for inner in layer._flatten_layers()]
        found = [(layer, layer.rate) for layer in inner if isinstance(layer, keras.layers.Dropout)]
        object.__setattr__(self, "dropouts", found)

    @property
    def variables(self) -> list[keras.Variable]:
        """The weights of all layers, each once."""
        return [variable for layer in self.layers for variable in layer.weights]


Selector = Callable[[Group, keras.Variable], bool]


def selector(key: str, text: str, groups: Sequence[Group]) -> Selector:
    """Return the function that tells whether a selector means a variable of a group.

    Args:
        key: The setting that holds the selector, for errors.
        text: `embeddings`, `block 3`, `blocks 0-2`, `pooler`, `head`, or `name:PATTERN` with
            shell wildcards, matched against the variable's path.
        groups: Those of the model.

    Raises:
        SettingError: It is not understood, or names blocks that the model does not have.
    """
    if text in ("embeddings", "pooler", HEAD):
        return lambda group, variable: group.name == text
    if match := re.fullmatch(r"blocks? (\d+)(?:-(\d+))?", text):
        first, last = int(match[1]), int(match[2] or match[1])
        wanted = {f"block {number}" for number in range(first, last + 1)}
        if wanted and wanted <= {group.name for group in groups}:
            return lambda group, variable: group.name in wanted
        raise SettingError(
            key,
            text,
            "must name blocks that the model has",
            fix=f"It has blocks 0-{blocks(groups) - 1}.",
        )
    if text.startswith("name:"):
        pattern = text.removeprefix("name:")
        return lambda group, variable: fnmatch.fnmatchcase(variable.path, pattern)
    raise SettingError(
        key,
        text,
        "must be embeddings, block N, blocks N-M, pooler, head or name:PATTERN",
        fix=f"This model has {names(groups)}.",
    )


def first_match(keys: Sequence[str], texts: Sequence[str], groups: Sequence[Group]) -> dict[str, int]:
    """Return for each variable's path the number of the first selector that means it.

    Args:
        keys: The setting that holds each selector, for errors.
        texts: Selectors in order.
        groups: Those whose variables are asked for. A variable that no selector means is left out.

    Raises:
        SettingError: A selector is not understood.
    """
    selectors = [selector(key, text, groups) for key, text in zip(keys, texts, strict=True)]
    found: dict[str, int] = {}
    for group in groups:
        for variable in group.variables:
            for index, selects in enumerate(selectors):
                if selects(group, variable):
                    found.setdefault(variable.path, index)
    return found


def refuse_idle(
    keys: Sequence[str], texts: Sequence[str], found: Mapping[str, int], groups: Sequence[Group]
) -> None:
    """Refuse a selector that decides nothing.

    Args:
        keys: As in `first_match`.
        texts: As in `first_match`.
        found: What that returned.
        groups: Those whose variables were asked for.

    Raises:
        SettingError: One matches no variable, or only such as a selector before it has taken.
    """
    for index, (key, text) in enumerate(zip(keys, texts, strict=True)):
        if index in found.values():
            continue
        selects = selector(key, text, groups)
        if any(selects(group, variable) for group in groups for variable in group.variables):
            raise SettingError(
                key,
                text,
                "must decide something, but a rule before it decides all that it matches",
                fix="Move it up, or remove it.",
            )
        raise SettingError(key, text, "must match at least one layer", fix=f"There are {names(groups)}.")


def blocks(groups: Sequence[Group]) -> int:
    """Return the number of transformer blocks."""
    return sum(group.name.startswith("block ") for group in groups)


def names(groups: Sequence[Group]) -> str:
    """Return the names of the groups, for a message."""
    return ", ".join(group.name for group in groups)
