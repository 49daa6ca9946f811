"""A preset folder to a KerasHub BERT backbone that computes what the checkpoint was trained to compute.

KerasHub reads its own format. Its converter for Hugging Face's leaves out what the
config says of the activation, the epsilon of the layer norms and dropout, and its
last release for Python 3.10 knows only checkpoints with old names; so those folders
are read here, every tensor by its name and shape.

BERT's original code and KerasHub use the tanh form of GELU; most later checkpoints,
`hidden_act: gelu`, were trained with the erf form (Hendrycks & Gimpel 2016,
https://arxiv.org/abs/1606.08415). The difference shows in the third decimal of the
outputs, so the form follows the checkpoint.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
import safetensors.numpy

from tfft.errors import PresetError, SettingError

_ACTIVATIONS = {
    "gelu": "gelu_erf",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
_HUGGING_FACE_WEIGHTS = ("model.safetensors.index.json", "model.safetensors")
_KERAS_HUB_WEIGHTS = ("model.weights.json", "model.weights.h5")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class Architecture:
    """All that determines what a BERT backbone computes, but for its weights."""

    vocabulary_size: int
    num_layers: int
    num_heads: int
    hidden_dim: int
    intermediate_dim: int
    max_sequence_length: int
    num_segments: int
    dropout: float
    activation: str
    layer_norm_epsilon: float


def verify(folder: Path, *, sha256: str | None) -> None:
    """Refuse a folder whose weights are absent, pickled, or not those that were asked for.

    Raises:
        PresetError: Says which, and what to do.
    """
    weights = weights_file(folder)
    if sha256 is None:
        return
    if weights.suffix == ".json":
        raise PresetError(
            f"backbone.sha256: the weights of {folder} lie in several files, and the hash is that of "
            "one. Leave the key out, or join the files."
        )
    if (found := hash_of(weights)) != sha256:
        raise PresetError(
            f"backbone.sha256: {weights} has the hash {found}, expected {sha256}. It was not read. "
            "Check the hash with the people you have it from; if it is right, remove the folder."
        )


def weights_file(folder: Path) -> Path:
    """Return the file that `load` reads the weights from, or the index of several.

    Raises:
        PresetError: There is none, or only a pickle.
    """
    # The config tells the format, so that no file of the other format is taken for the weights.
    names = _HUGGING_FACE_WEIGHTS if "model_type" in _config(folder) else _KERAS_HUB_WEIGHTS
    for name in names:
        if (folder / name).is_file():
            return folder / name
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        raise PresetError(
            f"backbone.preset: {folder} holds its weights as {pickles[0]}, a pickle, which runs "
            "code when it is read. Convert it where you trust it, with the safetensors package "
            "(safetensors.torch.save_file), and use model.safetensors."
        )
    raise PresetError(f"backbone.preset: {folder} holds no weights; expected {' or '.join(names)}.")


def has_pooler(folder: Path) -> bool:
    """Return whether the checkpoint has weights for BERT's pooler; masked language models have none."""
    return "model_type" not in _config(folder) or "pooler.dense.weight" in _hugging_face_tensors(folder)


def load(folder: Path, *, dropout: float | None) -> tuple[keras.Model, Architecture]:
    """Load a pretrained backbone from a verified folder.

    Args:
        folder: In KerasHub or Hugging Face format.
        dropout: Rate for the parts that train; None takes the checkpoint's.

    Returns:
        A `keras_hub.models.BertBackbone` with its weights, and its architecture.

    Raises:
        PresetError: The model is not a BERT, or does what KerasHub's BERT cannot.
        SettingError: The checkpoint has two dropout rates and none is set.
    """
    config = _config(folder)
    try:
        if "model_type" in config:
            architecture = _from_hugging_face(folder, config, dropout)
            backbone = build(architecture)
            _assign_hugging_face(folder, backbone)
            return backbone, architecture
        if config.get("class_name") != "BertBackbone":
            kind = config.get("class_name", "unknown")
            raise PresetError(f"backbone.preset: {folder} holds a {kind}; tfft takes BERT backbones.")
        architecture = _from_keras_hub(config["config"], dropout)
    except KeyError as error:
        raise _damaged(folder, f"its config.json has no {error}") from error
    try:
        backbone = keras_hub.models.BertBackbone.from_preset(str(folder), dropout=architecture.dropout)
    except Exception as error:  # KerasHub and h5py each raise their own kinds
        raise _damaged(folder, f"{type(error).__name__}: {error}") from error
    _apply(architecture, backbone)
    return backbone, architecture


def build(architecture: Architecture) -> keras.Model:
    """Build a backbone with random weights."""
    arguments = asdict(architecture)
    del arguments["activation"], arguments["layer_norm_epsilon"]
    backbone = keras_hub.models.BertBackbone(**arguments)
    _apply(architecture, backbone)
    return backbone


def declared_pooling(folder: Path) -> str | None:
    """Return the pooling that a sentence-transformers checkpoint was trained with, else None."""
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return None
    declared = _json(path)
    for pooling, key in (
        ("cls", "pooling_mode_cls_token"),
        ("max", "pooling_mode_max_tokens"),
        ("mean", "pooling_mode_mean_tokens"),
    ):
        if declared.get(key):
            return pooling
    return None


def layers(backbone: keras.Model) -> Iterator[tuple[str, int, list[keras.layers.Layer]]]:
    """Yield (name, depth, layers) from the input upward; depth counts from 0, the embeddings.

    The pooler stands between the top block and the head, at the depth of the head's
    neighbour: it is as deep as one more block.
    """
    embeddings = ("token_embedding", "position_embedding", "segment_embedding", "embeddings_layer_norm")
    yield (
        "embeddings",
        0,
        [
            *map(backbone.get_layer, embeddings),
            backbone.get_layer("embeddings_dropout"),
        ],
    )
    for index in range(backbone.num_layers):
        yield f"block {index}", index + 1, [backbone.get_layer(f"transformer_layer_{index}")]
    yield "pooler", backbone.num_layers + 1, [backbone.get_layer("pooled_dense")]


def _from_hugging_face(folder: Path, config: dict, dropout: float | None) -> Architecture:
    if config["model_type"] != "bert":
        raise PresetError(
            f"backbone.preset: {folder} holds a {config['model_type']!r} model; tfft takes BERT backbones."
        )
    for key, only in (("position_embedding_type", "absolute"), ("is_decoder", False)):
        if config.get(key, only) != only:
            raise PresetError(
                f"backbone.preset: {folder} has {key} {config[key]!r}; KerasHub's BERT knows {only!r} only."
            )
    if config["hidden_act"] not in _ACTIVATIONS:
        raise PresetError(
            f"backbone.preset: {folder} has hidden_act {config['hidden_act']!r}; "
            f"known are {', '.join(_ACTIVATIONS)}."
        )
    if dropout is None:
        dropout = config.get("hidden_dropout_prob", 0.1)
        attention = config.get("attention_probs_dropout_prob", dropout)
        if attention != dropout:
            raise SettingError(
                "backbone.dropout",
                None,
                f"must be set, for the checkpoint has {dropout} in its layers and {attention} in its "
                "attention and KerasHub's BERT has one rate",
                fix=f"Set backbone.dropout to {dropout}.",
            )
    return Architecture(
        vocabulary_size=config["vocab_size"],
        num_layers=config["num_hidden_layers"],
        num_heads=config["num_attention_heads"],
        hidden_dim=config["hidden_size"],
        intermediate_dim=config["intermediate_size"],
        max_sequence_length=config["max_position_embeddings"],
        num_segments=config.get("type_vocab_size", 2),
        dropout=dropout,
        activation=_ACTIVATIONS[config["hidden_act"]],
        layer_norm_epsilon=config.get("layer_norm_eps", 1e-12),
    )


def _from_keras_hub(config: dict, dropout: float | None) -> Architecture:
    names = (
        "vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim",
        "max_sequence_length", "num_segments",
    )  # fmt: skip
    return Architecture(
        **{name: config[name] for name in names},
        dropout=config["dropout"] if dropout is None else dropout,
        activation="gelu_tanh",  # what KerasHub's converters and Google's own code have
        layer_norm_epsilon=1e-12,
    )


def _assign_hugging_face(folder: Path, backbone: keras.Model) -> None:
    """Give a backbone the weights of `model.safetensors`, or of the files that its index names."""
    tensors = _hugging_face_tensors(folder)
    for variable, name in _hugging_face_names(backbone):
        if name not in tensors and name.startswith("pooler."):
            continue  # `has_pooler` tells, where it is needed
        if name not in tensors:
            raise _damaged(folder, f"it has no tensor {name}")
        tensor = tensors[name]
        if variable.name == "kernel":
            tensor = tensor.T  # [outputs, inputs] there, [inputs, outputs] here
        # Attention keeps heads and width apart: [inputs, heads, width] and [heads, width].
        same = tensor.shape == variable.shape or (
            tensor.ndim != len(variable.shape) and tensor.size == math.prod(variable.shape)
        )
        if not same:
            raise _damaged(folder, f"{name} has the shape {tensors[name].shape}, expected {variable.shape}")
        variable.assign(tensor.reshape(variable.shape))


def _hugging_face_tensors(folder: Path) -> dict[str, np.ndarray]:
    """Return all tensors by the names of a body without prefix, as today's tools write them."""
    weights = weights_file(folder)
    files = {weights.name}
    try:
        if weights.suffix == ".json":
            files = {Path(name).name for name in _json(weights)["weight_map"].values()}
        tensors: dict[str, np.ndarray] = {}
        for file in sorted(files):
            tensors |= safetensors.numpy.load_file(folder / file)
    except (OSError, safetensors.SafetensorError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}") from error
    # A model with a head calls the body `bert`; Google's names are older than PyTorch's.
    return {
        name.removeprefix("bert.")
        .replace("Norm.gamma", "Norm.weight")
        .replace("Norm.beta", "Norm.bias"): tensor
        for name, tensor in tensors.items()
    }


def _config(folder: Path) -> dict[str, Any]:
    if not (folder / "config.json").is_file():
        raise PresetError(f"backbone.preset: {folder} holds no config.json.")
    return _json(folder / "config.json")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path.parent, f"{path.name}: {error}") from error
    if not isinstance(found, dict):
        raise _damaged(path.parent, f"{path.name} holds no keys and values")
    return found


def _hugging_face_names(backbone: keras.Model) -> Iterator[tuple[keras.Variable, str]]:
    """Yield each variable with the name of its tensor."""

    def both(layer: keras.layers.Layer, name: str) -> Iterator[tuple[keras.Variable, str]]:
        weight, bias = layer.weights  # kernel and bias, or gamma and beta
        yield weight, f"{name}.weight"
        yield bias, f"{name}.bias"

    for ours, theirs in (("token", "word"), ("position", "position"), ("segment", "token_type")):
        yield backbone.get_layer(f"{ours}_embedding").weights[0], f"embeddings.{theirs}_embeddings.weight"
    yield from both(backbone.get_layer("embeddings_layer_norm"), "embeddings.LayerNorm")
    for index in range(backbone.num_layers):
        block, name = backbone.get_layer(f"transformer_layer_{index}"), f"encoder.layer.{index}"
        attention = block._self_attention_layer
        yield from both(attention.query_dense, f"{name}.attention.self.query")
        yield from both(attention.key_dense, f"{name}.attention.self.key")
        yield from both(attention.value_dense, f"{name}.attention.self.value")
        yield from both(attention.output_dense, f"{name}.attention.output.dense")
        yield from both(block._self_attention_layer_norm, f"{name}.attention.output.LayerNorm")
        yield from both(block._feedforward_intermediate_dense, f"{name}.intermediate.dense")
        yield from both(block._feedforward_output_dense, f"{name}.output.dense")
        yield from both(block._feedforward_layer_norm, f"{name}.output.LayerNorm")
    yield from both(backbone.get_layer("pooled_dense"), "pooler.dense")


def _damaged(folder: Path, problem: str) -> PresetError:
    return PresetError(
        f"backbone.preset: {folder} cannot be read as a BERT checkpoint: {problem}. "
        "Fetch it again or choose another."
    )


def _apply(architecture: Architecture, backbone: keras.Model) -> None:
    """Set what BertBackbone's constructor has no argument for; each call reads it anew."""
    activation = {
        "gelu_erf": _gelu_erf,
        "gelu_tanh": _gelu_tanh,
        "relu": keras.activations.relu,
        "silu": keras.activations.silu,
    }[architecture.activation]
    backbone.get_layer("embeddings_layer_norm").epsilon = architecture.layer_norm_epsilon
    for index in range(architecture.num_layers):
        block = backbone.get_layer(f"transformer_layer_{index}")
        block._feedforward_intermediate_dense.activation = activation
        block._self_attention_layer_norm.epsilon = architecture.layer_norm_epsilon
        block._feedforward_layer_norm.epsilon = architecture.layer_norm_epsilon


def _gelu_erf(x):
    return keras.activations.gelu(x, approximate=False)


def _gelu_tanh(x):
    return keras.activations.gelu(x, approximate=True)


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
