"""The gRPC interface: TensorFlow Serving's two services, and the standard one of health."""

import logging

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis.classification_pb2 import ClassificationResponse
from tensorflow_serving.apis.inference_pb2 import InferenceResult, MultiInferenceResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.model_service_pb2_grpc import (
    ModelServiceServicer,
    add_ModelServiceServicer_to_server,
)
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
    add_PredictionServiceServicer_to_server,
)
from tensorflow_serving.apis.regression_pb2 import RegressionResponse

from tfft.server import model_info, proto_calls, signatures
from tfft.server.requests import Requests, Target
from tfft.server.status import Code, RequestError, invalid

# A client that does not speak protocol buffers must not fill the log.
logging.getLogger("grpc._cython.cygrpc").addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], DecodeError))
)

_SERVICES = ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


class Grpc:
    """Hears gRPC requests on a port.

    Args:
        requests: What answers them.
    """

    def __init__(self, requests: Requests) -> None:
        limits = requests.limits
        self._seconds = limits.seconds
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limits.request_bytes),
                ("grpc.max_send_message_length", -1),
                # Two servers on one port would each get some of the requests.
                ("grpc.so_reuseport", 0),
            ],
            maximum_concurrent_rpcs=limits.connections,
        )
        self._health = health.aio.HealthServicer()
        add_PredictionServiceServicer_to_server(_Prediction(requests), self._server)
        add_ModelServiceServicer_to_server(_Model(requests), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def bind(self, address: str) -> int:
        """Listen at `host:port`; return the port, which the system chooses for 0.

        Raises:
            RuntimeError: The address is taken, or not of this machine.
        """
        return self._server.add_insecure_port(address)

    async def start(self) -> None:
        """Take calls."""
        await self._server.start()
        for service in _SERVICES:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self) -> None:
        """Take no more calls, and wait for those that are there."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._seconds + 1)


class _Prediction(PredictionServiceServicer):
    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def Predict(self, request, context):
        most = self._requests.limits.request_bytes
        version, (response,) = await self._answer(
            context, request.model_spec, "Predict", lambda known: [proto_calls.predict(known, request, most)]
        )
        response.model_spec.CopyFrom(_answered(request.model_spec, version))
        return response

    async def Classify(self, request, context):
        version, (result,) = await self._answer(
            context, request.model_spec, "Classify", lambda known: [proto_calls.classify(known, request)]
        )
        return ClassificationResponse(model_spec=_answered(request.model_spec, version), result=result)

    async def Regress(self, request, context):
        version, (result,) = await self._answer(
            context, request.model_spec, "Regress", lambda known: [proto_calls.regress(known, request)]
        )
        return RegressionResponse(model_spec=_answered(request.model_spec, version), result=result)

    async def MultiInference(self, request, context):
        if not request.tasks:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The request has no tasks.")
        version, results = await self._answer(
            context,
            request.tasks[0].model_spec,
            "MultiInference",
            lambda known: proto_calls.infer(known, request),
        )
        response = MultiInferenceResponse()
        for task, result in zip(request.tasks, results, strict=True):
            one = InferenceResult(model_spec=_answered(task.model_spec, version))
            if task.method_name == proto_calls.CLASSIFY:
                one.classification_result.CopyFrom(result)
            else:
                one.regression_result.CopyFrom(result)
            response.results.append(one)
        return response

    async def GetModelMetadata(self, request, context):
        try:
            if [*request.metadata_field] != [model_info.SIGNATURES]:
                raise invalid(f"metadata_field must be [{model_info.SIGNATURES!r}].")
            return model_info.metadata(self._requests.versions, _target(request.model_spec))
        except RequestError as error:
            await _abort(context, error)

    async def _answer(self, context, spec, method, read):
        try:
            return await self._requests.answer(_target(spec), method, "GRPC", read)
        except RequestError as error:
            await _abort(context, error)


class _Model(ModelServiceServicer):
    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def GetModelStatus(self, request, context):
        try:
            return model_info.status(self._requests.versions, _target(request.model_spec))
        except RequestError as error:
            await _abort(context, error)

    async def HandleReloadConfigRequest(self, request, context):
        message = "This server has one model, which stays; start it anew for another."
        await _abort(context, RequestError(Code.UNIMPLEMENTED, message))


async def _abort(context: grpc.aio.ServicerContext, error: RequestError) -> None:
    await context.abort(grpc.StatusCode[error.code.name], error.message)


def _target(spec: ModelSpec) -> Target:
    return Target(spec.name, spec.version.value if spec.HasField("version") else None, spec.version_label)


def _answered(spec: ModelSpec, version: int) -> ModelSpec:
    """Return who answered: as in the request, with the version and the signature that were chosen."""
    answered = ModelSpec(name=spec.name, signature_name=spec.signature_name or signatures.DEFAULT)
    answered.version.value = version
    return answered
