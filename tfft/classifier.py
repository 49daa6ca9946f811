"""All that answers, put together from a preset or from what a run kept.

Text to token ids, ids to a vector, the vector to logits, logits to an answer.
Besides `run.py` this is the one file that knows other steps: it joins the parts
of the model, as `run.py` joins the parts of the story.
"""

import functools
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfft import backbone, head, plugins, preprocessor, saved_model
from tfft.errors import RunError, SettingError
from tfft.freezing import Group
from tfft.tasks import Task

_log = logging.getLogger("tfft")


@dataclass(frozen=True)
class Classifier:
    """A model with all that turns text into its inputs and its outputs into an answer.

    Attributes:
        preprocessor: Text to the backbone's inputs.
        encoder: The inputs to one vector a row.
        head: The vector to logits.
        whole: The inputs to logits; it shares the layers of `encoder` and `head`.
        groups: The encoder's layers from the input upward.
        task: What the logits mean.
        labels: Names in the order of their ids.
        description: All but vocabulary and weights, ready for JSON.
    """

    preprocessor: preprocessor.Preprocessor
    encoder: keras.Model
    head: keras.Model
    whole: keras.Model
    groups: Sequence[Group]
    task: Task
    labels: tuple[str, ...]
    description: Mapping[str, Any]

    @property
    def top(self) -> int:
        """The depth of the head; BERT's pooler, where it is used, has the same."""
        return self.description["backbone"]["num_layers"] + 1

    @functools.cached_property
    def serve(self) -> tf.types.experimental.PolymorphicFunction:
        """The function from strings `[N]` to the task's answer."""
        return saved_model.signature(self.preprocessor, self.whole, self.task.answer)


def from_preset(
    preset: str,
    *,
    sha256: str | None,
    sequence_length: int,
    dropout: float | None,
    pooling: str,
    head_settings: Mapping[str, Any],
    task: Mapping[str, Any],
    labels: Sequence[str],
) -> Classifier:
    """Return a classifier with pretrained weights and a new head.

    Args:
        preset: As in the config, as are the next four.
        sha256: Of the weights file.
        sequence_length: Longest row in tokens.
        dropout: Rate of the backbone.
        pooling: A name, or `auto`.
        head_settings: Arguments of `head.dense`.
        task: `name` and arguments of a task.
        labels: Names in the order of their ids.

    Raises:
        PresetError: The preset cannot be had or read.
        SettingError: A setting does not fit the checkpoint.
    """
    verify = functools.partial(backbone.verify, sha256=sha256)
    folder = _place(preset).folder(preset, sha256, verify)
    vocabulary, tokenization = preprocessor.read(folder)
    body, architecture = backbone.load(folder, dropout=dropout)
    if sequence_length > architecture.max_sequence_length:
        raise SettingError(
            "backbone.sequence_length",
            sequence_length,
            f"must be at most {architecture.max_sequence_length}, the positions that the checkpoint knows",
            fix=f"Set it to {architecture.max_sequence_length} or less.",
        )
    if pooling == "auto":
        pooling = backbone.declared_pooling(folder) or "mean"
    if pooling == "pooler" and not backbone.has_pooler(folder):
        raise SettingError(
            "head.pooling",
            pooling,
            "must be cls, mean or max, for the checkpoint has no pooler",
            fix="Leave the key out to take the mean, or what the checkpoint declares.",
        )
    _log.info(
        f"Backbone: {preset}, {architecture.num_layers} blocks of width {architecture.hidden_dim}, "
        f"activation {architecture.activation}; pooling: {pooling}"
    )
    description = {
        "preset": {"name": preset, "sha256": backbone.hash_of(backbone.weights_file(folder))},
        "backbone": asdict(architecture),
        "preprocessor": {
            "tokenization": asdict(tokenization),
            "sequence_length": sequence_length,
        },
        "pooling": pooling,
        "head": dict(head_settings),
        "task": dict(task),
        "labels": list(labels),
    }
    return _assemble(body, vocabulary, description)


def restore(vocabulary: Path, description: Path, weights: Path) -> Classifier:
    """Return the classifier that a run kept in three files.

    Raises:
        RunError: One of them is missing or damaged.
    """
    try:
        kept = json.loads(description.read_text(encoding="utf-8"))
        pieces = vocabulary.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        body = backbone.build(backbone.Architecture(**kept["backbone"]))
        classifier = _assemble(body, pieces, kept)
        classifier.whole.load_weights(weights)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{description.parent} cannot be read: {type(error).__name__}: {error}. "
            "The run is damaged; train again."
        ) from error
    return classifier


def _place(preset: str) -> Any:
    """Return the module of `presets/` that takes a preset spelt so."""
    for name in plugins.names("presets"):
        place = plugins.module("presets", name)
        if place.accepts(preset):
            return place
    raise SettingError(
        "backbone.preset",
        preset,
        "must be an existing folder, a KerasHub preset, a hub handle or package:NAME==VERSION",
        fix="A local folder may be written with ./ in front.",
    )


def _assemble(body: keras.Model, vocabulary: Sequence[str], description: Mapping[str, Any]) -> Classifier:
    labels = tuple(description["labels"])
    task_settings = dict(description["task"])
    task = plugins.load("tasks", task_settings.pop("name"))(labels, **task_settings)
    encoder = head.encoder(body, pooling=description["pooling"])
    top = head.dense(body.hidden_dim, task.outputs, **description["head"])
    settings = description["preprocessor"]
    return Classifier(
        preprocessor=preprocessor.Preprocessor(
            vocabulary,
            preprocessor.Tokenization(**settings["tokenization"]),
            settings["sequence_length"],
        ),
        encoder=encoder,
        head=top,
        whole=head.join(encoder, top),
        groups=[
            Group(name, depth, layers)
            for name, depth, layers in backbone.layers(body)
            # Without its pooling the pooler is no part of the model.
            if name != "pooler" or description["pooling"] == "pooler"
        ],
        task=task,
        labels=labels,
        description=description,
    )
