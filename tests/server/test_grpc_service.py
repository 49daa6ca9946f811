"""Tests of tfft/server/grpc_service.py with the real stubs."""

import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tests.server import toys
from tests.server.toys import predict, status_request
from tfft.server.servable import Servable
from tfft.server.settings import Limits


def of_examples(kind, signature, *texts):
    """Return a request of classification or regression."""
    request = kind()
    request.model_spec.name, request.model_spec.signature_name = "model", signature
    for text in texts:
        example = request.input.example_list.examples.add()
        example.features.feature["text"].bytes_list.value.append(text)
    return request


def failure(method, request):
    """Return the code and the words with which a request is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=toys.PATIENCE)
    return caught.value.code().name, caught.value.details()


@pytest.mark.parametrize("chosen", [{}, {"version": 3}, {"label": "stable"}])
def test_predict(server, chosen):
    told = server.predictions.Predict(predict(text=[b"ab", b"\xff"], **chosen))
    assert tf.make_ndarray(told.outputs["length"]).tolist() == [2.0, 1.0]
    assert tf.make_ndarray(told.outputs["echo"]).tolist() == [b"ab", b"\xff"]
    assert told.model_spec.name == "model"
    assert told.model_spec.version.value == 3
    assert told.model_spec.signature_name == "serving_default"


def test_outputs_can_be_chosen(server):
    request = predict(text=[b"ab"])
    request.output_filter.append("length")
    assert [*server.predictions.Predict(request).outputs] == ["length"]
    request.output_filter.append("length")
    assert failure(server.predictions.Predict, request)[0] == "INVALID_ARGUMENT"
    request.output_filter[1] = "width"
    code, words = failure(server.predictions.Predict, request)
    assert (code, words) == (
        "INVALID_ARGUMENT",
        "The signature has no outputs ['width']; it has ['echo', 'length', 'version'].",
    )


def test_values_that_are_left_out_repeat_the_last(server):
    proto = TensorProto(dtype=tf.float32.as_datatype_enum, float_val=[2.0])
    for size in (2, 3):
        proto.tensor_shape.dim.add(size=size)
    told = server.predictions.Predict(predict("sums", x=proto))
    assert tf.make_ndarray(told.outputs["sum"]).tolist() == [6.0, 6.0]


def test_classify(server):
    told = server.predictions.Classify(of_examples(ClassificationRequest, "classify", b"abc", b""))
    found = [[(c.label, c.score) for c in row.classes] for row in told.result.classifications]
    assert found == [[("short", 7), ("long", 3)], [("short", 10), ("long", 0)]]
    assert told.model_spec.version.value == 3


def test_regress_with_context(server):
    request = of_examples(RegressionRequest, "regress", b"abc")
    listed = request.input.example_list.examples[0]
    request.input.example_list_with_context.context.CopyFrom(listed)
    request.input.example_list_with_context.examples.extend([Example(), listed])
    told = server.predictions.Regress(request)
    assert [one.value for one in told.result.regressions] == [9.0, 9.0]


def test_several_tasks_on_one_input(server):
    request = MultiInferenceRequest()
    request.input.CopyFrom(of_examples(RegressionRequest, "regress", b"abc").input)
    for method in ("regress", "classify"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "model", method
    told = server.predictions.MultiInference(request)
    assert told.results[0].regression_result.regressions[0].value == 9.0
    assert told.results[1].classification_result.classifications[0].classes[0].score == 7.0
    assert [one.model_spec.signature_name for one in told.results] == ["regress", "classify"]

    request.tasks[1].model_spec.signature_name = "regress"
    assert failure(server.predictions.MultiInference, request)[0] == "INVALID_ARGUMENT"
    request.tasks[1].model_spec.signature_name = "classify"
    request.tasks[1].method_name = "tensorflow/serving/predict"
    assert failure(server.predictions.MultiInference, request)[0] == "UNIMPLEMENTED"
    request.tasks[1].model_spec.name = "other"
    assert failure(server.predictions.MultiInference, request)[0] == "INVALID_ARGUMENT"
    del request.tasks[:]
    assert failure(server.predictions.MultiInference, request) == (
        "INVALID_ARGUMENT",
        "The request has no tasks.",
    )


def test_metadata(server):
    request = GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "model"
    told = server.predictions.GetModelMetadata(request)
    signatures = SignatureDefMap()
    assert told.metadata["signature_def"].Unpack(signatures)
    assert told.model_spec.version.value == 3
    assert sorted(signatures.signature_def["pair"].inputs) == ["text_a", "text_b"]
    request.metadata_field[0] = "assets"
    assert failure(server.predictions.GetModelMetadata, request)[0] == "INVALID_ARGUMENT"


def test_status(server):
    request = status_request()
    (one,) = server.models.GetModelStatus(request).model_version_status
    assert (one.version, one.State.Name(one.state), one.status.error_code) == (3, "AVAILABLE", 0)
    request.model_spec.version.value = 9
    assert failure(server.models.GetModelStatus, request)[0] == "NOT_FOUND"


def test_the_config_cannot_be_changed(server):
    code, words = failure(server.models.HandleReloadConfigRequest, ReloadConfigRequest())
    assert (code, words) == (
        "UNIMPLEMENTED",
        "This server has one model, which stays; start it anew for another.",
    )


@pytest.mark.parametrize("service", ["", "tensorflow.serving.PredictionService"])
def test_health(server, service):
    stub = health_pb2_grpc.HealthStub(server.channel)
    told = stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert told.status == health_pb2.HealthCheckResponse.SERVING


def bomb(**changes):
    """Return a small message that describes four terabytes."""
    proto = TensorProto(dtype=tf.float32.as_datatype_enum, float_val=[1.0])
    for size in (2**20, 2**20):
        proto.tensor_shape.dim.add(size=size)
    proto.MergeFrom(TensorProto(**changes))
    return proto


def negative():
    proto = TensorProto(dtype=tf.float32.as_datatype_enum, float_val=[1.0])
    proto.tensor_shape.dim.add(size=-1)
    return proto


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (predict(name="other", text=["a"]), "NOT_FOUND", "There is no model 'other'"),
        (predict(name="", text=["a"]), "INVALID_ARGUMENT", "The request names no model."),
        (predict(version=9, text=["a"]), "NOT_FOUND", "does not serve version 9"),
        (predict(label="new", text=["a"]), "INVALID_ARGUMENT", "There is no label 'new'"),
        (predict("x", text=["a"]), "FAILED_PRECONDITION", "There is no signature 'x'"),
        (predict("__saved_model_init_op"), "FAILED_PRECONDITION", "There is no signature '__saved_"),
        (predict(txt=["a"]), "INVALID_ARGUMENT", "missing ['text'], unknown ['txt']"),
        (predict(), "INVALID_ARGUMENT", "missing ['text'], unknown []"),
        (predict(text=[1.5]), "INVALID_ARGUMENT", "Input 'text' must be of type string, got float32."),
        (predict(text=[["a"]]), "INVALID_ARGUMENT", "Input 'text' must have the shape [-1], got [1, 1]."),
        (predict("sums", x=bomb()), "INVALID_ARGUMENT", "its shape [1048576, 1048576] is too large"),
        (predict("sums", x=negative()), "INVALID_ARGUMENT", "its shape [-1] is not known"),
        (predict("sums", x=TensorProto(dtype=20)), "INVALID_ARGUMENT", "a DT_RESOURCE cannot be sent"),
        (predict("sums", x=TensorProto(dtype=999)), "INVALID_ARGUMENT", "a 999 cannot be sent"),
        (
            predict("sums", x=TensorProto(dtype=1, tensor_content=b"abc")),
            "INVALID_ARGUMENT",
            "do not fill the",
        ),
        (
            predict("sums", x=TensorProto(dtype=7, tensor_content=b"abc")),
            "INVALID_ARGUMENT",
            "do not fill the",
        ),
        (predict("sums", x=TensorProto(dtype=6, int_val=[300])), "INVALID_ARGUMENT", "do not fill"),
        (predict("sums", x=TensorProto(dtype=1, float_val=[1, 2])), "INVALID_ARGUMENT", "do not fill"),
        (
            predict("sums", x=np.full((1, 3), 13, np.float32)),
            "INVALID_ARGUMENT",
            "assertion failed: [unlucky]",
        ),
    ],
)
def test_what_is_refused(server, request_, code, words):
    found = failure(server.predictions.Predict, request_)
    assert found[0] == code
    assert words in found[1]
    assert server.is_well()


@pytest.mark.parametrize(
    ("method", "request_", "code"),
    [
        ("Classify", of_examples(ClassificationRequest, "regress", b"a"), "FAILED_PRECONDITION"),
        ("Classify", of_examples(ClassificationRequest, "classify"), "INVALID_ARGUMENT"),
        ("Classify", of_examples(ClassificationRequest, "none", b"a"), "INVALID_ARGUMENT"),
        ("Regress", of_examples(RegressionRequest, "sums", b"a"), "FAILED_PRECONDITION"),
        ("Regress", of_examples(RegressionRequest, "pair", b"a"), "INVALID_ARGUMENT"),
    ],
)
def test_signatures_that_are_not_of_the_method(server, method, request_, code):
    assert failure(getattr(server.predictions, method), request_)[0] == code


def test_bytes_that_are_no_message(server, caplog):
    for path in ("Predict", "Classify", "MultiInference", "GetModelMetadata"):
        call = server.channel.unary_unary(f"/tensorflow.serving.PredictionService/{path}")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"\xff\xff\xff")
        assert caught.value.code() is grpc.StatusCode.UNKNOWN
        assert "Traceback" not in caught.value.details()
    assert "DecodeError" not in caplog.text
    assert server.is_well()


def test_one_call_too_many_is_refused(export, monkeypatch):
    is_running, is_free = threading.Event(), threading.Event()
    run = Servable.run

    def held(self, signature, inputs):
        is_running.set()
        assert is_free.wait(toys.PATIENCE)
        return run(self, signature, inputs)

    monkeypatch.setattr(Servable, "run", held)
    with toys.running(export, limits=Limits(connections=1)) as server:
        first = server.predictions.Predict.future(predict(text=["ab"]), timeout=toys.PATIENCE)
        assert is_running.wait(toys.PATIENCE)
        assert failure(server.predictions.Predict, predict(text=["ab"]))[0] == "RESOURCE_EXHAUSTED"
        is_free.set()
        assert tf.make_ndarray(first.result().outputs["length"]).tolist() == [2.0]
        assert server.predictions.Predict(predict(text=["ab"]), timeout=toys.PATIENCE)


def test_a_client_may_stop_waiting(server):
    """Its deadline is over; the server goes on."""
    with pytest.raises(grpc.RpcError) as caught:
        server.predictions.Predict(predict("count", n=np.int32(100_000)), timeout=0.01)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert server.is_well()


def test_a_message_that_is_too_large_or_takes_too_long(export):
    with toys.running(export, limits=Limits(request_bytes=2000, seconds=0.5)) as server:
        assert failure(server.predictions.Predict, predict(text=["a" * 3000]))[0] == "RESOURCE_EXHAUSTED"
        code, words = failure(server.predictions.Predict, predict("count", n=np.int32(600_000)))
        assert (code, words) == ("DEADLINE_EXCEEDED", "The request took longer than 0.5 seconds.")
