"""Ordered rules to trainable flags, and the table that shows what trains, and how fast.

A frozen layer also runs in inference mode: Keras's Dropout looks at `training`
only, never at `trainable`, and would feed noise to the layers above.
"""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import keras

from tfft.errors import SettingError


@dataclass(frozen=True)
class Group:
    """The layers of one depth.

    Attributes:
        name: `embeddings`, `block 3`, `pooler` or `head`.
        depth: 0 for the embeddings, then each block; pooler and head are one above the top block.
        layers: Keras layers.
    """

    name: str
    depth: int
    layers: Sequence[keras.layers.Layer]

    @property
    def variables(self) -> list[keras.Variable]:
        """The weights of all layers, each once."""
        return [variable for layer in self.layers for variable in layer.weights]


def apply(groups: Sequence[Group], rules: str | Sequence[tuple[str, bool]]) -> None:
    """Set the trainable flag of every variable and silence dropout where all is frozen.

    Args:
        groups: The backbone's layers from the input upward, without the head.
        rules: `none`, `all`, or (selector, trainable) pairs. The first that matches a
            variable decides; what none matches is trained.

    Raises:
        SettingError: A selector is not understood, or a rule matches nothing.
    """
    if isinstance(rules, str):
        rules = {"none": [], "all": [("name:*", False)]}[rules]
    names = [group.name for group in groups]
    selectors = [_selector(index, text, names) for index, (text, _) in enumerate(rules)]
    used: set[int] = set()
    shadowed: set[int] = set()
    for group in groups:
        for layer in group.layers:
            for variable in layer.weights:
                matching = [i for i, selects in enumerate(selectors) if selects(group, variable)]
                shadowed.update(matching[1:])
                if matching:
                    used.add(matching[0])
                    variable.trainable = rules[matching[0]][1]
            if layer.weights and not any(variable.trainable for variable in layer.weights):
                layer.trainable = False
        if all(not layer.trainable for layer in group.layers if layer.weights):
            _silence_dropout(group.layers)
    for index, (text, _) in enumerate(rules):
        if index in shadowed - used:
            raise SettingError(
                f"freeze.{index}.layers",
                text,
                "must decide something, but a rule before it decides all that it matches",
                fix="Move it up, or remove it.",
            )
        if index not in used:
            raise SettingError(
                f"freeze.{index}.layers",
                text,
                "must match at least one layer",
                fix=f"This model has {', '.join(names)}; the head always trains.",
            )


def table(groups: Iterable[Group], rate_of: dict[str, float]) -> list[dict[str, str | int | float]]:
    """Return a row for each group: layer, trainable and frozen parameters, peak learning rate.

    Args:
        groups: All layers, the head included.
        rate_of: Peak learning rate of each trainable variable, by its path.
    """
    rows: list[dict[str, str | int | float]] = []
    for group in groups:
        trainable = [variable for variable in group.variables if variable.trainable]
        rates = {rate_of[variable.path] for variable in trainable}
        rows.append(
            {
                "layer": group.name,
                "trainable": sum(_size(variable) for variable in trainable),
                "frozen": sum(_size(v) for v in group.variables if not v.trainable),
                "learning_rate": max(rates) if rates else 0.0,
            }
        )
    return rows


def _selector(index: int, text: str, names: Sequence[str]):
    """Return the function (group, variable) -> whether the selector `text` means it."""
    if text in ("embeddings", "pooler"):
        return lambda group, variable: group.name == text
    if match := re.fullmatch(r"blocks? (\d+)(?:-(\d+))?", text):
        first, last = int(match[1]), int(match[2] or match[1])
        wanted = {f"block {number}" for number in range(first, last + 1)}
        if wanted <= set(names):
            return lambda group, variable: group.name in wanted
        blocks = sum(name.startswith("block ") for name in names)
        raise SettingError(
            f"freeze.{index}.layers",
            text,
            "must name blocks that the model has",
            fix=f"It has blocks 0-{blocks - 1}.",
        )
    if text.startswith("name:"):
        pattern = text.removeprefix("name:")
        return lambda group, variable: fnmatch.fnmatchcase(variable.path, pattern)
    raise SettingError(
        f"freeze.{index}.layers",
        text,
        "must be embeddings, block N, blocks N-M, pooler or name:PATTERN",
        fix=f"This model has {', '.join(names)}.",
    )


def _silence_dropout(layers: Iterable[keras.layers.Layer]) -> None:
    for layer in layers:
        for inner in layer._flatten_layers():
            if isinstance(inner, keras.layers.Dropout):
                inner.rate = 0.0


def _size(variable: keras.Variable) -> int:
    size = 1
    for length in variable.shape:
        size *= length
    return size
