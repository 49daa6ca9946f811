"""Tests of tfft/server/signatures.py and servable.py, on SavedModels of other makers."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tests.server import toys
from tfft.server import signatures
from tfft.server.servable import Servable
from tfft.server.status import Code, RequestError


@pytest.fixture(scope="module")
def of_tensorflow_1(tmp_path_factory):
    """A SavedModel in the text format and with the signatures of TensorFlow 1, one of them sparse."""
    folder = tmp_path_factory.mktemp("models") / "7"
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        weight = v1.get_variable("weight", initializer=2.0)
        serialized = v1.placeholder(tf.string, [None])
        parsed = tf.io.parse_example(serialized, {"x": tf.io.FixedLenFeature([1], tf.float32, 1.0)})
        dense, sparse = v1.placeholder(tf.float32, [None]), v1.sparse_placeholder(tf.float32, [None, 2])
        doubled = tf.sparse.to_dense(sparse) * weight
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        saved = v1.saved_model
        sparse_signature = saved.build_signature_def(
            {"s": saved.build_tensor_info(sparse)}, {"y": saved.build_tensor_info(doubled)}, "predict"
        )
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": saved.predict_signature_def({"x": dense}, {"y": dense * weight}),
                "regress": saved.regression_signature_def(serialized, parsed["x"] * weight),
                "sparse": sparse_signature,
            },
        )
        builder.save(as_text=True)
    return folder


def test_a_model_of_tensorflow_1(of_tensorflow_1):
    with toys.running(of_tensorflow_1) as server:
        assert server.states() == {7: "AVAILABLE"}
        assert server.post("model:predict", {"instances": [1.5, 2]}) == (200, {"predictions": [3.0, 4.0]})
        body = {"signature_name": "regress", "examples": [{"x": 1.5}, {}]}
        assert server.post("model:regress", body) == (200, {"results": [3.0, 2.0]})
        body = {"signature_name": "sparse", "inputs": [[1, 2]]}
        assert server.post("model:predict", body) == (
            501,
            {"error": "'s' of this signature is not a dense tensor."},
        )


def test_a_model_of_keras(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.export(str(tmp_path / "1"), verbose=False)
    servable = Servable(1, tmp_path / "1")
    (name,) = servable.signatures["serving_default"].inputs
    found = servable.run("serving_default", {name: np.array([[1, 2]], np.float32)})
    assert [value.tolist() for value in found.values()] == [[[3.0]]]


def test_an_error_does_not_tell_where_the_model_lies(tmp_path):
    """This one reads a file of its own at each call, and the file is gone."""
    (tmp_path / "words.txt").write_text("a")
    model = tf.Module()
    model.words = tf.saved_model.Asset(str(tmp_path / "words.txt"))
    read = tf.function(lambda: {"words": tf.io.read_file(model.words.asset_path)}, input_signature=[])
    tf.saved_model.save(model, str(tmp_path / "5"), signatures=read)
    servable = Servable(5, tmp_path / "5")
    (tmp_path / "5" / "assets" / "words.txt").unlink()
    with pytest.raises(RequestError) as caught:
        servable.run("serving_default", {})
    assert caught.value.code is Code.NOT_FOUND
    assert caught.value.message == "5/assets/words.txt; No such file or directory"


def test_what_tensorflow_runs_itself_is_no_signature(tmp_path):
    folder = toys.publish(tmp_path, 1)
    assert sorted(signatures.read(folder)) == [
        "classify", "constants", "count", "pair", "regress", "serving_default", "sums", "types",
    ]  # fmt: skip


def test_a_graph_for_serving_is_needed(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ValueError, match="no graph of the SavedModel is tagged 'serve'"):
        signatures.read(tmp_path)


def test_a_rank_that_is_free_takes_any():
    signature = SignatureDef()
    signature.inputs["x"].name = "x"
    signature.inputs["x"].dtype = tf.float32.as_datatype_enum
    signature.inputs["x"].tensor_shape.unknown_rank = True
    for shape in ((), (2,), (2, 3)):
        signatures.check(signature, {"x": np.zeros(shape, np.float32)})
    with pytest.raises(RequestError) as caught:
        signatures.check(signature, {"x": np.zeros(2, np.int32)})
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == "Input 'x' must be of type float32, got int32."
    assert not signatures.can_be_joined(signature)
