"""What every optimizer hands to Keras: all that matters, at values from the literature."""

import inspect

import keras
import pytest

from tests.optimizers import each
from tfft import learning_rates, plugins

NAMES = plugins.names("optimizers")
every_name = each(NAMES, "name")

# Where each default comes from stands in the file of the optimizer.
DEFAULTS = {
    "adafactor": {
        "beta_2_decay": -0.8, "epsilon_1": 1e-30, "epsilon_2": 1e-3, "clip_threshold": 1.0,
        "relative_step": False, "weight_decay": 0.0, "global_clipnorm": None,
    },
    "adam": {
        "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "amsgrad": False,
        "weight_decay": None, "global_clipnorm": 1.0,
    },
    "adamw": {
        "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-6, "amsgrad": False,
        "weight_decay": 0.01, "global_clipnorm": 1.0,
    },
    "lamb": {
        "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-6, "weight_decay": 0.01, "global_clipnorm": 1.0,
    },
    "lion": {"beta_1": 0.9, "beta_2": 0.99, "weight_decay": 0.1, "global_clipnorm": 1.0},
    "muon": {
        "momentum": 0.95, "nesterov": True, "ns_steps": 5, "muon_a": 3.4445, "muon_b": -4.775,
        "muon_c": 2.0315, "rms_rate": 0.2, "adam_lr_ratio": 1.0, "adam_beta_1": 0.9, "adam_beta_2": 0.999,
        "epsilon": 1e-6, "weight_decay": 0.01, "adam_weight_decay": 0.01, "exclude_embeddings": True,
        "exclude_layers": ["(^|/)logits/", "(^|/)bias$"], "global_clipnorm": 1.0,
    },
    "rmsprop": {
        "rho": 0.9, "momentum": 0.0, "epsilon": 1e-16, "centered": False,
        "weight_decay": 0.0, "global_clipnorm": 1.0,
    },
    "sgd": {"momentum": 0.9, "nesterov": False, "weight_decay": 0.0, "global_clipnorm": 1.0},
}  # fmt: skip
KERAS_CLASSES = {
    "adafactor": "Adafactor", "adam": "Adam", "adamw": "AdamW", "lamb": "Lamb",
    "lion": "Lion", "muon": "Muon", "rmsprop": "RMSprop", "sgd": "SGD",
}  # fmt: skip

# Parts of Keras's optimizers that tfft does not use, and that are off by default.
UNUSED = {
    "clipnorm", "clipvalue", "use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor",
    "gradient_accumulation_steps", "name", "kwargs",
}  # fmt: skip


def arguments(name, **settings):
    """Return the Keras class that the plug-in takes, and what it hands to it."""
    taken = []

    def layerwise(optimizer_class):
        taken.append(optimizer_class)
        return lambda rate, **rest: {"learning_rate": rate, **rest}

    found = plugins.load("optimizers", name)(layerwise, 0.1, **settings)
    return taken[0], found


def defaults(name):
    """Return the settings that a plug-in takes, with their defaults."""
    parameters = inspect.signature(plugins.load("optimizers", name)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


@every_name
def test_the_defaults_are_those_of_the_literature_not_of_keras(name):
    optimizer_class, found = arguments(name)
    assert optimizer_class is getattr(keras.optimizers, KERAS_CLASSES[name])
    assert found == {"learning_rate": 0.1, **DEFAULTS[name]}


@every_name
def test_nothing_is_left_to_keras(name):
    optimizer_class, found = arguments(name)
    assert set(inspect.signature(optimizer_class).parameters) - UNUSED == set(found)


@every_name
def test_every_setting_reaches_keras(name):
    for key in defaults(name):
        check_that_a_setting_reaches_keras(name, key)


def check_that_a_setting_reaches_keras(name, key):
    usual = defaults(name)[key]
    if usual is None:
        usual = 1.0  # a clip_norm that is off
    other = (
        not usual if isinstance(usual, bool) else usual + 1 if isinstance(usual, int) else usual / 2 or 0.5
    )
    before, after = arguments(name)[1], arguments(name, **{key: other})[1]
    changed = {argument: value for argument, value in after.items() if value != before[argument]}
    assert set(changed.values()) == {other}
    # Keras's Muon has a decay for each of its two kinds of step.
    assert len(changed) == (2 if (name, key) == ("muon", "weight_decay") else 1)


@every_name
def test_clipping_and_the_bounds_of_the_settings(name):
    model = plugins.settings("optimizers", name)
    assert model(name=name, clip_norm=None).clip_norm is None
    assert arguments(name, clip_norm=None)[1]["global_clipnorm"] is None
    for key in defaults(name):
        if isinstance(defaults(name)[key], bool):
            continue
        with pytest.raises(ValueError, match=f"(?s)1 validation error.*{key}"):
            model(name=name, **{key: 0 if key in ("beta_2_decay", "newton_schulz_steps") else -1.0})


@every_name
def test_keras_takes_the_defaults(name):
    optimizer = plugins.load("optimizers", name)(learning_rates.layerwise, 0.1)
    assert isinstance(optimizer, getattr(keras.optimizers, KERAS_CLASSES[name]))
    config = optimizer.get_config()
    for key, value in DEFAULTS[name].items():
        assert config[key] == value
