"""Tests of tfft/server/warmup.py, and of what a running server makes of such a file."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from tests.server import toys
from tfft.errors import RunError
from tfft.server import warmup
from tfft.server.servable import Servable
from tfft.server.status import RequestError

MOST = 10_000


def write(folder, *logs):
    (folder / "assets.extra").mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / warmup.FILE)) as writer:
        for log in logs:
            writer.write(log if isinstance(log, bytes) else log.SerializeToString())


def predict_log(text="a", signature=""):
    log = PredictionLog()
    log.predict_log.request.model_spec.signature_name = signature
    log.predict_log.request.inputs["text"].CopyFrom(tf.make_tensor_proto([text]))
    return log


def examples_log(kind, signature, feature="text"):
    log = PredictionLog()
    request = getattr(log, kind).request
    request.model_spec.signature_name = signature
    example = request.input.example_list.examples.add()
    example.features.feature[feature].bytes_list.value.append(b"a")
    return log


def multi_log():
    log = PredictionLog()
    request = log.multi_inference_log.request
    request.input.CopyFrom(examples_log("regress_log", "regress").regress_log.request.input)
    task = request.tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.signature_name = "regress"
    return log


@pytest.fixture
def folder(export, tmp_path):
    return toys.republish(export / "3", 4).rename(tmp_path / "4")


def test_every_kind_of_request_is_replayed(folder):
    servable = Servable(4, folder)
    assert warmup.replay(servable, folder, MOST) == 0
    ran = []
    run = servable.run
    servable.run = lambda signature, inputs: ran.append(signature) or run(signature, inputs)
    logs = [
        predict_log(),
        examples_log("classify_log", "classify"),
        examples_log("regress_log", "regress"),
        multi_log(),
    ]
    write(folder, *logs)
    assert warmup.replay(servable, folder, MOST) == 4
    assert ran == ["serving_default", "classify", "regress", "regress"]


@pytest.mark.parametrize(
    ("logs", "error"),
    [
        ([predict_log(signature="none")], RequestError),
        ([examples_log("regress_log", "regress", feature="other")], RequestError),
        ([examples_log("regress_log", "classify")], RequestError),
        ([PredictionLog()], ValueError),
        ([b"\xff\xff"], Exception),
        ([predict_log()] * 1001, ValueError),
    ],
)
def test_what_cannot_be_replayed_is_an_error(folder, logs, error):
    write(folder, *logs)
    with pytest.raises(error):
        warmup.replay(Servable(4, folder), folder, MOST)


def test_a_damaged_file_is_an_error(folder):
    write(folder, predict_log())
    content = (folder / warmup.FILE).read_bytes()
    (folder / warmup.FILE).write_bytes(content[:-3])
    with pytest.raises(tf.errors.DataLossError):
        warmup.replay(Servable(4, folder), folder, MOST)


def test_a_version_with_a_bad_file_is_not_served(tmp_path, export):
    """The old one goes on, and alone such a version keeps the server from starting."""
    toys.republish(export / "3", 5).rename(tmp_path / "5")
    with toys.running(tmp_path) as server:
        toys.republish(tmp_path / "5", 6, before=lambda folder: write(folder, predict_log(signature="none")))
        toys.wait_until(lambda: server.states() == {6: "END", 5: "AVAILABLE"})
        told = server.get("model/versions/6")[1]["model_version_status"][0]["status"]
        assert told["error_code"] == "UNKNOWN"
        assert "There is no signature 'none'" in told["error_message"]
        assert server.is_well()
    told = r"version 6 cannot be loaded: .*no signature 'none'"
    with pytest.raises(RunError, match=told), toys.running(tmp_path / "6"):
        pass
