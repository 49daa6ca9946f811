"""Tests of tfft/warmup.py against TensorFlow Serving's own messages."""

import numpy as np
import pytest
import tensorflow as tf

from tfft import warmup
from tfft.errors import RunError

prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")


@pytest.fixture
def version(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    return tmp_path


def records(version):
    dataset = tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    return [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in dataset]


def test_the_server_reads_what_is_written(version):
    ids = tf.constant([[2, 3], [4, 5]])
    warmup.write(
        version,
        "film",
        [("serving_default", {"text": tf.constant(["é", ""])}), ("tokens", {"token_ids": ids, "mask": ids})],
    )
    first, second = (record.predict_log.request for record in records(version))
    assert (first.model_spec.name, first.model_spec.signature_name) == ("film", "serving_default")
    assert tf.make_ndarray(first.inputs["text"]).tolist() == ["é".encode(), b""]
    assert (second.model_spec.signature_name, {*second.inputs}) == ("tokens", {"token_ids", "mask"})
    found = tf.make_ndarray(second.inputs["token_ids"])
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, ids)


def test_what_is_written_is_read_for_the_probe(version):
    from tfft import reload_probe

    warmup.write(version, "film", [("classify", {"inputs": tf.constant([b"\xff\x00"])})])
    (request,) = warmup.read(version)
    assert request == {"signature_name": "classify", "inputs": {"inputs": [{"b64": "/wA="}]}}

    classify = tf.function(lambda **taken: taken).get_concrete_function(
        inputs=tf.TensorSpec([None], tf.string, "inputs")
    )
    taken = reload_probe.tensors(classify, request["inputs"])
    assert taken["inputs"].numpy().tolist() == [b"\xff\x00"]


def test_a_damaged_file_is_told(version):
    path = version / warmup.FILE
    with pytest.raises(RunError, match=r"tf_serving_warmup_requests cannot be read: NotFoundError"):
        warmup.read(version)
    warmup.write(version, "film", [("s", {"text": tf.constant(["x"])})])
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(RunError, match="cannot be read: DataLossError"):
        warmup.read(version)
    other = prediction_log_pb2.PredictionLog()
    other.classify_log.request.model_spec.name = "film"
    for record, error in ((other.SerializeToString(), "no request of the call Predict"), (b"\xff", "Decode")):
        with tf.io.TFRecordWriter(str(path)) as stream:
            stream.write(record)
        with pytest.raises(RunError, match=error):
            warmup.read(version)


def test_an_export_warms_up_each_signature_with_one_row_and_more(trained):
    asked = [record.predict_log.request for record in records(trained.export)]
    assert {request.model_spec.name for request in asked} == {"export"}
    for name in ("serving_default", "classify", "tokens", "embed"):
        shapes = [
            tf.make_ndarray(next(iter(request.inputs.values()))).shape
            for request in asked
            if request.model_spec.signature_name == name
        ]
        assert [shape[0] for shape in shapes] == [1, 8, 1, 8]
    # The longest text fills the row: 14 words and two special tokens.
    lengths = {
        request.inputs["token_ids"].tensor_shape.dim[1].size
        for request in asked
        if request.model_spec.signature_name == "tokens"
    }
    assert lengths == {3, 16}
    # A server that batches refuses a request without inputs, and so would not load.
    assert "metadata" not in {request.model_spec.signature_name for request in asked}
