"""Requests in JSON as calls, and outputs as JSON.

The format is that of https://www.tensorflow.org/tfx/serving/api_rest.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from tfft.server import examples, signatures
from tfft.server.calls import Call
from tfft.server.status import Code, invalid

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
        raise invalid(f"The request must be an object, got {_kind(found)}.")
    return found


def predict(known: Mapping[str, SignatureDef], request: Mapping[str, Any]) -> Call[str]:
    """Return the call of any signature, in rows (`instances`) or in columns (`inputs`).

    Raises:
        RequestError: The request does not fit the signature.
    """
    name = _signature_name(request) or signatures.DEFAULT
    signature = signatures.find(known, name, Code.INVALID_ARGUMENT)
    if ("instances" in request) == ("inputs" in request):
        raise invalid("The request must have either 'instances' or 'inputs'.")
    if "instances" in request:
        columns, write = _columns(request["instances"], signature), _write_rows
    else:
        columns, write = _named(request["inputs"], signature), _write_columns
    inputs = {key: _array(key, value, signature.inputs[key].dtype) for key, value in columns.items()}
    signatures.check(signature, inputs)
    return Call(name, inputs, write)


def classify(known: Mapping[str, SignatureDef], request: Mapping[str, Any]) -> Call[str]:
    """Return the call of a classification; raises as `examples.classify`."""
    call = examples.classify(known, _signature_name(request), _examples(request))

    def write(result: ClassificationResult) -> list:
        return [
            [[one.label, _short(np.float32(one.score))] for one in row.classes]
            for row in result.classifications
        ]

    return Call(call.signature, call.inputs, _results(call.answer, write))


def regress(known: Mapping[str, SignatureDef], request: Mapping[str, Any]) -> Call[str]:
    """Return the call of a regression; raises as `examples.regress`."""
    call = examples.regress(known, _signature_name(request), _examples(request))

    def write(result: RegressionResult) -> list:
        return [_short(np.float32(one.value)) for one in result.regressions]

    return Call(call.signature, call.inputs, _results(call.answer, write))


def _results(
    answer: Callable[[Mapping[str, np.ndarray]], Any], write: Callable[[Any], list]
) -> Callable[[Mapping[str, np.ndarray]], str]:
    return lambda outputs: json.dumps({"results": write(answer(outputs))})


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


def _signature_name(request: Mapping[str, Any]) -> str:
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(f"'signature_name' must be a string, got {_kind(name)}.")
    return name


def _columns(instances: Any, signature: SignatureDef) -> dict[str, list]:
    """Return a column for each input, given rows: objects, or bare values where there is one input."""
    if not isinstance(instances, list) or not instances:
        raise invalid("'instances' must be a list of at least one row.")
    names = sorted(signature.inputs)
    if not names:
        raise invalid("This signature has no inputs, so it has no rows; ask it with 'inputs': {}.")
    if not _is_named(instances[0]):
        if len(names) > 1:
            raise invalid(f"Each of 'instances' must be an object with {names}.")
        for number, row in enumerate(instances):
            if _is_named(row):
                raise invalid(f"Row {number} of 'instances' is an object, but the first is a value.")
        return {names[0]: instances}
    for number, row in enumerate(instances):
        if not _is_named(row):
            raise invalid(f"Row {number} of 'instances' is no object, but the first is.")
        if sorted(row) != names:
            raise invalid(f"Row {number} of 'instances' must have {names}, got {_listed(row)}.")
    return {name: [row[name] for row in instances] for name in names}


def _named(inputs: Any, signature: SignatureDef) -> dict[str, Any]:
    """Return the value of each input, given an object, or a bare value where there is one input."""
    names = sorted(signature.inputs)
    if not _is_named(inputs):
        if len(names) != 1:
            raise invalid(f"'inputs' must be an object with {names}.")
        return {names[0]: inputs}
    if missing := [name for name in names if name not in inputs]:
        raise invalid(f"'inputs' lacks {missing}; it has {_listed(inputs)}.")
    return {name: inputs[name] for name in names}


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _array(name: str, value: Any, data_type: int) -> np.ndarray:
    """Return nested lists of equal lengths as an array."""
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
        return invalid(f"Input {name!r}: expected {kind.name}, got {_kind(value)} {_shown(value)}.")

    def text(value: Any) -> bytes:
        if isinstance(value, dict):
            return _bytes(value, f"Input {name!r}")
        if not isinstance(value, str):
            raise refuse(value)
        return _utf8(value)

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
            raise invalid(f"Input {name!r}: {_shown(value)} cannot be written as {kind.name} without loss.")
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


def _bytes(value: dict, where: str) -> bytes:
    if not _is_base64(value):
        raise invalid(f"{where}: an object stands for bytes only as {{'b64': '...'}}.")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"{where}: 'b64' is no base64.") from error


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise invalid("JSON parse error: half of a surrogate pair stands alone.") from error


def _examples(request: Mapping[str, Any]) -> list[Example]:
    """Return the rows of `examples`, each with the features of `context` that it does not have itself."""
    context = request.get("context", {})
    rows = request.get("examples")
    if not isinstance(rows, list) or not rows:
        raise invalid("'examples' must be a list of at least one object.")
    if not all(isinstance(row, dict) for row in [context, *rows]):
        raise invalid("'context' and each of 'examples' must be an object of features.")
    made = []
    for row in rows:
        example = Example()
        for name, value in {**context, **row}.items():
            _utf8(name)
            example.features.feature[name].CopyFrom(_feature(name, value))
        made.append(example)
    return made


def _feature(name: str, value: Any) -> Feature:
    values = value if isinstance(value, list) else [value]
    feature = Feature()
    for item in values:
        kind = "bytes_list" if isinstance(item, (str, dict)) else "float_list"
        if isinstance(item, int):  # a truth value, too
            kind = "int64_list"
        if item is None or isinstance(item, list):
            raise invalid(f"Feature {name!r}: a value cannot be {_kind(item)}.")
        if feature.WhichOneof("kind") not in (None, kind):
            raise invalid(f"Feature {name!r}: its values are of different types.")
        if kind == "bytes_list":
            read = _bytes(item, f"Feature {name!r}") if isinstance(item, dict) else _utf8(item)
            feature.bytes_list.value.append(read)
        elif kind == "int64_list":
            if not -(2**63) <= item < 2**63:
                raise invalid(f"Feature {name!r}: {_shown(item)} is not an int64.")
            feature.int64_list.value.append(int(item))
        else:
            if np.isfinite(item) and abs(item) > float(np.finfo(np.float32).max):
                raise invalid(f"Feature {name!r}: {_shown(item)} cannot be written as float32 without loss.")
            feature.float_list.value.append(item)
    return feature


def _write_rows(outputs: Mapping[str, np.ndarray]) -> str:
    sizes = {array.shape[0] if array.ndim else None for array in outputs.values()}
    if len(sizes) != 1 or None in sizes:
        raise invalid("The outputs do not have a row each; ask in columns, with 'inputs'.")
    columns = {name: _plain(name, array) for name, array in sorted(outputs.items())}
    if len(columns) == 1:
        return json.dumps({"predictions": next(iter(columns.values()))}, ensure_ascii=False)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return json.dumps({"predictions": rows}, ensure_ascii=False)


def _write_columns(outputs: Mapping[str, np.ndarray]) -> str:
    columns = {name: _plain(name, array) for name, array in sorted(outputs.items())}
    whole = next(iter(columns.values())) if len(columns) == 1 else columns
    return json.dumps({"outputs": whole}, ensure_ascii=False)


def _plain(name: str, array: np.ndarray) -> Any:
    """Return an array as nested lists of what JSON has."""
    if array.dtype == object:
        read = _base64 if name.endswith(BYTES) else _text
        return np.array([read(value) for value in array.reshape(-1)], object).reshape(array.shape).tolist()
    if array.dtype.kind in "biu":
        return array.tolist()
    if array.dtype.kind == "f" or array.dtype == tf.bfloat16.as_numpy_dtype:
        return _short(array)
    raise invalid(f"Output {name!r}: values of type {array.dtype.name} cannot be sent as JSON.")


def _short(array: Any) -> Any:
    """Return decimals with the fewest digits that keep them apart in their own type: 0.1 for a float32."""
    values = np.asarray(array)
    if values.dtype == tf.bfloat16.as_numpy_dtype:
        values = values.astype(np.float32)
    return values.astype(str).astype(np.float64).tolist()


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode("ascii")}


def _kind(value: Any) -> str:
    names: Sequence[tuple[type, str]] = (
        (bool, "a truth value"), (int, "a number"), (float, "a number"), (str, "a string"), (list, "a list"),
        (dict, "an object"),
    )  # fmt: skip
    return next((name for type_, name in names if isinstance(value, type_)), "null")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _listed(names: Mapping[str, Any]) -> list[str]:
    return [_shown(name) for name in sorted(names)][:8]
