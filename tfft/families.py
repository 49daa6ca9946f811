"""The KerasHub backbones that tfft takes, and how the checkpoints of each were trained to see a text.

A table of facts, which the classes do not all tell: KerasHub's own preprocessors
frame for generation, or not at all, where the family's sequence classifiers in
Hugging Face's library see what stands here.
"""

from dataclasses import dataclass

from tfft.errors import PresetError


@dataclass(frozen=True)
class Family:
    """What the checkpoints of one backbone class have in common.

    Attributes:
        backbone: Name of the class in `keras_hub.models`.
        tokenizer: `word_piece`, `byte_pair` or `sentence_piece`.
        start: Special token before the text.
        end: Special token after the text.
        pad: Special token that fills a row; None is id 0, which the padding mask hides.
        blank: Stands for a text without tokens where nothing frames it, so that there is one to read.
        is_causal: A token sees those before it only.
        split: The rule that cuts text into words, of a byte-pair tokenizer; see `byte_pair.py`.
        is_albert: Text is cleaned as ALBERT's own code does; see `sentence_piece.py`.
        is_fairseq: Ids are those of fairseq; see `sentence_piece.py`.
        doubles_end: Between two texts the special token of the end stands twice.
    """

    backbone: str
    tokenizer: str
    start: str | None = None
    end: str | None = None
    pad: str | None = None
    blank: str | None = None
    is_causal: bool = False
    split: str | None = None
    is_albert: bool = False
    is_fairseq: bool = False
    doubles_end: bool = False


def _bert(backbone: str) -> Family:
    return Family(backbone, "word_piece", "[CLS]", "[SEP]", "[PAD]")


def _causal(backbone: str, tokenizer: str, **tokens: str) -> Family:
    return Family(backbone, tokenizer, is_causal=True, **tokens)  # type: ignore[arg-type]


FAMILIES = (
    _bert("BertBackbone"),
    _bert("DistilBertBackbone"),
    _bert("ElectraBackbone"),
    _bert("RoformerV2Backbone"),
    Family("RobertaBackbone", "byte_pair", "<s>", "</s>", "<pad>", split="gpt2", doubles_end=True),
    Family("XLMRobertaBackbone", "sentence_piece", "<s>", "</s>", "<pad>", is_fairseq=True, doubles_end=True),
    Family("AlbertBackbone", "sentence_piece", "[CLS]", "[SEP]", "<pad>", is_albert=True),
    Family("DebertaV3Backbone", "sentence_piece", "[CLS]", "[SEP]", "[PAD]"),
    Family("FNetBackbone", "sentence_piece", "[CLS]", "[SEP]", "<pad>"),
    _causal("GPT2Backbone", "byte_pair", split="gpt2", blank="<|endoftext|>"),
    _causal("OPTBackbone", "byte_pair", split="gpt2", start="</s>", pad="<pad>"),
    _causal("GPTNeoXBackbone", "byte_pair", split="gpt2", blank="<|endoftext|>"),
    _causal("BloomBackbone", "byte_pair", split="bloom", pad="<pad>", blank="</s>"),
    _causal("FalconBackbone", "byte_pair", split="falcon", blank="<|endoftext|>"),
    _causal("LlamaBackbone", "sentence_piece", start="<s>"),
    _causal("Llama3Backbone", "byte_pair", split="llama3", start="<|begin_of_text|>"),
    _causal("MistralBackbone", "sentence_piece", start="<s>"),
    _causal("Phi3Backbone", "sentence_piece", start="<s>"),
    _causal("GemmaBackbone", "sentence_piece", start="<bos>", pad="<pad>"),
    _causal("Gemma3Backbone", "sentence_piece", start="<bos>", pad="<pad>"),
    _causal("QwenBackbone", "byte_pair", split="qwen", blank="<|endoftext|>"),
    _causal("Qwen3Backbone", "byte_pair", split="qwen", pad="<|endoftext|>", blank="<|endoftext|>"),
    _causal("SmolLM3Backbone", "byte_pair", split="llama3", blank="<|end_of_text|>"),
)
"""Every KerasHub text backbone with a text classifier, and the GPT family."""


def of(backbone: str) -> Family:
    """Return the family of a backbone class by its name.

    Raises:
        PresetError: tfft does not take it.
    """
    for family in FAMILIES:
        if family.backbone == backbone:
            return family
    known = ", ".join(family.backbone for family in FAMILIES)
    raise PresetError(f"backbone.preset: it holds a {backbone}; tfft takes {known}. Choose one of those.")
