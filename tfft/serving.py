"""Ask a server that speaks as TensorFlow Serving does, over REST or gRPC.

    client, model = Rest("http://127.0.0.1:8501"), Model("model")
    client.predict(model, client.signature(model), [{"text": "good film"}])

Both clients answer alike: for each row, a plain value for each output by its
name. gRPC needs the extra `serve`.
"""

import base64
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tfft.errors import TfftError

Row = Mapping[str, Any]


class ServingError(TfftError):
    """A server cannot be reached, or does not answer what it was asked."""


@dataclass(frozen=True)
class Model:
    """Which model of a server to ask.

    Attributes:
        name: Of the model.
        version: Its number; None takes that of the label, or the one that the server chooses.
        label: Of a version, such as `stable`.
        signature: Name of the signature.
    """

    name: str = "model"
    version: int | None = None
    label: str | None = None
    signature: str = "serving_default"


@dataclass(frozen=True)
class Signature:
    """What a signature takes and gives.

    Attributes:
        inputs: TensorFlow's type of each input by name, as in `DT_STRING`, in the order of their names.
        outputs: The same of each output.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def text(self) -> str | None:
        """Name of the only input, if it takes strings; else None."""
        return next(iter(self.inputs)) if [*self.inputs.values()] == ["DT_STRING"] else None


class Client(Protocol):
    """What `Rest` and `Grpc` have in common."""

    def signature(self, model: Model) -> Signature:
        """Return what a model's signature takes and gives.

        Raises:
            ServingError: The server cannot be reached, or has no such model, version or signature.
        """

    def predict(self, model: Model, signature: Signature, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the outputs for each row: numbers, text, lists of them, and `{"b64": …}` for bytes.

        Args:
            model: Which model.
            signature: What its signature takes and gives.
            rows: A value for each input by its name, at least one row.

        Raises:
            ServingError: The server cannot be reached, or refuses the rows.
        """

    def answer(self, model: Model, signature: Signature, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs for inputs that are whole tensors, as golden requests have them.

        Args:
            model: Which model.
            signature: What its signature takes and gives.
            inputs: Of each input by its name, lists of values; `{"b64": …}` for bytes.

        Raises:
            ServingError: The server cannot be reached, or refuses the inputs.
        """


class Rest:
    """Asks over REST.

    Args:
        url: Of the server, as in `http://127.0.0.1:8501`.
        seconds: Longest wait for an answer.

    Raises:
        ServingError: The URL is not one of HTTP.
    """

    def __init__(self, url: str, *, seconds: float = 30) -> None:
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ServingError(f"{url}: expected the address of a server, as in http://127.0.0.1:8501.")
        self._url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._seconds = seconds

    def signature(self, model: Model) -> Signature:
        told = self._ask(f"{self._path(model)}/metadata")
        try:
            signatures = told["metadata"]["signature_def"]["signature_def"]
            found = _choose(signatures, model.signature)
            return Signature(
                *(
                    {name: info["dtype"] for name, info in sorted(found.get(side, {}).items())}
                    for side in ("inputs", "outputs")
                )
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise self._strange(told) from error

    def predict(self, model: Model, signature: Signature, rows: Sequence[Row]) -> list[dict[str, Any]]:
        names = [*signature.outputs]
        told = self._ask(
            f"{self._path(model)}:predict", {"signature_name": model.signature, "instances": [*rows]}
        )
        answers = told.get("predictions")
        if not isinstance(answers, list) or len(answers) != len(rows):
            raise self._strange(told)
        # With one output, a row's answer is the bare value.
        return [{names[0]: answer} for answer in answers] if len(names) == 1 else answers

    def answer(self, model: Model, signature: Signature, inputs: Mapping[str, Any]) -> dict[str, Any]:
        names = [*signature.outputs]
        told = self._ask(
            f"{self._path(model)}:predict", {"signature_name": model.signature, "inputs": {**inputs}}
        )
        outputs = {names[0]: told.get("outputs")} if len(names) == 1 else told.get("outputs")
        if not isinstance(outputs, dict):
            raise self._strange(told)
        return outputs

    def _path(self, model: Model) -> str:
        path = f"/v1/models/{urllib.parse.quote(model.name, safe='')}"
        if model.version is not None:
            return f"{path}/versions/{model.version}"
        return f"{path}/labels/{urllib.parse.quote(model.label, safe='')}" if model.label else path

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - http and https only, see above
            self._url + path, data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self._seconds) as response:  # noqa: S310
                content = response.read()
        except urllib.error.HTTPError as error:
            raise ServingError(f"{self._url} answers {error.code}: {_reason(error.read())}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ServingError(
                f"{self._url} cannot be reached: {reason}. Does a server run there?"
            ) from error
        try:
            told = json.loads(content)
        except ValueError as error:
            raise self._strange(content) from error
        if not isinstance(told, dict):
            raise self._strange(told)
        return told

    def _strange(self, told: Any) -> ServingError:
        return ServingError(f"{self._url} does not answer as TensorFlow Serving does: {str(told)[:200]}")


class Grpc:
    """Asks over gRPC.

    Args:
        address: `host:port` of the server, as in `127.0.0.1:8500`.
        seconds: Longest wait for an answer.

    Raises:
        ServingError: The address is none, or the packages that it takes are missing.
    """

    def __init__(self, address: str, *, seconds: float = 30) -> None:
        self._address = address.rpartition("://")[2].rstrip("/")
        if ":" not in self._address:
            raise ServingError(f"{address}: expected host:port of a server, as in 127.0.0.1:8500.")
        try:
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ModuleNotFoundError as error:
            raise ServingError(f"gRPC needs {error.name}: pip install 'tfft[serve]'.") from error
        self._seconds, self._failure = seconds, grpc.RpcError
        channel = grpc.insecure_channel(self._address, [("grpc.max_receive_message_length", -1)])
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def signature(self, model: Model) -> Signature:
        from tensorflow.core.framework.types_pb2 import DataType
        from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap

        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name(request, model)
        told = self._ask(self._stub.GetModelMetadata, request)
        signatures = SignatureDefMap()
        told.metadata["signature_def"].Unpack(signatures)
        found = _choose(signatures.signature_def, model.signature)
        return Signature(
            *(
                {name: DataType.Name(side[name].dtype) for name in sorted(side)}
                for side in (found.inputs, found.outputs)
            )
        )

    def predict(self, model: Model, signature: Signature, rows: Sequence[Row]) -> list[dict[str, Any]]:
        inputs = {name: [row[name] for row in rows if name in row] for name in signature.inputs}
        for name, column in inputs.items():
            if len(column) < len(rows):
                raise ServingError(f"A row has no {name!r}; it needs {', '.join(signature.inputs)}.")
        columns = self.answer(model, signature, inputs)
        if any(not isinstance(column, list) or len(column) != len(rows) for column in columns.values()):
            raise ServingError("The signature does not give an answer for each row.")
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def answer(self, model: Model, signature: Signature, inputs: Mapping[str, Any]) -> dict[str, Any]:
        import tensorflow as tf
        from tensorflow.core.framework.types_pb2 import DataType
        from tensorflow_serving.apis.predict_pb2 import PredictRequest

        request = PredictRequest()
        self._name(request, model)
        request.model_spec.signature_name = model.signature
        for name, kind in signature.inputs.items():
            if name not in inputs:
                raise ServingError(f"There is no {name!r}; {model.signature} takes it.")
            try:
                value = _bytes_or_as_is(inputs[name])
                proto = tf.make_tensor_proto(value, tf.dtypes.as_dtype(DataType.Value(kind)))
            except (TypeError, ValueError) as error:
                raise ServingError(f"{name!r} takes values of type {kind}: {error}") from error
            request.inputs[name].CopyFrom(proto)
        told = self._ask(self._stub.Predict, request)
        return {name: _plain(name, tf.make_ndarray(told.outputs[name])) for name in sorted(told.outputs)}

    def _name(self, request: Any, model: Model) -> None:
        """Write which model a request is for."""
        request.model_spec.name = model.name
        if model.version is not None:
            request.model_spec.version.value = model.version
        elif model.label:
            request.model_spec.version_label = model.label

    def _ask(self, method, request):
        try:
            return method(request, timeout=self._seconds)
        except self._failure as error:
            code = error.code().name
            hint = " Does a server run there?" if code == "UNAVAILABLE" else ""
            raise ServingError(f"{self._address} answers {code}: {error.details()}{hint}") from error


def _choose(signatures: Mapping[str, Any], name: str) -> Any:
    if name not in signatures:
        there = ", ".join(sorted(key for key in signatures if not key.startswith("__")))
        raise ServingError(f"The model has no signature {name!r}; it has {there or 'none'}.")
    return signatures[name]


def _reason(content: bytes) -> str:
    """Return the message of an error's body."""
    try:
        return str(json.loads(content)["error"])
    except (KeyError, TypeError, ValueError):
        return content.decode("utf-8", "replace")[:200] or "nothing more"


def _bytes_or_as_is(value: Any) -> Any:
    """Return values with the bytes that stand for each `{"b64": …}`."""
    if isinstance(value, list):
        return [_bytes_or_as_is(item) for item in value]
    if isinstance(value, dict) and value.keys() == {"b64"}:
        return base64.b64decode(value["b64"])
    return value


def _plain(name: str, array: Any) -> Any:
    """Return a NumPy array that gRPC brought as REST writes it: 0.1 for the float32 that is nearest to it."""
    import numpy as np

    if array.dtype.kind == "f":
        return array.astype(str).astype(np.float64).tolist()
    if array.dtype.kind != "O":
        return array.tolist()
    flat = [_text(name, item) for item in array.reshape(-1)]
    return np.array(flat, object).reshape(array.shape).tolist()


def _text(name: str, value: bytes) -> Any:
    if name.endswith("_bytes"):
        return {"b64": base64.b64encode(value).decode("ascii")}
    return value.decode("utf-8", "replace")
