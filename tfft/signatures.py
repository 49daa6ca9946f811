"""The functions of an export: what a client may send, and what it gets.

serving_default    text -> the task's answer
classify           tf.Example -> all labels and their scores, for the server's Classify call
regress            tf.Example -> a number, for the server's Regress call
tokens             the backbone's own inputs -> the answer, for a client with its own tokenizer
embed              text -> the vector that the head reads
metadata           nothing -> labels, lengths and versions

The way from text to logits is traced once, in parts that are functions of their own; the
signatures call these, so that the graph holds one copy of the tokenizer and one of the model.
"""

import base64
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from tfft.preprocessor import Preprocessor
from tfft.tasks import Outputs
from tfft.word_preprocessor import WordPreprocessor

OF_EXAMPLES = ("classify", "regress")
"""Signatures that take serialized examples; the server's calls ask for these names of inputs and outputs."""

_Function: TypeAlias = tf.types.experimental.ConcreteFunction


def of_columns(
    names: Iterable[str], answer: Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]
) -> _Function:
    """Return a function of texts.

    Args:
        names: Of the columns that it takes as keywords, strings `[N]` each.
        answer: The columns to the outputs.
    """
    return _traced(answer, {name: tf.TensorSpec([None], tf.string) for name in names})


class Signatures:
    """The functions of one model.

    Args:
        preprocessor: Text to the backbone's inputs.
        encoder: The inputs to one vector a row or, for tags, a word.
        head: The vector to logits.
        whole: The inputs to logits, in the layers of the two.
        outputs: What the logits mean.
        unlikeness: The vector to `ood_score`, float32 `[N]`; None has none.
    """

    def __init__(
        self,
        preprocessor: Preprocessor,
        encoder: keras.Model,
        head: keras.Model,
        whole: keras.Model,
        outputs: Outputs,
        unlikeness: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> None:
        self._preprocessor, self._outputs, self._unlikeness = preprocessor, outputs, unlikeness
        self._columns = tuple(preprocessor.read.columns)
        self._is_of_words = isinstance(preprocessor, WordPreprocessor)
        shapes = {name: list(tensor.shape) for name, tensor in encoder.input.items()}
        if preprocessor.is_full:  # padding is mixed in, and other lengths would be answered otherwise
            for name in preprocessor.inputs:
                shapes[name][-1] = preprocessor.sequence_length
        self._tokens = {name: tf.TensorSpec(shape, tf.int32) for name, shape in shapes.items()}
        texts = {name: tf.TensorSpec([None], tf.string) for name in self._columns}

        @tf.function(input_signature=[texts], autograph=False)
        def read(columns):
            return preprocessor(columns)

        @tf.function(input_signature=[self._tokens], autograph=False)
        def encode(tokens):
            return encoder(tokens, training=False)

        @tf.function(
            input_signature=[tf.TensorSpec(encoder.output.shape, encoder.output.dtype)], autograph=False
        )
        def decide(vectors):
            return head(vectors, training=False)

        @tf.function(input_signature=[self._tokens], autograph=False)
        def logits(tokens):
            return whole(tokens, training=False) if self._is_of_words else decide(encode(tokens))

        self._read, self._encode, self._decide, self._logits = read, encode, decide, logits

    @functools.cached_property
    def serving_default(self) -> _Function:
        """From columns of strings `[N]` to the task's answer."""
        return of_columns(self._columns, self._answer)

    def others(self, facts: Mapping[str, Any]) -> dict[str, _Function]:
        """Return all other functions that make sense for the task, by the names of their signatures.

        Args:
            facts: What `metadata` gives: texts, whole numbers, or lists of them.
        """
        made = {name: self._of_examples(answer) for name, answer in self._outputs.of_examples.items()}
        made["tokens"] = _traced(self._answer_tokens, self._tokens)
        if not self._is_of_words:
            made["embed"] = of_columns(self._columns, self._embed)
        made["metadata"] = _traced(
            lambda _: {name: tf.constant(value, name=name) for name, value in facts.items()}, {}
        )
        return made

    def _answer(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if not self._is_of_words:
            return self._answer_tokens(self._read(columns))
        ((name, texts),) = columns.items()
        words = self._preprocessor.split(texts)  # type: ignore[attr-defined]
        tokens = self._preprocessor.pack(*self._preprocessor.tokenize({name: words.texts}))
        return self._outputs.answer(self._logits(tokens), words, texts)

    def _answer_tokens(self, tokens: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if self._outputs.of_words is not None:
            return self._outputs.of_words(self._logits(tokens))
        vectors = self._encode(tokens)
        answer = self._outputs.answer(self._decide(vectors))
        if self._unlikeness is None:
            return answer
        return answer | {"ood_score": self._unlikeness(tf.cast(vectors, tf.float32))}

    def _embed(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"embedding": tf.cast(self._encode(self._read(columns)), tf.float32)}

    def _of_examples(self, answer: Callable[[tf.Tensor], dict[str, tf.Tensor]]) -> _Function:
        features = {name: tf.io.FixedLenFeature([], tf.string) for name in self._columns}

        def answer_examples(taken: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return answer(self._logits(self._read(tf.io.parse_example(taken["inputs"], features))))

        return _traced(answer_examples, {"inputs": tf.TensorSpec([None], tf.string)})


def request(name: str, rows: Sequence[Mapping[str, str]], preprocessor: Preprocessor) -> dict[str, Any]:
    """Return the request, ready for JSON, by which a signature is asked for some rows.

    Args:
        name: Of a signature that takes inputs.
        rows: A text for each column.
        preprocessor: Of the model.
    """
    columns = {column: [row[column] for row in rows] for column in preprocessor.read.columns}
    inputs: dict[str, Any] = columns
    if name in OF_EXAMPLES:
        inputs = {"inputs": [{"b64": base64.b64encode(_example(row)).decode()} for row in rows]}
    elif name == "tokens":
        tokens = preprocessor({column: tf.constant(texts) for column, texts in columns.items()})
        inputs = {column: tensor.numpy().tolist() for column, tensor in tokens.items()}
    return {"signature_name": name, "inputs": inputs}


def _traced(
    answer: Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]], inputs: Mapping[str, tf.TensorSpec]
) -> _Function:
    """Return a function that takes its inputs as keywords."""

    def signature(**taken):
        return answer(taken)

    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()}
    return tf.function(signature, autograph=False).get_concrete_function(**named)


def _example(row: Mapping[str, str]) -> bytes:
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
        for name, text in row.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
