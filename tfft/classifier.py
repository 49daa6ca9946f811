"""All that answers, put together from a preset or from what a run kept.

Text to token ids, ids to a vector, the vector to logits, logits to an answer.
Besides `run.py` this is the one file that knows other steps: it joins the parts
of the model, as `run.py` joins the parts of the story.
"""

import contextlib
import functools
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfft import (
    backbone,
    byte_pair,
    calibration,
    families,
    fingerprint,
    head,
    lora,
    out_of_distribution,
    plugins,
    preparation,
    preprocessor,
    saved_model,
    sentence_piece,
    window_preprocessor,
    word_piece,
    word_preprocessor,
)
from tfft.errors import PresetError, RunError, SettingError
from tfft.inputs import Inputs
from tfft.layer_groups import HEAD, Group
from tfft.signatures import Signatures
from tfft.tasks import Facts, Outputs, Task

_log = logging.getLogger("tfft")


@dataclass(frozen=True)
class Classifier:
    """A model with all that turns text into its inputs and its outputs into an answer.

    Attributes:
        preprocessor: Text to the backbone's inputs.
        encoder: The inputs to one vector a row or, for tags, a word.
        head: The vector to logits.
        whole: The inputs to logits; it shares the layers of `encoder` and `head`.
        groups: All layers from the input upward; the last is the head.
        token_embedding: The backbone's table of token vectors.
        outputs: What the logits mean.
        facts: Of the target.
        description: All but vocabulary and weights, ready for JSON.
        reinitialized: Variables of the backbone that were pretrained and are random again.
        unlikeness: Vectors of the encoder to their out-of-distribution scores; None has none.
    """

    preprocessor: preprocessor.Preprocessor
    encoder: keras.Model
    head: keras.Model
    whole: keras.Model
    groups: Sequence[Group]
    token_embedding: keras.Variable
    outputs: Outputs
    facts: Facts
    description: Mapping[str, Any]
    reinitialized: Sequence[keras.Variable] = ()
    unlikeness: Callable[[tf.Tensor], tf.Tensor] | None = None

    @functools.cached_property
    def signatures(self) -> Signatures:
        """The functions of its export."""
        parts = (self.preprocessor, self.encoder, self.head, self.whole, self.outputs)
        return Signatures(*parts, self.unlikeness)

    @property
    def serve(self) -> tf.types.experimental.ConcreteFunction:
        """The function from columns of strings `[N]` to the task's answer."""
        return self.signatures.serving_default


def from_preset(
    preset: str,
    *,
    sha256: str | None,
    sequence_length: int,
    truncation: str,
    windows: Mapping[str, Any] | None,
    dropout: float | Mapping[str, float | None] | None,
    pooling: str,
    head_settings: Mapping[str, Any],
    task: Mapping[str, Any],
    facts: Facts,
    inputs: Inputs,
    preparation: Sequence[Mapping[str, Any]],
    reinitialize_blocks: int,
    lora_settings: Mapping[str, Any] | None,
    precision: str,
) -> Classifier:
    """Return a classifier with pretrained weights and a new head.

    Args:
        preset: As in the config, as are the next six.
        sha256: Of the weights file.
        sequence_length: Longest row in tokens.
        truncation: Which tokens of a longer text stay.
        windows: `at_most`, `overlap` and `pooling` of windows over a text, or None.
        dropout: Rate of the backbone, one or by place.
        pooling: A name, or `auto`.
        head_settings: Arguments of `head.dense`.
        task: `name` and arguments of a task.
        facts: Of the target.
        inputs: What a row gives to the model.
        preparation: `name` and arguments of each step that cleans a text.
        reinitialize_blocks: Blocks from the top that get random weights, and the pooler with them.
        lora_settings: Arguments of `lora.enable`, or None.
        precision: Keras's name of the types of computation and variables.

    Raises:
        PresetError: The preset cannot be had or read.
        SettingError: A setting does not fit the checkpoint.
    """
    verify = functools.partial(backbone.verify, sha256=sha256)
    folder = _place(preset).folder(preset, sha256, verify)
    kind = families.of(backbone.kind_of_tokens(folder))
    tokenizer = _read_tokenizer(folder, kind)
    frame = preprocessor.frame(
        tokenizer,
        start=kind.start,
        end=kind.end,
        blank=kind.blank,
        pad=kind.pad,
        doubles_end=kind.doubles_end,
    )
    with _policy(precision):
        body, architecture = backbone.load(folder, dropout=dropout)
    if "padding_mask" not in body.input and not backbone.mixes_padding(body) and frame.pad:
        raise PresetError(
            f"backbone.preset: {preset} has {kind.pad} as token {frame.pad}; {architecture.backbone} takes "
            "token 0 for padding, and no other. Choose another preset."
        )
    positions = backbone.positions(body)
    if positions is not None and sequence_length > positions:
        raise SettingError(
            "backbone.sequence_length",
            sequence_length,
            f"must be at most {positions}, the positions that the checkpoint knows",
            fix=f"Set it to {positions} or less.",
        )
    if _task(task).split:
        pooling = _pooling_of_words(pooling, truncation, windows, task["name"])
    else:
        if pooling == "auto":
            pooling = backbone.declared_pooling(folder) or ("last" if backbone.is_causal(body) else "mean")
        _check_pooling(pooling, body, folder)
    _log.info(
        f"Backbone: {preset}, {architecture.backbone} of {body.num_layers} layers of width "
        f"{body.hidden_dim}{_activation(architecture)}; pooling: {pooling}"
    )
    description = {
        "preset": {"name": preset, "sha256": fingerprint.of_files(backbone.weights_file(folder))},
        "backbone": asdict(architecture),
        "preprocessor": {
            "tokenizer": kind.tokenizer,
            "tokenization": tokenizer.settings,
            "frame": asdict(frame),
            "sequence_length": sequence_length,
            "truncation": truncation,
        },
        "windows": None if windows is None else dict(windows),
        "inputs": asdict(inputs),
        "preparation": [dict(step) for step in preparation],
        "pooling": pooling,
        "head": dict(head_settings),
        "task": dict(task),
        "facts": asdict(facts),
        "temperature": 1.0,
        "decision": None,
    }
    fresh = _reinitialize(body, architecture, reinitialize_blocks) if reinitialize_blocks else set()
    if lora_settings:
        lora.enable(body, **lora_settings)
    with _policy(precision):
        classifier = _assemble(body, tokenizer, description)
    saved_model.check_operations(classifier.serve)
    random = [v for group in classifier.groups if group.name in fresh for v in group.variables]
    return replace(classifier, reinitialized=random)


KNOWN = "known_vectors.safetensors"
"""Beside a description, where there are any: the vectors that out-of-distribution scores are made by."""


def restore(description: Path, weights: Path) -> Classifier:
    """Return the classifier that a run kept: its description, the files beside it, its weights.

    Raises:
        RunError: One of them is missing or damaged.
    """
    try:
        kept = json.loads(description.read_text(encoding="utf-8"))
        settings = kept["preprocessor"]
        tokenizer = _TOKENIZERS[settings["tokenizer"]].restore(description.parent, settings["tokenization"])
        architecture = backbone.Architecture(**kept["backbone"])
        restored = _assemble(backbone.build(architecture), tokenizer, kept)
        # Keras writes the kernel of a layer with LoRA merged and under its plain name.
        restored.whole.load_weights(weights)
        known = description.with_name(KNOWN)
        if not known.exists():
            return restored
        unlikeness = out_of_distribution.scoring(out_of_distribution.from_bytes(known.read_bytes()))
        return replace(restored, unlikeness=unlikeness)
    except (OSError, ValueError, KeyError, TypeError, PresetError) as error:
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


def _reinitialize(body: keras.Model, architecture: backbone.Architecture, blocks: int) -> set[str]:
    """Give the top blocks and the pooler the weights of a backbone that was never trained; name them.

    Raises:
        SettingError: There are fewer blocks.
    """
    trained, untrained = list(backbone.layers(body)), backbone.layers(backbone.build(architecture))
    there = sum(name.startswith("block ") for name, _, _ in trained)
    if blocks > there:
        raise SettingError(
            "backbone.reinitialize_blocks",
            blocks,
            f"must be at most {there}, the blocks of the backbone",
            fix="Set it to a few, such as 1 to 4.",
        )
    fresh = set()
    for (name, depth, layers), (_, _, random) in zip(trained, untrained, strict=True):
        if depth > there - blocks:
            fresh.add(name)
            for layer, other in zip(layers, random, strict=True):
                layer.set_weights(other.get_weights())
    return fresh


_TOKENIZERS: Mapping[str, Any] = {
    "byte_pair": byte_pair,
    "sentence_piece": sentence_piece,
    "word_piece": word_piece,
}


def _read_tokenizer(folder: Path, kind: families.Family) -> Any:
    """Return the tokenizer of a preset folder.

    Raises:
        PresetError: It cannot be read, or could not be exported.
    """
    known, found = kind.backbone.replace("Backbone", "Tokenizer"), backbone.tokenizer_name(folder)
    if found not in (None, known):
        raise PresetError(
            f"backbone.preset: {folder} has a {found}; of this family, tfft has {known} in operations of "
            "TensorFlow, and no server could take raw text with another. Choose a preset that has it."
        )
    if kind.tokenizer == "byte_pair":
        return byte_pair.read(folder, split=str(kind.split))
    if kind.tokenizer == "sentence_piece":
        return sentence_piece.read(folder, is_albert=kind.is_albert, is_fairseq=kind.is_fairseq)
    return word_piece.read(folder)


def _pooling_of_words(pooling: str, truncation: str, windows: Any, task: str) -> str:
    """Refuse settings that have no effect where each word has a vector of its own."""
    for key, value, only in (
        ("head.pooling", pooling, "auto"),
        ("backbone.truncation", truncation, "head"),
        ("backbone.windows", windows, None),
    ):
        if value != only:
            raise SettingError(
                key, value, f"must be {only or 'null'} with the task {task}", fix="Leave the key out."
            )
    return "words"


def _check_pooling(pooling: str, body: keras.Model, folder: Path) -> None:
    """Refuse a pooling that the backbone cannot have, or that would see nothing of the text."""
    if pooling == "pooler" and not (isinstance(body.output, dict) and backbone.has_pooler(folder)):
        raise SettingError(
            "head.pooling",
            pooling,
            "must be cls, last, mean or max, for the checkpoint has no pooler",
            fix="Leave the key out to take what the checkpoint declares, or what suits its kind.",
        )
    if pooling == "cls" and backbone.is_causal(body):
        raise SettingError(
            "head.pooling",
            pooling,
            f"must be last, mean or max, for a token of {type(body).__name__} sees only those before it, "
            "and the first sees nothing of the text",
            fix="Leave the key out to take the last token.",
        )


def _activation(architecture: backbone.Architecture) -> str:
    return f", activation {architecture.activation}" if architecture.activation else ""


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


def _preparing(steps: Sequence[Mapping[str, Any]]) -> preparation.Step:
    """Return the steps that clean a text as one; the name of each stands among its arguments."""
    arguments = [dict(step) for step in steps]
    return preparation.chain([plugins.load("preparation", step.pop("name"))(**step) for step in arguments])


def _task(described: Mapping[str, Any]) -> Task:
    """Return a task; its name stands among its arguments."""
    arguments = dict(described)
    return plugins.load("tasks", arguments.pop("name"))(**arguments)


def _assemble(body: keras.Model, tokenizer: Any, description: Mapping[str, Any]) -> Classifier:
    told = description["facts"]
    facts = Facts(**told | {key: tuple(told[key]) for key in ("labels", "rates")})
    task = _task(description["task"])
    outputs = task.outputs(facts, description["decision"])
    windows = description["windows"]
    encoder = head.words(body) if task.split else head.encoder(body, pooling=description["pooling"])
    if windows is not None:
        encoder = head.windows(encoder, pooling=windows["pooling"])
    top = head.dense(encoder.output.shape[1:], outputs.size, bias=outputs.bias, **description["head"])
    # Runs of before there was one have none.
    if (temperature := description.get("temperature", 1.0)) != 1:
        top = calibration.apply(top, temperature)
    settings = description["preprocessor"]
    groups = [
        Group(name, depth, layers)
        for name, depth, layers in backbone.layers(body)
        # Without its pooling the pooler is no part of the model.
        if name != "pooler" or description["pooling"] == "pooler"
    ]
    # Like the head, the pooler reads what the top block gives, and has the head's depth.
    above = 1 + max(group.depth for group in groups if group.name != "pooler")
    # What both kinds of preprocessor take.
    framing: dict[str, Any] = {
        "read": Inputs(description["inputs"]["columns"], tuple(description["inputs"]["texts"])),
        "tokenizer": tokenizer,
        "frame": preprocessor.Frame(**settings["frame"]),
        "sequence_length": settings["sequence_length"],
        "prepare": _preparing(description["preparation"]),
        "inputs": [name for name in encoder.input if name not in ("word_places", "window_mask")],
        "is_full": backbone.mixes_padding(body),
    }
    made: preprocessor.Preprocessor
    if task.split:
        made = word_preprocessor.WordPreprocessor(**framing, split=task.split)
    elif windows is not None:
        cut = {key: windows[key] for key in ("at_most", "overlap")}
        made = window_preprocessor.WindowPreprocessor(**framing, truncation=settings["truncation"], **cut)
    else:
        made = preprocessor.Preprocessor(**framing, truncation=settings["truncation"])
    return Classifier(
        preprocessor=made,
        encoder=encoder,
        head=top,
        whole=head.join(encoder, top),
        groups=[*groups, Group(HEAD, above, top.layers)],
        # Not the layer's property of that name, which is a product where LoRA is on.
        token_embedding=next(v for v in body.token_embedding.weights if v.name == "embeddings"),
        outputs=outputs,
        facts=facts,
        description=description,
    )
