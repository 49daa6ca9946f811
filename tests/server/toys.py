"""A toy model whose answers can be worked out by hand, a running stand-in, and ways to ask it."""

import asyncio
import contextlib
import http.client
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from tfft.server import stand_in
from tfft.server.settings import Settings

PATIENCE = 60
"""Seconds after which a wait has failed; no test passes or fails by how long something takes."""


class Toy(tf.Module):
    """Its signatures: the length of texts and so on, each with the number of the version.

    The number lies in an asset, which is read as the model is loaded, so that a copy of the folder is
    another version.
    """

    def __init__(self, file: Path) -> None:
        line, whole = tf.lookup.TextFileIndex.LINE_NUMBER, tf.lookup.TextFileIndex.WHOLE_LINE
        reader = tf.lookup.TextFileInitializer(str(file), tf.int64, line, tf.string, whole)
        self.table = tf.lookup.StaticHashTable(reader, "")

    def number(self):
        return tf.strings.to_number(self.table.lookup(tf.constant(0, tf.int64)))

    def length(self, text):
        return tf.cast(tf.strings.length(text), tf.float32)

    def texts(self, inputs):
        return tf.io.parse_example(inputs, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def default(self, text):
        version = tf.fill([tf.shape(text)[0]], self.number())
        return {"length": self.length(text), "echo": text, "version": version}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify(self, inputs):
        length = self.length(self.texts(inputs))
        classes = tf.tile([["short", "long"]], [tf.shape(length)[0], 1])
        return {"classes": classes, "scores": tf.stack([10 - length, length], 1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress(self, inputs):
        return {"outputs": self.length(self.texts(inputs)) * self.number()}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def sums(self, x):
        tf.debugging.assert_none_equal(x, 13.0, message="unlucky")
        return {"sum": tf.reduce_sum(x, 1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, f"text_{end}") for end in "ab"])
    def pair(self, text_a, text_b):
        return {"joined": text_a + "|" + text_b}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int64, "whole"),
            tf.TensorSpec([None], tf.bool, "truth"),
            tf.TensorSpec([None], tf.string, "raw_bytes"),
        ]
    )
    def types(self, whole, truth, raw_bytes):
        return {
            "whole": whole,
            "truth": truth,
            "raw_bytes": raw_bytes,
            "tenth": tf.cast(whole, tf.float32) / 10,
            "reciprocal": 1 / tf.cast(whole, tf.float64),
        }

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "n")])
    def count(self, n):
        return {"n": tf.while_loop(lambda i: i < n, lambda i: i + 1, [0], parallel_iterations=1)[0]}

    @tf.function(input_signature=[])
    def constants(self):
        return {"labels": tf.constant(["bad", "good"])}


def publish(base: Path, number: int) -> Path:
    """Write a version into the folder of versions, whole at once."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "number.txt").write_text(str(number))
        toy = Toy(Path(folder) / "number.txt")
        names = ("classify", "regress", "sums", "pair", "types", "count", "constants")
        signatures = {"serving_default": toy.default} | {name: getattr(toy, name) for name in names}
        tf.saved_model.save(toy, str(base / "writing"), signatures=signatures)
    return (base / "writing").rename(base / str(number))


def republish(version: Path, number: int, before: Callable[[Path], None] = lambda folder: None) -> Path:
    """Write a copy of a version under another number, changed by `before` it appears."""
    copy = version.with_name(f"writing-{number}")
    shutil.copytree(version, copy)
    (copy / "assets" / "number.txt").write_text(str(number))
    before(copy)
    return copy.rename(version.with_name(str(number)))


@dataclass
class Running:
    """A stand-in that runs in this process."""

    rest_port: int
    grpc_port: int
    channel: grpc.Channel

    @property
    def predictions(self):
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    @property
    def models(self):
        return model_service_pb2_grpc.ModelServiceStub(self.channel)

    def get(self, path: str):
        return self.ask("GET", path)

    def post(self, path: str, body):
        return self.ask("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode())

    def ask(self, method: str, path: str, body: bytes | None = None, headers=()) -> tuple[int, dict]:
        """Return the status and the JSON of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, f"/v1/models/{path}", body, dict(headers))
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def is_well(self) -> bool:
        """Tell whether it answers a good request."""
        status, answer = self.post("model:predict", {"instances": ["four"]})
        return status == 200 and answer["predictions"][0]["length"] == 4.0

    def states(self) -> dict[int, str]:
        """Return the state of each version."""
        return {int(v["version"]): v["state"] for v in self.get("model")[1].get("model_version_status", [])}


@contextlib.contextmanager
def running(export: Path, **settings) -> Iterator[Running]:
    """Run a stand-in in a thread; it ends as on SIGTERM."""
    ports: list[int] = []
    loop_and_stop: list = []
    failures: list[BaseException] = []
    is_ready = threading.Event()

    def started(*found: int) -> None:
        ports.extend(found)
        is_ready.set()

    async def serve() -> None:
        stop = asyncio.Event()
        loop_and_stop.extend([asyncio.get_running_loop(), stop])
        whole = Settings(export, **{"rest_port": 0, "grpc_port": 0, "poll_seconds": 0.05} | settings)
        await stand_in.serve(whole, started, stop)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failures.append(error)
        finally:
            is_ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert is_ready.wait(PATIENCE)
        if not failures:
            with grpc.insecure_channel(f"127.0.0.1:{ports[1]}") as channel:
                yield Running(*ports, channel)
    finally:
        if loop_and_stop and thread.is_alive():
            loop, stop = loop_and_stop
            loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for something that another thread brings about."""
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def post(body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    """Return a request for a prediction."""
    lines = [
        b"POST /v1/models/model:predict HTTP/1.1",
        b"Host: x",
        b"Connection: close",
        b"Content-Length: %d" % (len(body) if length is None else length),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def predict(signature="", *, name="model", version=None, label="", **inputs):
    """Return a request; an input is a tensor's protocol buffer, or becomes one."""
    request = PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    for key, value in inputs.items():
        proto = value if isinstance(value, TensorProto) else tf.make_tensor_proto(value)
        request.inputs[key].CopyFrom(proto)
    return request


def status_request() -> GetModelStatusRequest:
    """Return a request for the states of the versions."""
    request = GetModelStatusRequest()
    request.model_spec.name = "model"
    return request
