"""Ordered rules to trainable flags, and the table that shows what trains, and how fast.

A frozen layer also runs in inference mode: Keras's Dropout looks at `training`
only, never at `trainable`, and would feed noise to the layers above.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import keras

from tfft.layer_groups import Group, first_match, refuse_idle

Rules = Sequence[tuple[str, bool]]
"""Selector and whether what it selects trains; the first that matches a variable decides."""

NAMED: Mapping[str, Rules] = {
    "none": (),
    "all": (("name:*", False),),
    # Ben Zaken et al. 2022, "BitFit", section 3. https://arxiv.org/abs/2106.10199
    "all_but_biases": (("name:*bias", True), ("name:*beta", True), ("name:*", False)),
}
"""The rules behind each word that `freeze` takes. BERT's norms call their bias beta."""


def decide(groups: Sequence[Group], rules: Rules, then: Rules = ()) -> dict[str, bool]:
    """Return for the path of every variable of the backbone whether it trains.

    Args:
        groups: The backbone's layers from the input upward, without the head.
        rules: Those that the config spells out; each must decide something.
        then: Those that follow of themselves. What no rule matches is trained.

    Raises:
        SettingError: A selector is not understood, or a rule decides nothing.
    """
    all_rules = [*rules, *then]
    keys = [f"freeze.{index}.layers" for index in range(len(all_rules))]
    texts = [text for text, _ in all_rules]
    found = first_match(keys, texts, groups)
    refuse_idle(keys[: len(rules)], texts[: len(rules)], found, groups)
    return {
        variable.path: all_rules[found[variable.path]][1] if variable.path in found else True
        for group in groups
        for variable in group.variables
    }


def apply(groups: Iterable[Group], trains: Mapping[str, bool]) -> None:
    """Set the trainable flag of every variable, and silence dropout where all of a group is frozen.

    May be called again and again: a group that thaws gets its dropout back.

    Args:
        groups: Any of the model's layers.
        trains: Whether a variable trains, by its path.
    """
    for group in groups:
        for layer in group.layers:
            layer.trainable = True  # of all inside; a flag below the top alone would not count
            for variable in layer.weights:
                variable.trainable = trains[variable.path]
            if layer.weights and not any(trains[variable.path] for variable in layer.weights):
                layer.trainable = False
        frozen = not any(trains[variable.path] for variable in group.variables)
        for dropout, rate in group.dropouts:
            dropout.rate = 0.0 if frozen else rate


def table(
    groups: Iterable[Group], trains: Mapping[str, bool], rate_of: Mapping[str, float]
) -> list[dict[str, str | int | float]]:
    """Return a row for each group: layer, trainable and frozen parameters, lowest and highest peak rate.

    Args:
        groups: All layers, the head included.
        trains: Whether a variable trains, by its path.
        rate_of: Peak learning rate of each variable, by its path.
    """
    rows: list[dict[str, str | int | float]] = []
    for group in groups:
        trainable = [variable for variable in group.variables if trains[variable.path]]
        rates = [rate_of[variable.path] for variable in trainable] or [0.0]
        rows.append(
            {
                "layer": group.name,
                "trainable": sum(map(_size, trainable)),
                "frozen": sum(_size(v) for v in group.variables if not trains[v.path]),
                "learning_rate": max(rates),
                "lowest_learning_rate": min(rates),
            }
        )
    return rows


def _size(variable: keras.Variable) -> int:
    return math.prod(variable.shape)
