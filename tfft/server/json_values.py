"""JSON, and the arrays that it stands for, both ways, without loss."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfft.server.status import invalid

BYTES = "_bytes"
"""Ending of the names of strings that are no text: they are answered in base64."""

_LEVEL = np.zeros(256, np.int8)
_LEVEL[list(b"[{")], _LEVEL[list(b"]}")] = 1, -1


def parse(body: bytes, depth: int) -> dict[str, Any]:
    """Return the object that a body holds; NaN and Infinity are numbers, as in TensorFlow Serving.

    Args:
        body: JSON in UTF-8.
        depth: Most lists and objects within one another.

    Raises:
        RequestError: It is no JSON, no object, or too deep.
    """
    if _depth(body) > depth:
        raise invalid(f"JSON parse error: lists and objects lie deeper than {depth} in one another.")
    try:
        found = json.loads(body.decode("utf-8-sig"), parse_float=_decimal)
    except (ValueError, RecursionError) as error:
        told = str(error) if isinstance(error, json.JSONDecodeError) else "invalid UTF-8 or number"
        raise invalid(f"JSON parse error: {told}.") from error
    if not isinstance(found, dict):
        raise invalid(f"The request must be an object, got {kind_of(found)}.")
    return found


def array(name: str, value: Any, data_type: int) -> np.ndarray:
    """Return nested lists of equal lengths as an array.

    Args:
        name: Of the input, for messages.
        value: A value, or lists of values.
        data_type: Number of TensorFlow's type, as a signature has it.

    Raises:
        RequestError: The lists differ in length or depth, or a value is not of the type.
    """
    kind = tf.dtypes.as_dtype(data_type)
    shape, level, flat = [], [value], value
    while isinstance(flat, list):
        shape.append(len(flat))
        if not flat:
            break
        flat = flat[0]
    for size in shape:
        if any(not isinstance(part, list) or len(part) != size for part in level):
            raise invalid(f"Input {name!r}: its lists differ in length or depth.")
        level = [item for part in level for item in part]
    if len(shape) > 32:
        raise invalid(f"Input {name!r}: it has {len(shape)} dimensions; at most 32 can be sent.")
    read = _reader(name, kind)
    return np.array([read(item) for item in level], kind.as_numpy_dtype).reshape(shape)


def _reader(name: str, kind: tf.DType) -> Callable[[Any], Any]:
    """Return what takes one value of JSON as a tensor's, if nothing is lost by it."""

    def refuse(value: Any) -> Exception:
        return invalid(f"Input {name!r}: expected {kind.name}, got {kind_of(value)} {shown(value)}.")

    def text(value: Any) -> bytes:
        if isinstance(value, dict):
            return bytes_of(value, f"Input {name!r}")
        if not isinstance(value, str):
            raise refuse(value)
        return utf8(value)

    def truth(value: Any) -> bool:
        if not isinstance(value, bool):
            raise refuse(value)
        return value

    def whole(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not kind.min <= value <= kind.max:
            raise refuse(value)
        return value

    def decimal(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise refuse(value)
        largest, digits = float(kind.max), np.finfo(kind.as_numpy_dtype).nmant + 1
        if abs(value) >= 2**digits if isinstance(value, int) else np.isfinite(value) and abs(value) > largest:
            raise invalid(f"Input {name!r}: {shown(value)} cannot be written as {kind.name} without loss.")
        return float(value)

    if kind == tf.string:
        return text
    if kind == tf.bool:
        return truth
    if kind.is_integer and not kind.is_quantized:
        return whole
    if kind in (tf.float16, tf.float32, tf.float64):
        return decimal
    raise invalid(f"Input {name!r}: values of type {kind.name} cannot be sent as JSON.")


def bytes_of(value: dict, where: str) -> bytes:
    """Return what `{"b64": …}` stands for; `where` is for messages.

    Raises:
        RequestError: It is another object, or no base64.
    """
    if not is_base64(value):
        raise invalid(f"{where}: an object stands for bytes only as {{'b64': '...'}}.")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"{where}: 'b64' is no base64.") from error


def utf8(text: str) -> bytes:
    """Return a text of JSON as TensorFlow has it.

    Raises:
        RequestError: It is half a character.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise invalid("JSON parse error: half of a surrogate pair stands alone.") from error


def plain(name: str, array: np.ndarray) -> Any:
    """Return an array as nested lists of what JSON has.

    Raises:
        RequestError: JSON has no such values.
    """
    if array.dtype == object:
        read = _base64 if name.endswith(BYTES) else _text
        return np.array([read(value) for value in array.reshape(-1)], object).reshape(array.shape).tolist()
    if array.dtype.kind in "biu":
        return array.tolist()
    if array.dtype.kind == "f" or array.dtype == tf.bfloat16.as_numpy_dtype:
        return short(array)
    raise invalid(f"Output {name!r}: values of type {array.dtype.name} cannot be sent as JSON.")


def short(array: Any) -> Any:
    """Return decimals with the fewest digits that keep them apart in their own type: 0.1 for a float32."""
    values = np.asarray(array)
    if values.dtype == tf.bfloat16.as_numpy_dtype:
        values = values.astype(np.float32)
    return values.astype(str).astype(np.float64).tolist()


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode("ascii")}


def kind_of(value: Any) -> str:
    """Return what JSON calls a value, for messages."""
    names: Sequence[tuple[type, str]] = (
        (bool, "a truth value"), (int, "a number"), (float, "a number"), (str, "a string"), (list, "a list"),
        (dict, "an object"),
    )  # fmt: skip
    return next((name for type_, name in names if isinstance(value, type_)), "null")


def shown(value: Any) -> str:
    """Return the beginning of a value, for messages."""
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def is_base64(value: Any) -> bool:
    """Tell whether a value is an object that stands for bytes."""
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _decimal(written: str) -> float:
    value = float(written)
    if np.isinf(value):  # what stands for infinity is written out
        raise invalid(f"JSON parse error: {written[:20]} is too large for a number.")
    return value


def _depth(body: bytes) -> int:
    """Return how deep lists and objects lie, without recursion, which a hostile body could exhaust."""
    codes = np.frombuffer(body.replace(b"\\\\", b"").replace(b'\\"', b""), np.uint8)
    within_string = np.logical_xor.accumulate(codes == ord('"'))
    levels = np.where(within_string, 0, _LEVEL[codes]).cumsum(dtype=np.int32)
    return int(levels.max(initial=0))
