"""The requests that TensorFlow Serving asks itself before it lets anyone else ask.

A signature's first request is slow, for the graph is made ready by it. The server finds these in
`assets.extra/tf_serving_warmup_requests`, a TFRecord of its message PredictionLog; one that it cannot
answer keeps it from loading the version.

The messages stand here with the fields that are used, for the package that has them whole asks for one
version of TensorFlow. What is a TensorProto there is bytes here, which are written alike.
"""

import base64
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2

from tfft.errors import RunError

FILE = Path("assets.extra") / "tf_serving_warmup_requests"

_STRING, _MESSAGE, _BYTES = 9, 11, 12
_MESSAGES: Mapping[str, Mapping[str, tuple[int, int | str]]] = {
    "PredictionLog": {"predict_log": (6, "PredictLog")},
    "PredictLog": {"request": (1, "PredictRequest")},
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, "Input")},
    "ModelSpec": {"name": (1, _STRING), "signature_name": (3, _STRING)},
    "Input": {"key": (1, _STRING), "value": (2, _BYTES)},  # an entry of a map
}


def write(version: Path, model: str, requests: Iterable[tuple[str, Mapping[str, tf.Tensor]]]) -> None:
    """Write requests into the folder of an export.

    Args:
        version: The folder.
        model: Name by which the server has the model.
        requests: Name of a signature, and its inputs.
    """
    with tf.io.TFRecordWriter(str(version / FILE)) as stream:
        for signature, inputs in requests:
            log = _log_class()()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = model, signature
            for name, tensor in inputs.items():
                content = tf.make_tensor_proto(tensor).SerializeToString()
                request.inputs.add(key=name, value=content)
            stream.write(log.SerializeToString(deterministic=True))


def read(version: Path) -> list[dict[str, Any]]:
    """Return the requests of an export, `signature_name` and `inputs`, ready for JSON.

    Raises:
        RunError: The file is missing or damaged.
    """
    path = version / FILE
    try:
        return [_read(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    except (tf.errors.OpError, DecodeError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read: {type(error).__name__}: {error}. Export the run again."
        ) from error


def _read(record: bytes) -> dict[str, Any]:
    log = _log_class().FromString(record)
    if not log.HasField("predict_log"):
        raise ValueError("a record is no request of the call Predict")
    request = log.predict_log.request
    tensors = {
        item.key: tf.make_ndarray(tensor_pb2.TensorProto.FromString(item.value)) for item in request.inputs
    }
    return {
        "signature_name": request.model_spec.signature_name,
        "inputs": {name: _ready_for_json(array.tolist()) for name, array in tensors.items()},
    }


def _ready_for_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_ready_for_json(item) for item in value]
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


@functools.cache
def _log_class() -> Any:
    """Return the class of PredictionLog, of a pool of its own beside that of the whole messages."""
    file = descriptor_pb2.FileDescriptorProto(name="warmup.proto", package="warmup", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            is_message = isinstance(kind, str)
            message.field.add(
                name=field,
                number=number,
                type=_MESSAGE if is_message else kind,
                type_name=f".warmup.{kind}" if is_message else None,
                label=3 if field == "inputs" else 1,  # repeated, or once
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("warmup.PredictionLog"))
