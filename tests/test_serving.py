"""Tests of tfft/serving.py, against the stand-in and servers that are none."""

import base64
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from tests.server import toys
from tfft import serving
from tfft.serving import Grpc, Model, Rest, ServingError, Signature


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A stand-in."""
    base = tmp_path_factory.mktemp("export")
    toys.republish(toys.publish(base, 3), 4)
    with toys.running(base, newest=None, labels={"stable": 3}) as running:
        yield running


@pytest.fixture(params=["rest", "grpc"])
def client(request, server):
    """Each of both clients."""
    if request.param == "rest":
        return Rest(f"http://127.0.0.1:{server.rest_port}/")
    return Grpc(f"127.0.0.1:{server.grpc_port}")


def ask(client, rows, **chosen):
    model = Model(**chosen)
    return client.predict(model, client.signature(model), rows)


def test_answers_of_both_are_alike(client):
    assert ask(client, [{"text": "ab"}, {"text": "käse"}]) == [
        {"echo": "ab", "length": 2.0, "version": 4.0},
        {"echo": "käse", "length": 5.0, "version": 4.0},
    ]


@pytest.mark.parametrize("chosen", [{"version": 3}, {"label": "stable"}])
def test_a_version_can_be_chosen(client, chosen):
    assert ask(client, [{"text": "ab"}], **chosen)[0]["version"] == 3.0


def test_one_output_has_its_name(client):
    rows = [{"text_a": "a", "text_b": "b"}, {"text_a": "c", "text_b": "d"}]
    assert ask(client, rows, signature="pair") == [{"joined": "a|b"}, {"joined": "c|d"}]


def test_numbers_and_bytes(client):
    raw = {"b64": base64.b64encode(b"ab").decode()}
    (answer,) = ask(client, [{"whole": 3, "truth": True, "raw_bytes": raw}], signature="types")
    assert answer == {
        "whole": 3,
        "truth": True,
        "raw_bytes": {"b64": "YWI="},
        "tenth": 0.3,  # not 0.30000001192092896
        "reciprocal": 1 / 3,
    }


def test_whole_tensors_in_and_out(client):
    def answer(name, inputs):
        model = Model(signature=name)
        return client.answer(model, client.signature(model), inputs)

    assert answer("constants", {}) == {"labels": ["bad", "good"]}
    assert answer("pair", {"text_a": ["a", "c"], "text_b": ["b", "d"]}) == {"joined": ["a|b", "c|d"]}
    with pytest.raises(ServingError, match="text_b"):
        answer("pair", {"text_a": ["a"]})


def test_a_signature_tells_its_inputs_and_outputs(client):
    assert client.signature(Model(signature="pair")) == Signature(
        {"text_a": "DT_STRING", "text_b": "DT_STRING"}, {"joined": "DT_STRING"}
    )
    assert client.signature(Model()).text == "text"
    assert client.signature(Model(signature="pair")).text is None
    assert client.signature(Model(signature="sums")).text is None
    assert client.signature(Model(signature="constants")).inputs == {}


@pytest.mark.parametrize(
    ("chosen", "rows", "error"),
    [
        ({"name": "other"}, [], "There is no model 'other'; this server has 'model'."),
        ({"name": "a/b?"}, [], "There is no model 'a/b?'"),
        ({"version": 9}, [], "does not serve version 9"),
        ({"label": "new"}, [], "There is no label 'new'"),
        (
            {"signature": "none"},
            [],
            "The model has no signature 'none'; it has classify, constants, count, pair",
        ),
        ({"signature": "sums"}, [{"x": [1, 2, 13]}], "assertion failed: [unlucky]"),
        ({"signature": "sums"}, [{"x": [1, 2]}], "must have the shape [-1, 3], got [1, 2]"),
    ],
)
def test_what_a_server_refuses(client, chosen, rows, error):
    with pytest.raises(ServingError) as caught:
        ask(client, rows, **chosen)
    assert error in str(caught.value)
    assert caught.value.exit_code == 2


def test_rows_that_grpc_cannot_send(server):
    client = Grpc(f"127.0.0.1:{server.grpc_port}")
    for row, error in (
        ({"text_a": "a"}, "A row has no 'text_b'; it needs text_a, text_b."),
        ({"text_a": "a", "text_b": 1}, "'text_b' takes values of type DT_STRING: "),
    ):
        with pytest.raises(ServingError) as caught:
            ask(client, [row], signature="pair")
        assert str(caught.value).startswith(error)
    model = Model(signature="constants")
    signature = client.signature(model)
    with pytest.raises(ServingError, match="does not give an answer for each row"):
        client.predict(model, signature, [{}])


@pytest.mark.parametrize("client", [Rest("http://127.0.0.1:1"), Grpc("127.0.0.1:1", seconds=20)])
def test_a_server_that_is_not_there(client):
    with pytest.raises(ServingError, match=r"127\.0\.0\.1:1 .*Does a server run there\?"):
        client.signature(Model())


@pytest.mark.parametrize(
    ("make", "address"), [(Rest, "ftp://x"), (Rest, "http://"), (Rest, "file:///etc/passwd"), (Grpc, "host")]
)
def test_an_address_that_is_none(make, address):
    with pytest.raises(ServingError, match=f"^{address}: expected"):
        make(address)


def test_an_address_may_leave_out_the_scheme(server):
    assert Rest(f"127.0.0.1:{server.rest_port}").signature(Model()).text == "text"
    assert Grpc(f"grpc://127.0.0.1:{server.grpc_port}/").signature(Model()).text == "text"


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (200, b"hello", "does not answer as TensorFlow Serving does: b'hello'"),
        (200, b"[1]", "does not answer as TensorFlow Serving does: [1]"),
        (200, b'{"metadata": 1}', "does not answer as TensorFlow Serving does: {'metadata': 1}"),
        (500, b"oh \xff", "answers 500: oh \ufffd"),
        (404, b"", "answers 404: nothing more"),
        (404, b'{"error": "gone"}', "answers 404: gone"),
    ],
)
def test_another_server(status, content, error):
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.handle_request)
        thread.start()
        with pytest.raises(ServingError) as caught:
            Rest(f"http://127.0.0.1:{other.server_port}").signature(Model())
        thread.join()
    assert error in str(caught.value)


def test_answers_that_are_too_few(monkeypatch):
    client = Rest("http://127.0.0.1:1")
    monkeypatch.setattr(client, "_ask", lambda *_: {"predictions": [1]})
    with pytest.raises(ServingError, match="does not answer as TensorFlow Serving does"):
        client.predict(Model(), Signature({"x": "DT_FLOAT"}, {"y": "DT_FLOAT"}), [{"x": 1}, {"x": 2}])
    with pytest.raises(ServingError, match="does not answer as TensorFlow Serving does"):
        client.answer(Model(), Signature({}, {"y": "DT_FLOAT", "z": "DT_FLOAT"}), {})


def test_nested_values_stay_nested():
    assert serving._plain("x", np.array([[b"a", b"\xff"]], object)) == [["a", "\ufffd"]]
    assert serving._plain("x", np.array([[0.1]], np.float32)) == [[0.1]]
    assert serving._plain("x", np.array([[True], [False]])) == [[True], [False]]
