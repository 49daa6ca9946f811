"""A tiny random preset folder of every family, written by KerasHub itself."""

from pathlib import Path

import keras
import keras_hub
import numpy as np
import sentencepiece

from tests.conftest import VOCABULARY

TEXT = ["the film was good and great", "a bad plot is an awful scene", "very fine actor not poor watching"]
LONGEST = 16

_ENCODER = {
    "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16, "max_sequence_length": LONGEST,
}  # fmt: skip
_DECODER = {
    "num_layers": 2, "num_query_heads": 2, "num_key_value_heads": 1, "hidden_dim": 8, "intermediate_dim": 16,
}  # fmt: skip
_ROFORMER = {k: v for k, v in _ENCODER.items() if k != "max_sequence_length"}

BACKBONES = {
    "AlbertBackbone": _ENCODER | {"embedding_dim": 4},
    "BertBackbone": _ENCODER,
    "BloomBackbone": _ROFORMER,
    "DebertaV3Backbone": _ENCODER | {"bucket_size": 8},
    "DistilBertBackbone": _ENCODER,
    "ElectraBackbone": _ENCODER | {"embedding_dim": 4},
    "FNetBackbone": {k: v for k, v in _ENCODER.items() if k != "num_heads"},
    "FalconBackbone": {
        "num_layers": 2, "num_attention_heads": 2, "hidden_dim": 8, "intermediate_dim": 16,
        "attention_dropout_rate": 0.1, "feedforward_dropout_rate": 0.1,
    },
    "GPT2Backbone": _ENCODER,
    "GPTNeoXBackbone": _ENCODER | {"rotary_percentage": 0.5},
    "Gemma3Backbone": _DECODER | {"head_dim": 4, "image_size": 16},
    "GemmaBackbone": _DECODER | {"head_dim": 4},
    "Llama3Backbone": _DECODER,
    "LlamaBackbone": _DECODER,
    "MistralBackbone": _DECODER,
    "OPTBackbone": _ENCODER,
    "Phi3Backbone": _DECODER | {"max_sequence_length": LONGEST, "pretraining_sequence_length": LONGEST},
    "Qwen3Backbone": _DECODER | {"head_dim": 4},
    "QwenBackbone": _DECODER,
    "RobertaBackbone": _ENCODER,
    "RoformerV2Backbone": _ROFORMER | {"head_size": 4},
    "SmolLM3Backbone": {
        "num_layers": 2, "hidden_dim": 8, "intermediate_dim": 16, "num_attention_heads": 2,
        "num_key_value_heads": 1, "attention_bias": False, "attention_dropout": 0.0,
        "rope_layer_enabled_list": [True, False], "layer_types": ["full_attention"] * 2, "mlp_bias": False,
        "layer_norm_epsilon": 1e-6, "max_position_embeddings": LONGEST, "rope_theta": 1e4,
        "partial_rotary_factor": 1.0,
    },
    "XLMRobertaBackbone": _ENCODER,
}  # fmt: skip

_LETTERS = [
    chr(n) for n in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 256 + 68))
]  # the letters by which GPT-2 writes the 256 bytes
MERGES = ["g o", "go o", "goo d", "Ġ good", "i l", "il m", "f ilm", "Ġ film", "w a", "wa s"]

_SPECIAL = {
    "BloomBackbone": ["<unk>", "<s>", "</s>", "<pad>"],
    "Llama3Backbone": ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>",
                       "<|end_header_id|>"],
    "OPTBackbone": ["<s>", "<pad>", "</s>", "<unk>"],
    "Qwen3Backbone": ["<|endoftext|>", "<|im_end|>"],
    "RobertaBackbone": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    "SmolLM3Backbone": ["<|begin_of_text|>", "<|end_of_text|>", "<think>", "</think>"],
}  # fmt: skip
_BERT_LIKE = {
    "pad_id": 0, "pad_piece": "<pad>", "unk_id": 1, "bos_id": 2, "bos_piece": "[CLS]", "eos_id": 3,
    "eos_piece": "[SEP]", "control_symbols": ["[MASK]"],
}  # fmt: skip
_GEMMA = {
    "pad_id": 0, "eos_id": 1, "eos_piece": "<eos>", "bos_id": 2, "bos_piece": "<bos>", "unk_id": 3,
    # What a user writes must not pass for it, though the file would have it so.
    "user_defined_symbols": ["<start_of_turn>", "<table>"],
}  # fmt: skip
_LLAMA = {"unk_id": 0, "bos_id": 1, "eos_id": 2}
_SENTENCE_PIECE = {
    "AlbertBackbone": _BERT_LIKE,
    "DebertaV3Backbone": _BERT_LIKE | {"pad_piece": "[PAD]", "unk_id": 3, "bos_id": 1, "eos_id": 2},
    "FNetBackbone": _BERT_LIKE,
    "Gemma3Backbone": _GEMMA,
    "GemmaBackbone": _GEMMA,
    "LlamaBackbone": _LLAMA,
    "MistralBackbone": _LLAMA,
    "Phi3Backbone": _LLAMA | {"control_symbols": ["<|endoftext|>"]},
    "XLMRobertaBackbone": _LLAMA,
}


def write(folder: Path, name: str) -> None:
    """Write backbone and tokenizer; the weights are large enough for answers to differ."""
    tokenizer = tokenizer_of(name)
    backbone = backbone_of(name, tokenizer.vocabulary_size())
    backbone.save_to_preset(str(folder))
    tokenizer.save_to_preset(str(folder))


def backbone_of(name: str, vocabulary_size: int, **changes) -> keras.Model:
    """Return a backbone with random weights."""
    key = "vocab_size" if name == "ElectraBackbone" else "vocabulary_size"
    arguments = BACKBONES[name] | {key: vocabulary_size} | changes
    backbone = getattr(keras_hub.models, name)(**arguments)
    dice = np.random.default_rng(0)
    for weight in backbone.weights:
        weight.assign(weight + dice.normal(0, 0.2, weight.shape))
    return backbone


def tokenizer_of(name: str) -> keras.layers.Layer:
    """Return KerasHub's tokenizer of a family with a tiny vocabulary."""
    found = getattr(keras_hub.models, name.replace("Backbone", "Tokenizer"))
    if name in ("BertBackbone", "DistilBertBackbone", "ElectraBackbone", "RoformerV2Backbone"):
        return found(vocabulary=VOCABULARY, lowercase=True)
    if name in _SENTENCE_PIECE:
        proto = sentence_piece_proto(**_SENTENCE_PIECE[name])
        return found(proto, **({"has_vision_tokens": False} if name == "Gemma3Backbone" else {}))
    special = _SPECIAL.get(name, ["<|endoftext|>"])
    tokens = [*special, *_LETTERS, *(merge.replace(" ", "") for merge in MERGES)]
    return found(vocabulary={token: number for number, token in enumerate(tokens)}, merges=MERGES)


def sentence_piece_proto(**settings) -> bytes:
    """Return a SentencePiece model of a few pieces."""
    import io

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT * 4),
        model_writer=written,
        vocab_size=48,
        hard_vocab_limit=False,
        model_type="unigram",
        minloglevel=2,
        **settings,
    )
    return written.getvalue()
