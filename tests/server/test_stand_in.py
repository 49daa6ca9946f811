"""Tests of tfft/server/stand_in.py: many clients at once, versions that come and go, and a calm end."""

import contextlib
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.server import toys
from tests.server.toys import post, predict, status_request
from tfft.errors import RunError
from tfft.server import stand_in
from tfft.server.servable import Servable
from tfft.server.settings import Batching, Limits, Settings

CLIENTS = 50


def ask_rest(server, dice):
    """Ask for some texts of some lengths; return the version that answered, None if an answer is wrong."""
    texts = [f"{dice.random()}"[: dice.randrange(1, 18)] for _ in range(dice.randrange(1, 5))]
    status, told = server.post("model:predict", {"instances": texts})
    if status != 200:
        return None
    rows = told["predictions"]
    if [(row["echo"], row["length"]) for row in rows] != [(text, len(text)) for text in texts]:
        return None
    return _one({row["version"] for row in rows})


def ask_grpc(server, dice):
    """The same over gRPC."""
    texts = [f"{dice.random()}"[: dice.randrange(1, 18)] for _ in range(dice.randrange(1, 5))]
    told = server.predictions.Predict(predict(text=texts), timeout=toys.PATIENCE).outputs
    echo, length, version = (tf.make_ndarray(told[name]).tolist() for name in ("echo", "length", "version"))
    if (echo, length) != ([text.encode() for text in texts], [len(text) for text in texts]):
        return None
    return _one({*version})


def ask_badly(server, dice):
    """Ask for what is refused, which must not harm the calls that it is joined with."""
    body = (
        {"signature_name": "sums", "instances": [[1, 2, 13]]} if dice.random() < 0.5 else {"instances": [1]}
    )
    return 0 if server.post("model:predict", body)[0] == 400 else None


def _one(found):
    return found.pop() if len(found) == 1 else None


def crowd(server, requests, seed=0):
    """Let many clients ask at once; return how often each version answered."""

    def client(number):
        dice = random.Random(1000 * seed + number)
        kinds = (ask_rest, ask_grpc, ask_rest, ask_badly)
        return [kinds[(number + turn) % 4](server, dice) for turn in range(requests)]

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(version for answers in pool.map(client, range(CLIENTS)) for version in answers)


def open_files():
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.fixture
def base(export, tmp_path):
    """A folder of versions of its own."""
    toys.republish(export / "3", 4).rename(tmp_path / "4")
    return tmp_path


@pytest.mark.parametrize("batching", [None, Batching(rows=16, seconds=0.002)])
def test_each_of_many_clients_gets_its_own_answers(base, batching):
    with toys.running(base, batching=batching) as server:
        assert crowd(server, 12).keys() == {0, 4.0}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_versions_come_and_go_under_load_and_leave_nothing_behind(base):
    with toys.running(base, batching=Batching(rows=16, seconds=0.002)) as server:
        crowd(server, 4)  # so that all threads there ever are have been started
        files, threads = open_files(), threading.active_count()
        is_over = threading.Event()

        def clients():
            answered = Counter()
            for seed in itertools.count(1):
                answered += crowd(server, 4, seed)
                if is_over.is_set():
                    return answered

        with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as ending:
            ending.callback(is_over.set)
            asking = pool.submit(clients)
            for number in (5, 6, 7):
                toys.republish(base / str(number - 1), number)
                toys.wait_until(lambda number=number: server.states().get(number) == "AVAILABLE")
                shutil.rmtree(base / str(number - 1))
                toys.wait_until(lambda number=number: [*server.states()] == [number])
            # The newest goes, and the one before comes back.
            toys.republish(base / "7", 6)
            shutil.rmtree(base / "7")
            toys.wait_until(lambda: server.states() == {6: "AVAILABLE"})
        answered = asking.result(toys.PATIENCE)
        assert None not in answered, "a request failed, or got an answer of another"
        assert answered.keys() <= {0, 4.0, 5.0, 6.0, 7.0}
        assert len(answered) > 2
        assert crowd(server, 1).keys() == {0, 6.0}
        toys.wait_until(lambda: open_files() <= files)
        toys.wait_until(lambda: threading.active_count() <= threads)


def test_requests_that_are_there_are_answered_when_it_stops(base, monkeypatch):
    """Some run, one waits for a thread, and one is still being sent when the server is told to stop."""
    running, is_free = threading.Semaphore(0), threading.Event()
    run = Servable.run

    def held(self, signature, inputs):
        running.release()
        assert is_free.wait(toys.PATIENCE)
        return run(self, signature, inputs)

    monkeypatch.setattr(Servable, "run", held)
    with ThreadPoolExecutor(6) as pool:
        with toys.running(base, limits=Limits(threads=2)) as server:
            slow = socket.create_connection(("127.0.0.1", server.rest_port), toys.PATIENCE)
            body = b'{"instances": ["abc"]}'
            slow.sendall(post(body[:10], length=len(body)))
            results = [pool.submit(server.post, "model:predict", {"instances": ["ab"]}) for _ in range(3)]
            for _ in range(2):
                assert running.acquire(timeout=toys.PATIENCE)
            channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
            stub = PredictionServiceStub(channel)
            call = stub.Predict.future(predict(text=["ab"]), timeout=toys.PATIENCE)
            is_connected = threading.Event()
            in_the_end = pool.submit(_let_go_when_it_stops, server, is_connected, is_free, slow, body[10:])
            assert is_connected.wait(toys.PATIENCE)
            # The third and the fourth have come by the time that a later one is answered.
            assert server.get("model")[0] == 200
            ModelServiceStub(channel).GetModelStatus(status_request())
        answers = [result.result(toys.PATIENCE) for result in results]
    assert [answer["predictions"][0]["length"] for _, answer in answers] == [2.0] * 3
    assert tf.make_ndarray(call.result(toys.PATIENCE).outputs["length"]).tolist() == [2.0]
    channel.close()
    answer, state = in_the_end.result(toys.PATIENCE)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert state == "UNLOADING"


def _let_go_when_it_stops(server, is_connected, is_free, slow, rest):
    """Send the rest of a request once no more connections are taken; return the answer and the state."""
    early = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=toys.PATIENCE)
    early.request("GET", "/v1/models/model")
    assert b"AVAILABLE" in early.getresponse().read()
    is_connected.set()

    def is_closed():
        try:
            socket.create_connection(("127.0.0.1", server.rest_port), toys.PATIENCE).close()
        except ConnectionRefusedError:
            return True
        return False

    toys.wait_until(is_closed)
    early.request("GET", "/v1/models/model")
    told = json.loads(early.getresponse().read())
    early.close()
    is_free.set()
    with slow:
        slow.sendall(rest)
        answer = b"".join(iter(lambda: slow.recv(65536), b""))
    return answer, told["model_version_status"][0]["state"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(base, number):
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    heard = []

    def started(rest_port, grpc_port):
        heard.append((rest_port, grpc_port))
        os.kill(os.getpid(), number)

    try:
        stand_in.run(Settings(base, rest_port=0, grpc_port=0), started)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert len(heard) == 1


def test_a_port_that_is_taken_is_told(base):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for option in ("rest_port", "grpc_port"):
            told = f"127.0.0.1:{port} cannot be listened at: .*--{option.replace('_', '-')}"
            with pytest.raises(RunError, match=told), toys.running(base, **{option: port}):
                pass


def test_nothing_to_serve_is_told(tmp_path):
    with pytest.raises(RunError, match="holds no SavedModel and no folders"), toys.running(tmp_path):
        pass
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(RunError, match="version 1 cannot be loaded: "), toys.running(tmp_path):
        pass


def test_one_version_alone(base):
    with toys.running(base / "4") as server:
        toys.republish(base / "4", 5)
        assert server.states() == {4: "AVAILABLE"}
        assert server.is_well()
