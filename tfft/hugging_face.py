"""A folder in Hugging Face's format to the backbone that it describes, or a refusal.

BERT is ported here, every tensor by its name and shape: KerasHub's converter leaves
out what the config says of the activation, the epsilon of the layer norms and dropout,
and its last release for Python 3.10 knows only checkpoints with old names.

Other families go through KerasHub's own converters, which leave out the same; so what a
config says and the built backbone would not compute is an error, never a silent change.
"""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
import safetensors.numpy

from tfft.errors import PresetError

WEIGHTS = ("model.safetensors.index.json", "model.safetensors")
_BERT_ACTIVATIONS = {
    "gelu": "gelu_erf",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
_BACKBONES = {
    "albert": "AlbertBackbone",
    "bert": "BertBackbone",
    "distilbert": "DistilBertBackbone",
    "gemma": "GemmaBackbone",
    "gemma2": "GemmaBackbone",
    "gemma3_text": "Gemma3Backbone",
    "gpt2": "GPT2Backbone",
    "llama": "Llama3Backbone",
    "mistral": "MistralBackbone",
    "qwen2": "QwenBackbone",
    "qwen3": "Qwen3Backbone",
    "roberta": "RobertaBackbone",
    "smollm3": "SmolLM3Backbone",
    "xlm-roberta": "XLMRobertaBackbone",
}
"""`model_type` to the class that KerasHub's converter builds."""

# For each `model_type`, what its converter passes over: key, what Hugging Face's library takes
# where the key is absent, and the values that KerasHub's layers compute.
_SILU = ("hidden_act", "silu", ("silu", "swish"))
_NO_SCALING = ("rope_scaling", None, (None,))
_ROBERTA = (
    ("hidden_act", "gelu", ("gelu",)),
    ("layer_norm_eps", 1e-12, (1e-5,)),
    ("position_embedding_type", "absolute", ("absolute", None)),
    ("is_decoder", False, (False,)),
    ("pad_token_id", 1, (1,)),
)
_GEMMA = (
    # Without the newer key, Hugging Face's library takes the tanh form whatever hidden_act says.
    ("hidden_activation", None, (None, "gelu_pytorch_tanh")),
    ("rms_norm_eps", 1e-6, (1e-6,)),
    ("attention_bias", False, (False,)),
    ("rope_theta", 10000.0, (10000.0,)),
)
_COMPUTED: dict[str, tuple[tuple[str, Any, tuple], ...]] = {
    "albert": (
        ("hidden_act", "gelu_new", ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")),
        ("layer_norm_eps", 1e-12, (1e-12,)),
        ("position_embedding_type", "absolute", ("absolute", None)),
    ),
    "distilbert": (("activation", "gelu", ("gelu",)),),
    "gemma": _GEMMA,
    "gemma2": _GEMMA,
    "gemma3_text": (
        ("hidden_activation", "gelu_pytorch_tanh", ("gelu_pytorch_tanh",)),
        ("attention_bias", False, (False,)),
        ("rope_theta", 1e6, (1e6,)),
        ("rope_local_base_freq", 1e4, (1e4,)),
        ("sliding_window_pattern", 6, (6,)),
    ),
    "gpt2": (
        ("activation_function", "gelu_new", ("gelu_new", "gelu_pytorch_tanh", "gelu_fast")),
        ("layer_norm_epsilon", 1e-5, (1e-5,)),
        ("scale_attn_weights", True, (True,)),
        ("scale_attn_by_inverse_layer_idx", False, (False,)),
    ),
    "llama": (_SILU, ("attention_bias", False, (False,)), ("mlp_bias", False, (False,))),
    "mistral": (_SILU, _NO_SCALING),
    "qwen2": (_SILU, ("use_sliding_window", False, (False,)), _NO_SCALING),
    "qwen3": (_SILU, ("attention_bias", False, (False,)), _NO_SCALING),
    "roberta": _ROBERTA,
    "smollm3": (_SILU, _NO_SCALING),
    "xlm-roberta": _ROBERTA,
}


def backbone_name(folder: Path, config: dict[str, Any]) -> str:
    """Return the backbone class that a folder's config describes.

    Raises:
        PresetError: KerasHub cannot read its kind, or would compute something else.
    """
    kind = config["model_type"]
    if kind not in _BACKBONES:
        raise PresetError(
            f"backbone.preset: {folder} holds a {kind!r} model in Hugging Face's format, which tfft cannot "
            f"read. It takes {', '.join(_BACKBONES)}; other families in KerasHub's format."
        )
    for key, default, computed in _COMPUTED.get(kind, ()):
        value = config.get(key, default)
        if value not in computed:
            said = f"{key} {value!r}" if key in config else f"no {key}, which means {value!r}"
            raise PresetError(
                f"backbone.preset: {folder} has {said}; KerasHub's {_BACKBONES[kind]} computes "
                f"{' or '.join(map(repr, computed))} only. Choose another checkpoint."
            )
    rope = config.get("rope_parameters") or {}
    if rope.get("rope_type", "default") != "default" and not config.get("rope_scaling"):
        raise PresetError(
            f"backbone.preset: {folder} has rope_parameters of type {rope['rope_type']!r}, which KerasHub's "
            "converter does not read. Choose another checkpoint."
        )
    wide = [(index + 1) % 6 == 0 for index in range(config.get("num_hidden_layers", 0))]
    types = config.get("layer_types") or []
    is_other = [name == "full_attention" for name in types] != wide
    if kind == "gemma3_text" and "sliding_attention" in types and is_other:
        raise PresetError(
            f"backbone.preset: {folder} has layer_types {types}; KerasHub's {_BACKBONES[kind]} lets each "
            "sixth layer see the whole text, and no other. Choose another checkpoint."
        )
    return _BACKBONES[kind]


def tokens_of(folder: Path, config: dict[str, Any]) -> str:
    """Return the backbone class whose checkpoints see a text as this one does."""
    # Llama 1 and 2 cut text by SentencePiece, Llama 3 by byte pairs; they are one model_type.
    if config["model_type"] == "llama" and (folder / "tokenizer.model").is_file():
        return "LlamaBackbone"
    return _BACKBONES[config["model_type"]]


def dropout(config: dict[str, Any]) -> dict[str, float]:
    """Return the dropout rate of each place that a config tells."""
    kind = config["model_type"]
    if kind == "gpt2":
        keys, default = ("embd_pdrop", "attn_pdrop", "resid_pdrop"), 0.1
    elif kind == "distilbert":
        keys, default = ("dropout", "attention_dropout", "dropout"), 0.1
    elif kind in ("bert", "roberta", "xlm-roberta", "albert"):
        keys = ("hidden_dropout_prob", "attention_probs_dropout_prob", "hidden_dropout_prob")
        default = 0.0 if kind == "albert" else 0.1
    else:
        # The newer decoders have a dropout in the attention only.
        return {"embeddings": 0.0, "attention": config.get("attention_dropout", 0.0), "hidden": 0.0}
    return {
        place: config.get(key, default)
        for place, key in zip(("embeddings", "attention", "hidden"), keys, strict=True)
    }


def bert_arguments(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Return what a BERT's config says: the constructor's arguments, activation and epsilon.

    Raises:
        PresetError: It says what KerasHub's BERT cannot do.
    """
    for key, only in (("position_embedding_type", "absolute"), ("is_decoder", False)):
        if config.get(key, only) != only:
            raise PresetError(
                f"backbone.preset: {folder} has {key} {config[key]!r}; KerasHub's BERT knows {only!r} only."
            )
    if config["hidden_act"] not in _BERT_ACTIVATIONS:
        raise PresetError(
            f"backbone.preset: {folder} has hidden_act {config['hidden_act']!r}; "
            f"known are {', '.join(_BERT_ACTIVATIONS)}."
        )
    return {
        "vocabulary_size": config["vocab_size"],
        "num_layers": config["num_hidden_layers"],
        "num_heads": config["num_attention_heads"],
        "hidden_dim": config["hidden_size"],
        "intermediate_dim": config["intermediate_size"],
        "max_sequence_length": config["max_position_embeddings"],
        "num_segments": config.get("type_vocab_size", 2),
        "activation": _BERT_ACTIVATIONS[config["hidden_act"]],
        "layer_norm_epsilon": config.get("layer_norm_eps", 1e-12),
    }


def convert(folder: Path, config: dict[str, Any], name: str) -> keras.Model:
    """Return a backbone of another family than BERT with its weights, by KerasHub's converter."""
    build: Callable[..., keras.Model] = getattr(keras_hub.models, name).from_preset
    arguments: dict[str, Any] = {}
    if config["model_type"] == "llama":
        # The converter passes it over; Llama 3 has 1e-5, KerasHub's class 1e-6.
        arguments["layer_norm_epsilon"] = config.get("rms_norm_eps", 1e-6)
    if config["model_type"] == "gpt2" and config.get("n_inner"):
        arguments["intermediate_dim"] = config["n_inner"]  # passed over, too
    if config["model_type"] in ("llama", "qwen2", "qwen3"):
        # The matrix of an untied output is of no use here, and a base model does not come with it.
        arguments["tie_word_embeddings"] = True
    if config["model_type"] == "gemma3_text" and "sliding_attention" not in config.get(
        "layer_types", ["sliding_attention"]
    ):
        arguments["use_sliding_window_attention"] = False  # up to 0.29 the converter has it on always
    if name != "SmolLM3Backbone":
        arguments["dropout"] = 0.1  # a placeholder above 0; see `dropout.positive`
    model = build(str(folder), **arguments)
    if config["model_type"] == "roberta":
        types = tensors_of(folder).get("embeddings.token_type_embeddings.weight", np.zeros(1))
        if np.any(types):
            raise PresetError(
                f"backbone.preset: {folder} has token type embeddings, which KerasHub's RoBERTa has not. "
                "Choose another checkpoint."
            )
    return model


def assign_bert(folder: Path, backbone: keras.Model) -> None:
    """Give a backbone the weights of `model.safetensors`, or of the files that its index names."""
    tensors = tensors_of(folder)
    for variable, name in bert_names(backbone):
        if name not in tensors and name.startswith("pooler."):
            continue  # `has_pooler` tells, where it is needed
        if name not in tensors:
            raise damaged(folder, f"it has no tensor {name}")
        tensor = tensors[name]
        if variable.name == "kernel":
            tensor = tensor.T  # [outputs, inputs] there, [inputs, outputs] here
        # Attention keeps heads and width apart: [inputs, heads, width] and [heads, width].
        same = tensor.shape == variable.shape or (
            tensor.ndim != len(variable.shape) and tensor.size == math.prod(variable.shape)
        )
        if not same:
            raise damaged(folder, f"{name} has the shape {tensors[name].shape}, expected {variable.shape}")
        variable.assign(tensor.reshape(variable.shape))


def tensors_of(folder: Path) -> dict[str, np.ndarray]:
    """Return all tensors by the names of a body without prefix, as today's tools write them."""
    weights = next(folder / name for name in WEIGHTS if (folder / name).is_file())
    files = {weights.name}
    try:
        if weights.suffix == ".json":
            weight_map = json.loads(weights.read_text(encoding="utf-8"))["weight_map"]
            files = {Path(name).name for name in weight_map.values()}
        tensors: dict[str, np.ndarray] = {}
        for file in sorted(files):
            tensors |= safetensors.numpy.load_file(folder / file)
    except (OSError, safetensors.SafetensorError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise damaged(folder, f"{type(error).__name__}: {error}") from error
    # A model with a head names the body before each tensor; Google's names are older than PyTorch's.
    return {
        name.removeprefix("bert.")
        .removeprefix("roberta.")
        .replace("Norm.gamma", "Norm.weight")
        .replace("Norm.beta", "Norm.bias"): tensor
        for name, tensor in tensors.items()
    }


def bert_names(backbone: keras.Model) -> Iterator[tuple[keras.Variable, str]]:
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


def damaged(folder: Path, problem: str) -> PresetError:
    """Return the error of a checkpoint that cannot be read."""
    return PresetError(
        f"backbone.preset: {folder} cannot be read as a checkpoint: {problem}. "
        "Fetch it again or choose another."
    )
