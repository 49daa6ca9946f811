"""Dropout rates of a backbone by their place: in the embeddings, in the attention, in all else.

KerasHub's constructors take one rate for all, where checkpoints have two and a small
data set may want three. So the layers are found by their place and set.

In the attention of BERT's kin and of GPT-2 the dropout falls on the probabilities. KerasHub's
Llama, Mistral, Phi-3 and Qwen have theirs on what the attention gives, and Bloom has one
for both; these follow `attention` too.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from tfft.errors import SettingError

PLACES = ("embeddings", "attention", "hidden")

_PLACEHOLDER = 0.1
_ARGUMENTS = ("dropout", "attention_dropout_rate", "feedforward_dropout_rate", "attention_dropout")


def positive(backbone: type[keras.Model], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a backbone's constructor with every dropout rate above 0.

    Keras gives a Dropout that is made with rate 0 no seed, so that it could not be raised later.
    """
    known = inspect.signature(backbone.__init__).parameters
    rates = {name: arguments.get(name) or _PLACEHOLDER for name in _ARGUMENTS if name in known}
    return {**arguments, **rates}


def from_arguments(arguments: Mapping[str, float]) -> dict[str, float]:
    """Return the rate of each place that a constructor's arguments mean."""
    rate = arguments.get("dropout", arguments.get("feedforward_dropout_rate", 0.0))
    attention = arguments.get("attention_dropout_rate", arguments.get("attention_dropout", rate))
    return {"embeddings": rate, "attention": attention, "hidden": rate}


def chosen(
    asked: float | Mapping[str, float | None] | None, checkpoint: Mapping[str, float], model: keras.Model
) -> dict[str, float]:
    """Return the rate of each place where the backbone has a dropout.

    Args:
        asked: One rate for all places, rates by place, or None for the checkpoint's.
        checkpoint: The rates that the checkpoint was trained with.
        model: The backbone.

    Raises:
        SettingError: A rate is asked for where the backbone has none.
    """
    there = {place for place, _ in _dropouts(model)}
    if not isinstance(asked, Mapping):
        if asked and not there:
            raise SettingError(
                "backbone.dropout",
                asked,
                f"must be left out, for {type(model).__name__} has no dropout",
                fix="Use head.dropout, or remove the key.",
            )
        asked = dict.fromkeys(there, asked)
    rates = dict(checkpoint)
    for place, rate in asked.items():
        if rate is None:
            continue
        if place not in there:
            raise SettingError(
                f"backbone.dropout.{place}",
                rate,
                f"must be left out, for {type(model).__name__} has no dropout there",
                fix=f"It has dropout in: {', '.join(p for p in PLACES if p in there) or 'no part'}.",
            )
        rates[place] = rate
    return {place: rates[place] for place in PLACES if place in there}


def apply(rates: Mapping[str, float], model: keras.Model) -> None:
    """Set the rate of every dropout of a backbone that was built with `positive` arguments."""
    for place, layer in _dropouts(model):
        layer.rate = rates[place]
    for layer in model._flatten_layers():
        if not _is_attention(layer):
            continue
        for name in ("dropout", "_dropout"):
            # Attention layers ask their own number, too, whether they may take the fused way.
            if isinstance(vars(layer).get(name), (int, float)):
                setattr(layer, name, rates.get("attention", 0.0))


def _dropouts(model: keras.Model) -> Iterator[tuple[str, keras.layers.Dropout]]:
    """Yield each dropout with its place."""
    seen: set[int] = set()
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            yield "embeddings", layer  # in a block they lie deeper
            continue
        yield from _inside(layer, "hidden", seen)


def _inside(
    layer: keras.layers.Layer, place: str, seen: set[int]
) -> Iterator[tuple[str, keras.layers.Dropout]]:
    for child in layer._flatten_layers(include_self=False, recursive=False):
        if isinstance(child, keras.layers.Dropout):
            if id(child) not in seen:
                seen.add(id(child))
                yield place, child
        else:
            yield from _inside(child, "attention" if _is_attention(child) else place, seen)


def _is_attention(layer: keras.layers.Layer) -> bool:
    return "Attention" in type(layer).__name__ and "Encoder" not in type(layer).__name__
