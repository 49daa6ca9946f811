"""Requests of TensorFlow Serving's protocol buffers as calls, for gRPC and for the replay of a warm-up."""

from collections.abc import Mapping

import numpy as np
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResult
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResult

from tfft.server import examples, signatures, tensor_protos
from tfft.server.calls import Call
from tfft.server.status import Code, RequestError, invalid

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
"""Names of the two methods that can be asked for together."""


def predict(
    known: Mapping[str, SignatureDef], request: PredictRequest, most_bytes: int
) -> Call[PredictResponse]:
    """Return the call of any signature.

    Args:
        known: The model's signatures.
        request: What the client sent.
        most_bytes: Size of an input that is still made.

    Raises:
        RequestError: The request does not fit the signature.
    """
    name = request.model_spec.signature_name or signatures.DEFAULT
    signature = signatures.find(known, name, Code.FAILED_PRECONDITION)
    inputs = {key: tensor_protos.read(key, proto, most_bytes) for key, proto in request.inputs.items()}
    signatures.check(signature, inputs)
    wanted = [*request.output_filter] or [*signature.outputs]
    if unknown := sorted({*wanted} - {*signature.outputs}):
        raise invalid(f"The signature has no outputs {unknown}; it has {sorted(signature.outputs)}.")
    if len({*wanted}) < len(wanted):
        raise invalid("output_filter names an output twice.")

    def answer(outputs: Mapping[str, np.ndarray]) -> PredictResponse:
        return PredictResponse(outputs={key: tensor_protos.write(outputs[key]) for key in wanted})

    return Call(name, inputs, answer)


def classify(known: Mapping[str, SignatureDef], request: ClassificationRequest) -> Call[ClassificationResult]:
    """Return the call of a classification; raises as `examples.classify`."""
    return examples.classify(known, request.model_spec.signature_name, _examples(request.input))


def regress(known: Mapping[str, SignatureDef], request: RegressionRequest) -> Call[RegressionResult]:
    """Return the call of a regression; raises as `examples.regress`."""
    return examples.regress(known, request.model_spec.signature_name, _examples(request.input))


def infer(
    known: Mapping[str, SignatureDef], request: MultiInferenceRequest
) -> list[Call[ClassificationResult] | Call[RegressionResult]]:
    """Return a call for each task of a request on one input.

    Raises:
        RequestError: The tasks name several models, one signature twice, or another method.
    """
    if len({task.model_spec.name for task in request.tasks}) > 1:
        raise invalid("All tasks of a request must name the same model.")
    names = [task.model_spec.signature_name or signatures.DEFAULT for task in request.tasks]
    if len({*names}) < len(names):
        raise invalid("Two tasks of a request name the same signature.")
    rows = _examples(request.input)
    calls: list[Call[ClassificationResult] | Call[RegressionResult]] = []
    for task, name in zip(request.tasks, names, strict=True):
        if task.method_name == CLASSIFY:
            calls.append(examples.classify(known, name, rows))
        elif task.method_name == REGRESS:
            calls.append(examples.regress(known, name, rows))
        else:
            raise RequestError(
                Code.UNIMPLEMENTED,
                f"Tasks have the method {CLASSIFY} or {REGRESS}, got {task.method_name!r}.",
            )
    return calls


def _examples(given: Input) -> list[Example]:
    """Return the examples of an input, each with the features of the context that it does not have itself."""
    if not given.HasField("example_list_with_context"):
        return [*given.example_list.examples]
    listed = given.example_list_with_context
    rows = []
    for example in listed.examples:
        whole = Example()
        whole.CopyFrom(listed.context)
        for name, feature in example.features.feature.items():
            whole.features.feature[name].CopyFrom(feature)
        rows.append(whole)
    return rows
