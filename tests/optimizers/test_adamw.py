"""Tests of tfft/optimizers/adamw.py; the arithmetic is tested in test_learning_rates.py."""

import pytest

from tfft.optimizers import adamw


def build(**settings):
    made = {}

    def layerwise(optimizer_class):
        made["class"] = optimizer_class
        return lambda rate, **arguments: {"rate": rate, **arguments}

    return adamw.build(layerwise, 0.1, **settings), made["class"]


def test_the_defaults_are_those_of_the_literature_not_of_keras():
    arguments, optimizer_class = build()
    assert optimizer_class.__name__ == "AdamW"
    assert arguments == {
        "rate": 0.1,
        "weight_decay": 0.01,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-6,
        "global_clipnorm": 1.0,
    }


@pytest.mark.parametrize(
    ("key", "argument", "value"),
    [("weight_decay", "weight_decay", 0.5), ("beta_1", "beta_1", 0.8), ("beta_2", "beta_2", 0.98),
     ("epsilon", "epsilon", 1e-8), ("clip_norm", "global_clipnorm", None)],
)  # fmt: skip
def test_every_setting_reaches_keras(key, argument, value):
    assert build(**{key: value})[0][argument] == value
