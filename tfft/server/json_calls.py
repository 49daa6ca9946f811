"""Requests in JSON as calls, and outputs as JSON.

The format is that of https://www.tensorflow.org/tfx/serving/api_rest.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from tfft.server import examples, json_values, signatures
from tfft.server.calls import Call
from tfft.server.status import Code, invalid


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
    inputs = {
        key: json_values.array(key, value, signature.inputs[key].dtype) for key, value in columns.items()
    }
    signatures.check(signature, inputs)
    return Call(name, inputs, write)


def classify(known: Mapping[str, SignatureDef], request: Mapping[str, Any]) -> Call[str]:
    """Return the call of a classification; raises as `examples.classify`."""
    call = examples.classify(known, _signature_name(request), _examples(request))

    def write(result: ClassificationResult) -> list:
        return [
            [[one.label, json_values.short(np.float32(one.score))] for one in row.classes]
            for row in result.classifications
        ]

    return Call(call.signature, call.inputs, _results(call.answer, write))


def regress(known: Mapping[str, SignatureDef], request: Mapping[str, Any]) -> Call[str]:
    """Return the call of a regression; raises as `examples.regress`."""
    call = examples.regress(known, _signature_name(request), _examples(request))

    def write(result: RegressionResult) -> list:
        return [json_values.short(np.float32(one.value)) for one in result.regressions]

    return Call(call.signature, call.inputs, _results(call.answer, write))


def _results(
    answer: Callable[[Mapping[str, np.ndarray]], Any], write: Callable[[Any], list]
) -> Callable[[Mapping[str, np.ndarray]], str]:
    return lambda outputs: json.dumps({"results": write(answer(outputs))})


def _signature_name(request: Mapping[str, Any]) -> str:
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(f"'signature_name' must be a string, got {json_values.kind_of(name)}.")
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
    return isinstance(value, dict) and not json_values.is_base64(value)


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
            json_values.utf8(name)
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
            raise invalid(f"Feature {name!r}: a value cannot be {json_values.kind_of(item)}.")
        if feature.WhichOneof("kind") not in (None, kind):
            raise invalid(f"Feature {name!r}: its values are of different types.")
        if kind == "bytes_list":
            read = (
                json_values.bytes_of(item, f"Feature {name!r}")
                if isinstance(item, dict)
                else json_values.utf8(item)
            )
            feature.bytes_list.value.append(read)
        elif kind == "int64_list":
            if not -(2**63) <= item < 2**63:
                raise invalid(f"Feature {name!r}: {json_values.shown(item)} is not an int64.")
            feature.int64_list.value.append(int(item))
        else:
            if np.isfinite(item) and abs(item) > float(np.finfo(np.float32).max):
                raise invalid(
                    f"Feature {name!r}: {json_values.shown(item)} cannot be written as float32 without loss."
                )
            feature.float_list.value.append(item)
    return feature


def _write_rows(outputs: Mapping[str, np.ndarray]) -> str:
    sizes = {array.shape[0] if array.ndim else None for array in outputs.values()}
    if len(sizes) != 1 or None in sizes:
        raise invalid("The outputs do not have a row each; ask in columns, with 'inputs'.")
    columns = {name: json_values.plain(name, array) for name, array in sorted(outputs.items())}
    if len(columns) == 1:
        return json.dumps({"predictions": next(iter(columns.values()))}, ensure_ascii=False)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return json.dumps({"predictions": rows}, ensure_ascii=False)


def _write_columns(outputs: Mapping[str, np.ndarray]) -> str:
    columns = {name: json_values.plain(name, array) for name, array in sorted(outputs.items())}
    whole = next(iter(columns.values())) if len(columns) == 1 else columns
    return json.dumps({"outputs": whole}, ensure_ascii=False)


def _listed(names: Mapping[str, Any]) -> list[str]:
    return [json_values.shown(name) for name in sorted(names)][:8]
