"""Tests of tfft/server/json_values.py, and of what in json_calls.py needs no server."""

import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tfft.server import json_calls, json_values
from tfft.server.status import RequestError


def signature(dtype):
    """Return a signature with one input `x` and one output `y` of a type."""
    made = SignatureDef()
    for info in (made.inputs["x"], made.outputs["y"]):
        info.dtype = dtype.as_datatype_enum
        info.tensor_shape.unknown_rank = True
    return {"s": made}


def sent(dtype, value):
    """Return the array that an input becomes."""
    return json_calls.predict(signature(dtype), {"signature_name": "s", "inputs": value}).inputs["x"]


@pytest.mark.parametrize(
    ("body", "depth"),
    [
        (b"1", 0),
        (b"{}", 1),
        (b'{"a": [1, [2], {"b": []}]}', 4),
        (b'{"[[[[": "]]]]"}', 1),
        (b'{"a\\"[[[": "\\\\"}', 1),
        (b'{"\\\\": [["\\\\\\"[["]]}', 3),
        (b"[][][]", 1),
    ],
)
def test_the_limit_of_depth_is_exact(body, depth):
    assert json_values._depth(body) == depth


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_depth_is_that_of_what_is_parsed(value):
    def depth(part):
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    for ascii_only in (True, False):
        assert json_values._depth(json.dumps(value, ensure_ascii=ascii_only).encode()) == depth(value)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (tf.uint64, [0, 2**64 - 1, 5]),
        (tf.int64, [-(2**63), 2**63 - 1]),
        (tf.uint8, [0, 255]),
        (tf.int8, [-128, 127]),
        (tf.bool, [True, False]),
        (tf.float16, [65504.0, 0.5]),
        (tf.float32, [3.4e38, 2**24 - 1, float("inf")]),
        (tf.float64, [1.7e308, 2**53 - 1]),
        (tf.string, [["a", "ß"], ["", "x"]]),
        (tf.string, []),
        (tf.float32, [[], []]),
        (tf.float32, 1.5),
    ],
)
def test_values_are_kept(dtype, values):
    array = sent(dtype, values)
    expected = np.array(values, dtype.as_numpy_dtype)
    if dtype == tf.string:
        expected = np.array(np.char.encode(np.array(values, str), "utf-8"), object)
    assert array.dtype == dtype.as_numpy_dtype
    assert array.shape == expected.shape
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (tf.uint8, 256),
        (tf.int8, -129),
        (tf.uint64, -1),
        (tf.uint64, 2**64),
        (tf.int32, True),
        (tf.int32, 1.0),
        (tf.bool, 1),
        (tf.float16, 70000.0),
        (tf.float32, "1"),
        (tf.float64, 2**53),
        (tf.string, [{"b64": 1}]),
        (tf.string, [[["a"]], [[["a"]]]]),
        (tf.float32, [[1], 2]),
        (tf.float32, [1, [2]]),
        (tf.complex64, 1.0),
        (tf.qint8, 1),
    ],
)
def test_values_that_do_not_fit_are_refused(dtype, value):
    with pytest.raises(RequestError, match="Input 'x'"):
        sent(dtype, value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_is_written_short_and_read_back_the_same(value):
    call = json_calls.predict(signature(tf.float32), {"signature_name": "s", "inputs": [0]})
    written = call.answer({"y": np.array([value], np.float32)})
    assert np.float32(json.loads(written)["outputs"][0]) == np.float32(value)
    assert json.loads(written)["outputs"][0] == float(str(np.float32(value)))


@pytest.mark.parametrize(
    ("array", "written"),
    [
        (np.array([0.1, 1, 1e30], np.float32), [0.1, 1.0, 1e30]),
        (np.array([0.1], np.float64), [0.1]),
        (np.array([0.1], np.float16), [0.1]),
        (np.array([1.5], tf.bfloat16.as_numpy_dtype), [1.5]),
        (np.array([[True]]), [[True]]),
        (np.array([2**64 - 1], np.uint64), [2**64 - 1]),
        (np.array([b"\xc3\x9f", b"\xff"], object), ["ß", "\ufffd"]),
        (np.array(3), 3),
        (np.zeros((2, 0), np.float32), [[], []]),
    ],
)
def test_outputs_as_json(array, written):
    call = json_calls.predict(signature(tf.float32), {"signature_name": "s", "inputs": [0]})
    assert json.loads(call.answer({"y": array})) == {"outputs": written}


def test_outputs_that_json_does_not_have():
    call = json_calls.predict(signature(tf.float32), {"signature_name": "s", "inputs": [0]})
    with pytest.raises(RequestError, match="values of type complex64 cannot be sent"):
        call.answer({"y": np.array([1j], np.complex64)})


def test_rows_need_outputs_of_one_length():
    call = json_calls.predict(signature(tf.float32), {"signature_name": "s", "instances": [0, 1]})
    assert json.loads(call.answer({"y": np.array([3, 4])})) == {"predictions": [3, 4]}
    for outputs in ({"y": np.array(3)}, {"y": np.array([3]), "z": np.array([1, 2])}):
        with pytest.raises(RequestError, match="do not have a row each"):
            call.answer(outputs)


def test_each_kind_of_feature():
    known = {"s": SignatureDef()}
    known["s"].inputs["inputs"].dtype = tf.string.as_datatype_enum
    known["s"].inputs["inputs"].tensor_shape.dim.add(size=-1)
    known["s"].outputs["outputs"].dtype = tf.float32.as_datatype_enum
    row = {"truth": [True, False], "whole": -3, "decimal": [0.5], "text": "ß", "raw": {"b64": "/w=="}}
    call = json_calls.regress(known, {"signature_name": "s", "examples": [row]})
    found = Example.FromString(call.inputs["inputs"][0]).features.feature
    assert [*found["truth"].int64_list.value] == [1, 0]
    assert [*found["whole"].int64_list.value] == [-3]
    assert [*found["decimal"].float_list.value] == [0.5]
    assert [*found["text"].bytes_list.value] == ["ß".encode()]
    assert [*found["raw"].bytes_list.value] == [b"\xff"]
