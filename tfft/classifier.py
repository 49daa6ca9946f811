"""All that answers, put together from a preset or from what a run kept.

Text to token ids, ids to a vector, the vector to logits, logits to an answer.
Besides `run.py` this is the one file that knows other steps: it joins the parts
of the model, as `run.py` joins the parts of the story.
"""

import contextlib
import functools
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfft import backbone, head, lora, plugins, preprocessor, saved_model
from tfft.errors import RunError, SettingError
from tfft.layer_groups import HEAD, Group
from tfft.tasks import Task
from tfft.threshold import Threshold

_log = logging.getLogger("tfft")


@dataclass(frozen=True)
class Classifier:
    """A model with all that turns text into its inputs and its outputs into an answer.

    Attributes:
        preprocessor: Text to the backbone's inputs.
        encoder: The inputs to one vector a row.
        head: The vector to logits.
        whole: The inputs to logits; it shares the layers of `encoder` and `head`.
        groups: All layers from the input upward; the last is the head.
        token_embedding: The backbone's table of token vectors.
        task: What the logits mean.
        labels: Names in the order of their ids.
        description: All but vocabulary and weights, ready for JSON.
    """

    preprocessor: preprocessor.Preprocessor
    encoder: keras.Model
    head: keras.Model
    whole: keras.Model
    groups: Sequence[Group]
    token_embedding: keras.Variable
    task: Task
    labels: tuple[str, ...]
    description: Mapping[str, Any]

    @property
    def threshold(self) -> Threshold | None:
        """What decides between two labels, None for the likelier one."""
        kept = self.description["threshold"]
        return None if kept is None else Threshold(**kept)

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
    reinitialize_blocks: int,
    lora_settings: Mapping[str, Any] | None,
    precision: str,
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
        reinitialize_blocks: Blocks from the top that get random weights, and the pooler with them.
        lora_settings: Arguments of `lora.enable`, or None.
        precision: Keras's name of the types of computation and variables.

    Raises:
        PresetError: The preset cannot be had or read.
        SettingError: A setting does not fit the checkpoint.
    """
    verify = functools.partial(backbone.verify, sha256=sha256)
    folder = _place(preset).folder(preset, sha256, verify)
    vocabulary, tokenization = preprocessor.read(folder)
    with _policy(precision):
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
        "lora": lora_settings and dict(lora_settings),
        "threshold": None,
    }
    if reinitialize_blocks:
        _reinitialize(body, reinitialize_blocks)
    with _policy(precision):
        return _assemble(body, vocabulary, description)


def restore(vocabulary: Path, description: Path, weights: Path) -> Classifier:
    """Return the classifier that a run kept in three files.

    Raises:
        RunError: One of them is missing or damaged.
    """
    try:
        kept = json.loads(description.read_text(encoding="utf-8"))
        pieces = vocabulary.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        architecture = backbone.Architecture(**kept["backbone"])
        trained = _assemble(backbone.build(architecture), pieces, kept)
        trained.whole.load_weights(weights)
        if not kept["lora"]:
            return trained
        plain = _assemble(backbone.build(architecture), pieces, kept | {"lora": None})
        lora.merge(trained.whole, plain.whole)
        return plain
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{description.parent} cannot be read: {type(error).__name__}: {error}. "
            "The run is damaged; train again."
        ) from error


@contextlib.contextmanager
def _policy(precision: str) -> Iterator[None]:
    """Build layers that compute in a type."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _reinitialize(body: keras.Model, blocks: int) -> None:
    """Give the top blocks and the pooler the weights of a backbone that was never trained.

    Raises:
        SettingError: There are fewer blocks.
    """
    if blocks > body.num_layers:
        raise SettingError(
            "backbone.reinitialize_blocks",
            blocks,
            f"must be at most {body.num_layers}, the blocks of the backbone",
            fix="Set it to a few, such as 1 to 4.",
        )
    random = type(body).from_config(body.get_config())
    pairs = zip(backbone.layers(body), backbone.layers(random), strict=True)
    for (_, depth, layers), (_, _, fresh) in pairs:
        if depth > body.num_layers - blocks:
            for layer, other in zip(layers, fresh, strict=True):
                layer.set_weights(other.get_weights())


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
    decision = description["threshold"] and tuple(description["threshold"].values())
    task = plugins.load("tasks", task_settings.pop("name"))(labels, decision, **task_settings)
    if description["lora"]:
        lora.enable(body, **description["lora"])
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
        ]
        + [Group(HEAD, body.num_layers + 1, top.layers)],
        # Not the layer's property of that name, which is a product where LoRA is on.
        token_embedding=next(v for v in body.token_embedding.weights if v.name == "embeddings"),
        task=task,
        labels=labels,
        description=description,
    )
