"""Tensors between protocol buffers and NumPy."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.types_pb2 import DataType

from tfft.server.status import invalid

_TYPES = {
    kind.as_datatype_enum: kind
    for kind in (
        tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128, tf.bool, tf.string,
        tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64,
    )
}  # fmt: skip


def read(name: str, proto: TensorProto, most_bytes: int) -> np.ndarray:
    """Return the array that a client sent.

    Args:
        name: Of the input, for messages.
        proto: The tensor. A value that is left out repeats the last one, so a short message may
            describe a large array.
        most_bytes: Size of the array that is still made.

    Raises:
        RequestError: It is no array of plain values, or too large.
    """
    if proto.dtype not in _TYPES:
        known = proto.dtype in DataType.values()
        raise invalid(
            f"Input {name!r}: a {DataType.Name(proto.dtype) if known else proto.dtype} cannot be sent."
        )
    kind = _TYPES[proto.dtype]
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise invalid(f"Input {name!r}: its shape {shape} is not known.")
    if len(shape) > 32 or math.prod(shape) * max(kind.size or 0, 8) > most_bytes:
        raise invalid(f"Input {name!r}: its shape {shape} is too large.")
    try:
        array = np.array(tf.make_ndarray(proto))
    except (OverflowError, TypeError, ValueError) as error:
        raise invalid(f"Input {name!r}: its values do not fill the shape {shape}.") from error
    if [*array.shape] != shape:
        raise invalid(f"Input {name!r}: its values do not fill the shape {shape}.")
    return array


def write(array: np.ndarray) -> TensorProto:
    """Return an array as the server sends it, its values one by one where it has strings."""
    return tf.make_tensor_proto(array)
