"""A preset folder to a KerasHub backbone that computes what the checkpoint was trained to compute.

KerasHub's own format is read here, Hugging Face's in `hugging_face.py`.

BERT's original code and KerasHub use the tanh form of GELU; most later checkpoints,
`hidden_act: gelu`, were trained with the erf form (Hendrycks & Gimpel 2016,
https://arxiv.org/abs/1606.08415). The difference shows in the third decimal of the
outputs, so the form follows the checkpoint.
"""

import functools
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_hub
from keras import ops

from tfft import dropout as dropouts
from tfft import families, fingerprint, hugging_face
from tfft.errors import PresetError

_KERAS_HUB_WEIGHTS = ("model.weights.json", "model.weights.h5")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
# Said of every Keras layer; a run builds in its own precision and under its own name.
_NOT_OF_THE_ARCHITECTURE = ("name", "trainable", "dtype")


@dataclass(frozen=True)
class Architecture:
    """All that determines what a backbone computes, but for its weights.

    Attributes:
        backbone: Name of the class in `keras_hub.models`.
        arguments: Of its constructor.
        dropout: Rate at each place that has one; see `dropout.py`.
        activation: Of BERT's feedforward layers; None is the class's own.
        layer_norm_epsilon: Of BERT's layer norms; None is the class's own.
    """

    backbone: str
    arguments: Mapping[str, Any]
    dropout: Mapping[str, float]
    activation: str | None = None
    layer_norm_epsilon: float | None = None


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
    if (found := fingerprint.of_files(weights)) != sha256:
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
    names = hugging_face.WEIGHTS if "model_type" in _config(folder) else _KERAS_HUB_WEIGHTS
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


def kind_of_tokens(folder: Path) -> str:
    """Return the name of the backbone class whose checkpoints see a text as this folder's does."""
    config = _config(folder)
    if "model_type" in config:
        hugging_face.backbone_name(folder, config)
        return hugging_face.tokens_of(folder, config)
    return config.get("class_name", "unknown")


def tokenizer_name(folder: Path) -> str | None:
    """Return the class of the folder's tokenizer, where its files tell one of KerasHub's."""
    if (folder / "tekken.json").is_file() and not (folder / "tokenizer.model").is_file():
        return "MistralTekkenTokenizer"
    if "model_type" in _config(folder) or not (folder / "tokenizer.json").is_file():
        return None
    return _json(folder / "tokenizer.json").get("class_name")


def has_pooler(folder: Path) -> bool:
    """Return whether the checkpoint has weights for a pooler, where its class has one.

    Masked language models in Hugging Face's format have none.
    """
    if "model_type" not in _config(folder):
        return True
    return any(name.startswith("pooler.") for name in hugging_face.tensors_of(folder))


def load(
    folder: Path, *, dropout: float | Mapping[str, float | None] | None
) -> tuple[keras.Model, Architecture]:
    """Load a pretrained backbone from a verified folder.

    Args:
        folder: In KerasHub or Hugging Face format.
        dropout: Rate for the parts that train, one or by place (`embeddings`, `attention`,
            `hidden`); None takes the checkpoint's.

    Returns:
        A backbone of `keras_hub.models` with its weights, and its architecture.

    Raises:
        PresetError: tfft does not take its family, or it does what KerasHub's class cannot.
        SettingError: A dropout rate is set where the backbone has no dropout.
    """
    config = _config(folder)
    activation = epsilon = None
    try:
        if "model_type" in config:
            name = hugging_face.backbone_name(folder, config)
            rates = hugging_face.dropout(config)
            _class(name)
            if name == "BertBackbone":
                arguments = hugging_face.bert_arguments(folder, config)
                activation, epsilon = arguments.pop("activation"), arguments.pop("layer_norm_epsilon")
                arguments["dropout"] = rates["hidden"]
        else:
            name = config.get("class_name", "unknown")
            _class(name)
            arguments = {
                key: value for key, value in config["config"].items() if key not in _NOT_OF_THE_ARCHITECTURE
            }
            rates = dropouts.from_arguments(arguments)
            if arguments.get("vision_encoder") is not None:
                raise PresetError(
                    f"backbone.preset: {folder} holds a {name} that sees images, too; tfft takes its "
                    "text-only form. Choose the preset of that."
                )
            if name == "BertBackbone":  # what KerasHub's converters and Google's own code have
                activation, epsilon = "gelu_tanh", 1e-12
    except KeyError as error:
        raise hugging_face.damaged(folder, f"its config.json has no {error}") from error
    try:
        if "model_type" in config and name != "BertBackbone":
            model = hugging_face.convert(folder, config, name)
            arguments = _arguments(model)
        else:
            model = _build(name, arguments)
            if "model_type" in config:
                hugging_face.assign_bert(folder, model)
            else:
                model.load_weights(str(weights_file(folder)))
    except PresetError:
        raise
    except Exception as error:  # KerasHub and h5py each raise their own kinds
        raise hugging_face.damaged(folder, f"{type(error).__name__}: {error}") from error
    _drop_output_projection(model)
    rates = dropouts.chosen(dropout, rates, model)
    architecture = Architecture(name, arguments, rates, activation, epsilon)
    _apply(architecture, model)
    return model, architecture


def build(architecture: Architecture) -> keras.Model:
    """Build a backbone with random weights.

    Raises:
        PresetError: tfft or the installed KerasHub has no such class.
    """
    backbone = _build(architecture.backbone, architecture.arguments)
    _drop_output_projection(backbone)
    _apply(architecture, backbone)
    return backbone


def positions(backbone: keras.Model) -> int | None:
    """Return the longest row in tokens that the backbone takes, None where nothing limits it."""
    for name in ("max_sequence_length", "max_position_embeddings"):
        if (found := getattr(backbone, name, None)) is not None:
            return found
    return None


def is_causal(backbone: keras.Model) -> bool:
    """Return whether a token sees only those before it."""
    # The embedding models among Gemma 3 look both ways.
    return families.of(type(backbone).__name__).is_causal and not getattr(
        backbone, "use_bidirectional_attention", False
    )


def mixes_padding(backbone: keras.Model) -> bool:
    """Return whether padding reaches the vectors of real tokens.

    F-Net mixes all places of a row by a Fourier transform and takes no padding mask. RoFormer V2
    takes none either, but makes its own from the ids.
    """
    return type(backbone).__name__ == "FNetBackbone"


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
        ("last", "pooling_mode_lasttoken"),
    ):
        if declared.get(key):
            return pooling
    return None


def layers(backbone: keras.Model) -> Iterator[tuple[str, int, list[keras.layers.Layer]]]:
    """Yield (name, depth, layers) from the input upward; depth counts from 0, the embeddings.

    - `embeddings`: all that a token passes before the first block, norms, projections and
      DeBERTa's table of distances included.
    - `block N`: one block, at the depth N + 1. The norm after the top block belongs to that
      block: it is scaled for the block's outputs. ALBERT's blocks share their weights, and
      what is shared can have one depth and one rate only: blocks that share are one.
    - `pooler`, where there is one: between the top block and the head, as deep as one more block.
    """
    output = backbone.output
    tokens = output["sequence_output"] if isinstance(output, dict) else output
    trunk = {id(layer) for layer in keras.Model(backbone.input, tokens).layers}
    blocks = [
        list(block) if isinstance(block, (list, tuple)) else [block] for block in backbone.transformer_layers
    ]
    in_blocks = {id(layer) for block in blocks for layer in block}
    # Keras keeps the layers in an order in which each comes after those that it reads.
    first = next(index for index, layer in enumerate(backbone.layers) if id(layer) in in_blocks)
    others = [
        (index < first, layer)
        for index, layer in enumerate(backbone.layers)
        if id(layer) in trunk and id(layer) not in in_blocks
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    yield "embeddings", 0, [layer for is_below, layer in others if is_below]
    blocks[-1] += [layer for is_below, layer in others if not is_below]
    for index, block in enumerate(blocks):
        yield f"block {index}", index + 1, block
    pooler = [layer for layer in backbone.layers if id(layer) not in trunk and layer.weights]
    if pooler:
        yield "pooler", len(blocks) + 1, pooler


def _class(name: str) -> type[keras.Model]:
    """Return a class that tfft takes, by its name; no other name is ever looked up."""
    families.of(name)
    found = getattr(keras_hub.models, name, None)
    if found is None:
        raise PresetError(
            f"backbone.preset: the installed KerasHub {keras_hub.__version__} has no {name}. "
            "Install a newer keras-hub, or choose another preset."
        )
    return found


def _build(name: str, arguments: Mapping[str, Any]) -> keras.Model:
    found = _class(name)
    return found.from_config(dropouts.positive(found, arguments))


def _drop_output_projection(backbone: keras.Model) -> None:
    """Leave out the second matrix of an untied embedding.

    It turns vectors into logits over the vocabulary, which a classifier never does; it would
    be kept, exported, and counted as trained, at the size of the embeddings.
    """
    embedding = backbone.token_embedding
    if getattr(embedding, "tie_weights", True):
        return
    embedding._untrack_variable(embedding.reverse_embeddings)
    embedding.reverse_embeddings = None
    embedding.tie_weights = True


def _arguments(backbone: keras.Model) -> dict[str, Any]:
    """Return the constructor's arguments that make the backbone again."""
    known = inspect.signature(type(backbone).__init__).parameters
    return {
        key: value
        for key, value in backbone.get_config().items()
        if key not in _NOT_OF_THE_ARCHITECTURE and key in known
    }


def _config(folder: Path) -> dict[str, Any]:
    if not (folder / "config.json").is_file():
        raise PresetError(f"backbone.preset: {folder} holds no config.json.")
    return _json(folder / "config.json")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise hugging_face.damaged(path.parent, f"{path.name}: {error}") from error
    if not isinstance(found, dict):
        raise hugging_face.damaged(path.parent, f"{path.name} holds no keys and values")
    return found


def _apply(architecture: Architecture, backbone: keras.Model) -> None:
    """Set what the constructors have no argument for; each call of a layer reads it anew."""
    dropouts.apply(architecture.dropout, backbone)
    if architecture.backbone == "RoformerV2Backbone":
        for block in backbone.transformer_layers:
            block.attention_layer.call = functools.partial(_attend, block.attention_layer)
    if architecture.activation is None:
        return
    activation = {
        "gelu_erf": _gelu_erf,
        "gelu_tanh": _gelu_tanh,
        "relu": keras.activations.relu,
        "silu": keras.activations.silu,
    }[architecture.activation]
    backbone.get_layer("embeddings_layer_norm").epsilon = architecture.layer_norm_epsilon
    for block in backbone.transformer_layers:
        block._feedforward_intermediate_dense.activation = activation
        block._self_attention_layer_norm.epsilon = architecture.layer_norm_epsilon
        block._feedforward_layer_norm.epsilon = architecture.layer_norm_epsilon


def _attend(layer: keras.layers.Layer, x, attention_mask=None):
    """Attend to real tokens only: `[N, tokens, width]` and `[N, tokens]` to `[N, tokens, width]`.

    On TensorFlow, the layer of KerasHub (0.25 and 0.32) lays the mask along the tokens that ask instead of
    those that are asked, so that every token would see the padding.
    """
    rows, tokens = ops.shape(x)[0], ops.shape(x)[1]
    query, key, value = (
        ops.reshape(dense(x), (rows, tokens, layer.heads, layer.head_size))
        for dense in (layer.q_dense, layer.k_dense, layer.v_dense)
    )
    query, key = layer.rotary_embedding_layer([query, key])
    mask = ops.reshape(attention_mask, (rows, 1, 1, tokens))
    seen = ops.dot_product_attention(query, key, value, mask=mask)
    return layer.o_dense(ops.reshape(seen, (rows, tokens, layer.heads * layer.head_size)))


def _gelu_erf(x):
    return keras.activations.gelu(x, approximate=False)


def _gelu_tanh(x):
    return keras.activations.gelu(x, approximate=True)
