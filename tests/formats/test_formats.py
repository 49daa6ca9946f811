"""The contract that every format keeps, on a model that has learned something."""

import dataclasses
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfft import finished, plugins
from tfft.errors import RunError
from tfft.formats import OfText, OfTokens, _litert, _runtimes

NAMES = plugins.names("formats")
TEXTS = ["good film", "the plot was very awful and poor , not watchable", ""]


@pytest.fixture(scope="module")
def model(trained):
    return finished.restore(trained.directory)


def inputs_of(model, texts):
    return {name: value.numpy() for name, value in model.preprocessor({"text": tf.constant(texts)}).items()}


def asking(model):
    """What asks a model by the signature `tokens`."""
    function = model.signatures.others({})["tokens"]
    return lambda inputs: {
        name: value.numpy()
        for name, value in function(**{key: tf.constant(array) for key, array in inputs.items()}).items()
    }


def texts_of(values):
    return [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]


def alike(found, expected, tolerance):
    assert found.keys() == expected.keys()
    assert texts_of(found["label"]) == texts_of(expected["label"])
    for name in ("score", "probabilities"):
        assert found[name].shape == expected[name].shape
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_a_format_tells_of_itself(name):
    form = plugins.load("formats", name)()
    assert isinstance(form, (OfText, OfTokens))
    assert dataclasses.is_dataclass(form)
    assert 0 < form.tolerance <= 0.1
    assert 0.9 < form.agreement <= 1
    assert re.fullmatch(r"[A-Z][^\n]*\.", form.lost), "whole sentences"
    # What is only written otherwise, not kept in fewer bits, answers as float32 does.
    assert (form.tolerance == 1e-5) == (form.agreement == 1) == (name in ("litert", "onnx"))


@pytest.mark.parametrize("name", NAMES)
def test_it_answers_as_float32_does(name, trained, model, tmp_path):
    form = plugins.load("formats", name)()
    if isinstance(form, OfText):
        changed = form.read(lambda: finished.restore(trained.directory))
        ask = asking(changed)
        narrow = [v for v in changed.whole.weights if v.dtype in ("bfloat16", "int8")]
        assert sum(np.prod(v.shape) for v in narrow) > 0.5 * model.whole.count_params()
    else:
        path = tmp_path / form.file
        function, variables = model.signatures.others({})["tokens"], model.whole.weights
        form.write(function, [variable.value for variable in variables], path)
        ask = form.load(path)
        assert form.load == getattr(_runtimes, form.runtime)
    expected = asking(model)
    for texts in (TEXTS[:1], TEXTS):  # any number of rows and of tokens
        inputs = inputs_of(model, texts)
        alike(ask(inputs), expected(inputs), form.tolerance)
    # What is restored later is what was there before.
    assert {str(v.dtype) for v in finished.restore(trained.directory).whole.weights} == {"float32"}


def test_runtimes_are_asked_in_a_process_without_tensorflow(model, tmp_path):
    function, variables = model.signatures.others({})["tokens"], [v.value for v in model.whole.weights]
    _litert.write(function, variables, tmp_path / "model.tflite")
    program = (
        "import json, sys, io, runpy\n"
        f"sys.argv = ['x', 'litert', {str(tmp_path / 'model.tflite')!r}]\n"
        f"runpy.run_path({_runtimes.__file__!r}, run_name='__main__')\n"
        "print()\nprint(sorted(n for n in ('tensorflow', 'keras', 'tfft') if sys.modules.get(n)))\n"
    )
    requests = (
        '[{"inputs": {"token_ids": [[2, 13, 9, 3]], "segment_ids": [[0, 0, 0, 0]], '
        '"padding_mask": [[1, 1, 1, 1]]}}, {"inputs": {"token_ids": [[2]]}}]'
    )
    done = subprocess.run([sys.executable, "-c", program], input=requests, capture_output=True, text=True)
    answers, modules = done.stdout.splitlines()[-2:]
    assert modules == "[]", done.stderr
    assert '"label": ["good"]' in answers
    assert "Error: " in answers, "a request that cannot be answered stands beside those that can"


@pytest.mark.parametrize(
    ("name", "told"), [("litert", "LiteRT does not have"), ("onnx", "tf2onnx does not know")]
)
def test_operations_that_a_format_lacks_are_named(name, told, tmp_path):
    @tf.function(autograph=False)
    def spectrum(**taken):
        return {"y": tf.math.real(tf.signal.fft(tf.complex(taken["x"], taken["x"])))}

    function = spectrum.get_concrete_function(x=tf.TensorSpec([None, 4], tf.float32, "x"))
    with pytest.raises(RunError, match=f"cannot be converted: {told} .*FFT"):
        plugins.load("formats", name)().write(function, [], tmp_path / "x")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["litert", "onnx"])
def test_a_model_that_one_file_cannot_hold(name, tmp_path):
    class Huge:
        dtype, shape = tf.float32, tf.TensorShape([2**15, 2**15])

    with pytest.raises(RunError, match="has 4,294,967,296 bytes of weights; a file of this format holds"):
        plugins.load("formats", name)().write(None, [Huge()], tmp_path / "x")


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        (lambda x: x[:, None], (2, 1, 3)),
        (lambda x: x[None, :, None, :, None], (1, 2, 1, 3, 1)),
        (lambda x: x[..., None], (2, 3, 1)),
        (lambda x: x[None, ..., None, :, None], (1, 2, 1, 3, 1)),
        (lambda x: x[:1, None, ::2], (1, 1, 2)),  # more than axes: left as it is
    ],
)
def test_axes_are_added_as_a_slice_adds_them(added, expected):
    @tf.function(autograph=False)
    def widen(**taken):
        return {"y": added(taken["x"])}

    function = widen.get_concrete_function(x=tf.TensorSpec([None, None], tf.float32, "x"))
    frozen = _litert._frozen(function)
    x = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert frozen(x=x)["y"].shape == expected
    np.testing.assert_array_equal(frozen(x=x)["y"], added(x))
    left = [node for node in frozen.graph.as_graph_def().library.function for node in node.node_def]
    slices = [node for node in left if node.op == "StridedSlice" and node.attr["new_axis_mask"].i]
    assert len(slices) == (expected == (1, 1, 2))
