"""Tests of tfft/signatures.py, on a model that is trained and on others that are only put together."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import bert_preprocessor
from tfft import backbone, finished, head, inputs, plugins, reload_probe, signatures, word_preprocessor
from tfft.preprocessor import Preprocessor
from tfft.tasks import Facts
from tfft.window_preprocessor import WindowPreprocessor

TEXTS = ["a great film", "", "naïve 👍 awful plot", "the plot was poor " * 9]


@pytest.fixture(scope="module")
def model(trained):
    return finished.restore(trained.directory)


@pytest.fixture(scope="module")
def export(trained):
    return tf.saved_model.load(str(trained.export)).signatures


def put_together(tiny_preset, task, facts, *, kind=Preprocessor, columns="text", **named):
    """Return the signatures of a model that was never trained, and its preprocessor."""
    tf.keras.utils.set_random_seed(0)
    body, _ = backbone.load(tiny_preset, dropout=None)
    like = bert_preprocessor(12)
    preprocessor = kind(
        read=inputs.read(columns), tokenizer=like.tokenizer, frame=like.frame, sequence_length=12, **named
    )
    outputs = plugins.load("tasks", task)().outputs(facts, None)
    encoder = head.words(body) if task == "token_classification" else head.encoder(body, pooling="mean")
    if kind is WindowPreprocessor:
        encoder = head.windows(encoder, pooling="mean")
    top = head.dense(
        encoder.output.shape[1:], outputs.size, hidden_layers=[], activation="gelu", dropout=0.0,
        initializer="glorot_uniform",
    )  # fmt: skip
    made = signatures.Signatures(preprocessor, encoder, top, head.join(encoder, top), outputs)
    return made, preprocessor


def asked(functions, name, rows, preprocessor):
    """Return what a signature answers to rows, as arrays."""
    request = signatures.request(name, rows, preprocessor)
    answer = reload_probe.answer(functions[name], request["inputs"])
    return {key: np.array(value) for key, value in answer.items()}


def test_all_answer_as_the_first_does(export, model):
    rows = [{"text": text} for text in TEXTS]
    first, classes, tokens, vectors = (
        asked(export, name, rows, model.preprocessor)
        for name in ("serving_default", "classify", "tokens", "embed")
    )
    # In the order of the labels the probabilities rise or fall; the likeliest is first.
    np.testing.assert_array_equal(classes["classes"][:, 0], first["label"])
    np.testing.assert_array_equal(classes["scores"], -np.sort(-first["probabilities"], axis=1))
    assert {*classes["classes"].ravel()} == {"bad", "good"}
    assert tokens.keys() == first.keys()
    np.testing.assert_array_equal(tokens["label"], first["label"])
    np.testing.assert_allclose(tokens["probabilities"], first["probabilities"], atol=1e-6)
    # The head is one dense layer on what embed gives.
    kernel, bias = (weight.numpy() for weight in model.head.weights)
    logits = vectors["embedding"] @ kernel + bias
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(odds, first["probabilities"], atol=1e-5)


def test_they_have_the_names_and_types_that_the_servers_calls_ask_for(export):
    assert {*export} == {"serving_default", "classify", "tokens", "embed", "metadata"}
    classify = export["classify"]
    assert classify.structured_input_signature[1] == {"inputs": tf.TensorSpec([None], tf.string, "inputs")}
    assert {name: (t.dtype, t.shape.as_list()) for name, t in classify.structured_outputs.items()} == {
        "classes": (tf.string, [None, 2]),
        "scores": (tf.float32, [None, 2]),
    }
    assert export["tokens"].structured_input_signature[1] == {
        name: tf.TensorSpec([None, None], tf.int32, name)
        for name in ("token_ids", "segment_ids", "padding_mask")
    }
    assert export["embed"].structured_outputs["embedding"].shape.as_list() == [None, 8]


def test_the_metadata_tell_what_a_client_needs(export):
    told = reload_probe.answer(export["metadata"], {})
    assert (told["labels"], told["columns"], told["task"]) == (
        ["bad", "good"], ["text"], "text_classification",
    )  # fmt: skip
    assert told["sequence_length"] == 16
    assert f"tensorflow {tf.__version__}" in told["versions"]


def test_an_example_without_the_text_is_refused(export):
    empty = tf.constant([tf.train.Example().SerializeToString()])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Feature: text .* is required"):
        export["classify"](inputs=empty)


def operations(functions):
    """Count the operations that take weights, in what is written for functions together."""
    graphs = [function.graph.as_graph_def() for function in functions]
    bodies = {body.signature.name: body.node_def for graph in graphs for body in graph.library.function}
    nodes = [
        *(node for graph in graphs for node in graph.node),
        *(n for body in bodies.values() for n in body),
    ]
    return Counter(
        node.op for node in nodes if node.op in ("MatMul", "Einsum", "ResourceGather", "RegexReplace")
    )


def test_the_way_through_the_model_is_written_once(model):
    alone = operations([model.serve])
    assert alone["Einsum"] + alone["MatMul"] > 10
    others = model.signatures.others({"labels": ["bad", "good"]})
    assert operations([model.serve, *others.values()]) == alone


def test_every_weight_is_written_once_for_all(trained, model):
    written = tf.train.list_variables(str(trained.export / "variables" / "variables"))
    sizes = sorted(int(np.prod(shape)) for name, shape in written if not name.startswith("_CHECKPOINTABLE"))
    assert sizes == sorted(int(np.prod(weight.shape)) for weight in model.whole.weights)


def test_a_number_of_a_pair(tiny_preset):
    made, preprocessor = put_together(
        tiny_preset, "regression", Facts(mean=100.0, scale=10.0), columns=["first", "second"]
    )
    functions = {"serving_default": made.serving_default, **made.others({"task": "regression"})}
    assert {*functions} == {"serving_default", "regress", "tokens", "embed", "metadata"}
    rows = [{"text_a": "good", "text_b": "bad film"}, {"text_a": "", "text_b": "x y z"}]
    score = asked(functions, "serving_default", rows, preprocessor)["score"]
    outputs = functions["regress"].structured_outputs["outputs"]
    assert (outputs.dtype, outputs.shape.as_list()) == (tf.float32, [None])
    np.testing.assert_array_equal(asked(functions, "regress", rows, preprocessor)["outputs"], score)
    np.testing.assert_array_equal(asked(functions, "tokens", rows, preprocessor)["score"], score)
    assert score[0] != score[1]


def test_windows(tiny_preset):
    made, preprocessor = put_together(
        tiny_preset, "text_classification", Facts(("bad", "good")), kind=WindowPreprocessor, at_most=3,
        overlap=2,
    )  # fmt: skip
    functions = {"serving_default": made.serving_default, **made.others({"task": "text_classification"})}
    rows = [{"text": text} for text in TEXTS]
    first = asked(functions, "serving_default", rows, preprocessor)
    tokens = signatures.request("tokens", rows, preprocessor)["inputs"]
    assert np.shape(tokens["token_ids"]) == (4, 3, 12)
    assert np.shape(tokens["window_mask"]) == (4, 3)
    again = asked(functions, "tokens", rows, preprocessor)
    np.testing.assert_array_equal(again["probabilities"], first["probabilities"])


def test_tags(tiny_preset):
    from tfft.words import by_white_space

    made, preprocessor = put_together(
        tiny_preset, "token_classification", Facts(("O", "B-x", "I-x"), scheme="BIO"),
        kind=word_preprocessor.WordPreprocessor, split=by_white_space,
    )  # fmt: skip
    functions = {"serving_default": made.serving_default, **made.others({"task": "token_classification"})}
    # A row has no vector of its own, and a word's labels do not fit the call Classify.
    assert {*functions} == {"serving_default", "tokens", "metadata"}
    rows = [{"text": "the great film"}, {"text": "awful"}]
    first = asked(functions, "serving_default", rows, preprocessor)
    tokens = asked(functions, "tokens", rows, preprocessor)
    assert first["tags"].tolist()[1][1:] == ["", ""]
    for row, words in ((0, 3), (1, 1)):
        np.testing.assert_array_equal(tokens["tags"][row, :words], first["tags"][row, :words])
        np.testing.assert_array_equal(tokens["scores"][row, :words], first["scores"][row, :words])


def test_where_padding_is_mixed_in_rows_have_one_length(tiny_preset):
    made, preprocessor = put_together(
        tiny_preset, "text_classification", Facts(("bad", "good")), kind=WindowPreprocessor, at_most=2,
        overlap=2, is_full=True,
    )  # fmt: skip
    functions = made.others({"task": "text_classification"})
    taken = functions["tokens"].structured_input_signature[1]
    assert taken["token_ids"].shape.as_list() == [None, None, 12]
    assert taken["window_mask"].shape.as_list() == [None, None]
    assert asked(functions, "tokens", [{"text": "good"}], preprocessor)["label"].shape == (1,)
