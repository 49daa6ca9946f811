"""Tests of tfft/server/tensor_protos.py."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tfft.server import tensor_protos
from tfft.server.status import RequestError

MOST = 10_000


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1.5, 2.5]], np.float32),
        np.array([1.5], np.float16),
        np.array([1.5], tf.bfloat16.as_numpy_dtype),
        np.array([1j], np.complex64),
        np.array([True, False]),
        np.array([-1, 1], np.int8),
        np.array(2**64 - 1, np.uint64),
        np.array([b"a", b"\xff\x00"], object),
        np.zeros((0, 3), np.float32),
    ],
)
def test_arrays_come_back(array):
    found = tensor_protos.read("x", tensor_protos.write(array), MOST)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)


def test_the_bound_is_that_of_the_array():
    def zeros(size):
        proto = TensorProto(dtype=tf.int32.as_datatype_enum, int_val=[0])
        proto.tensor_shape.dim.add(size=size)
        return proto

    assert tensor_protos.read("x", zeros(100), 800).shape == (100,)
    with pytest.raises(RequestError, match=r"its shape \[101\] is too large"):
        tensor_protos.read("x", zeros(101), 800)


SIZES = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=4)


@given(
    st.builds(
        TensorProto,
        dtype=st.integers(0, 30) | st.integers(0, 130),
        tensor_content=st.binary(max_size=20) | st.just(b""),
        float_val=st.lists(st.floats(width=32), max_size=3),
        int_val=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
        string_val=st.lists(st.binary(max_size=3), max_size=3),
        half_val=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
    ),
    SIZES,
    st.booleans(),
)
def test_any_message_is_an_array_or_refused(proto, sizes, unknown):
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = unknown
    with contextlib.suppress(RequestError):  # any other exception would be a defect
        array = tensor_protos.read("x", proto, MOST)
        assert [*array.shape] == sizes
        assert array.size * 8 <= MOST
        assert array.dtype == tf.dtypes.as_dtype(proto.dtype).as_numpy_dtype
