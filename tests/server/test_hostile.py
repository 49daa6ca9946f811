"""What a hostile or broken client may send: it is refused, and the next good request is answered."""

import asyncio
import contextlib
import errno
import gzip
import json
import socket
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server import toys
from tests.server.toys import post
from tfft.server import rest
from tfft.server.settings import Limits


@pytest.fixture(scope="module")
def server(export):
    """A stand-in with narrow limits."""
    limits = Limits(request_bytes=100_000, seconds=2.0, connections=64)
    with toys.running(export, limits=limits) as running:
        yield running


def raw(server, *parts: bytes) -> bytes:
    """Send bytes as they are, and return what comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", server.rest_port), toys.PATIENCE) as connection:
        with contextlib.suppress(ConnectionError):  # the server may have had enough before the end
            for part in parts:
                connection.sendall(part)
        received = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
    return received


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{'instances': ['a']}",
        b'{"instances": ["a"]',
        b'{"instances": ["a"]}}',
        b'{"instances": ["a",]}',
        b'{"instances": ["\xff\xfe"]}',
        b'{"instances": ["\\ud800"]}',
        b'{"instances": ["\\x"]}',
        b'\xff\xfe{\x00"\x00',
        b'{"instances": ' + b"[" * 50_000,
        b'{"instances": ' + b"[" * 40_000 + b"]" * 40_000 + b"}",
        b'{"a": ' * 10_000 + b"1" + b"}" * 10_000,
        b'{"instances": ["' + b"\\" * 49_999 + b'"]}',
        b'{"signature_name": "sums", "instances": [[1, 2, ' + b"9" * 90_000 + b"]]}",
        b'{"signature_name": "sums", "instances": [[1, 2, 1e999999999]' + b"]}",
        b'{"signature_name": "count", "inputs": ' + b"9" * 5000 + b"}",
        b'{"signature_name": "types", "inputs": {"whole": [1e2], "truth": [1], "raw_bytes": [0]}}',
        b'{"signature_name": "\\u0000", "instances": ["a"]}',
        b'{"signature_name": "regress", "examples": [{"\\ud800": "a"}]}',
        b'{"instances": [{"b64": "YQ==", "b64": 1}]}',
        b'{"instances": [{"__class__": "os.system"}]}',
    ],
)
def test_bodies_that_are_refused(server, body):
    answer = raw(server, post(body))
    assert status(answer) == 400, answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2]).keys() == {"error"}
    assert b"Traceback" not in answer
    assert server.is_well()


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"\x00\x01\x02\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /v1/models/model HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(500)) + b"\r\n", 400),
        (b"GET /v1/models/%ff%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        (b"GET /v1/models/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"GET //etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        (b"BREW /v1/models/model HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (post(b"x" * 10, length=-1), 400),
        (post(b"{}", b"Content-Length: 7"), 400),
        (post(b"0\r\n\r\n", b"Transfer-Encoding: chunked"), 400),
        (post(b'{"instances": ["a"]}', b"Content-Encoding: gzip"), 400),
        (post(gzip.compress(b" " * 10_000_000), b"Content-Encoding: gzip"), 413),
        (post(b"", length=10**9), 413),
        (post(b"a" * 200_000), 413),
    ],
)
def test_requests_that_are_no_http_or_too_much_of_it(server, request_, expected):
    answer = raw(server, request_)
    assert status(answer) == expected, answer[:300]
    assert b"Traceback" not in answer
    assert server.is_well()


def test_a_chunked_body_is_read_and_a_broken_one_refused(server):
    head = (
        b"POST /v1/models/model:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    whole = raw(server, head, b'e\r\n{"instances": \r\n', b'6\r\n["ab"]\r\n', b"1\r\n}\r\n0\r\n\r\n")
    assert status(whole) == 200
    # 408 where the head was read before the rest came: aiohttp waits for a better one then.
    assert status(raw(server, head, b"zz\r\n{}\r\n0\r\n\r\n")) in (400, 408)
    with socket.create_connection(("127.0.0.1", server.rest_port), toys.PATIENCE) as connection:
        connection.sendall(head + b"ff\r\n{")  # and hangs up within a chunk
    assert server.is_well()


def test_a_body_may_be_packed(server):
    answer = raw(server, post(gzip.compress(b'{"instances": ["ab"]}'), b"Content-Encoding: gzip"))
    assert status(answer) == 200


def test_a_client_that_waits_to_be_asked_for_the_body(server):
    answer = raw(server, post(b'{"instances": ["ab"]}', b"Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_slow_clients_are_hung_up_on(server):
    """One that does not send its head to the end, one that does not send its body, one that sends nothing."""
    beginnings = [b"GET /v1/mod", post(b'{"instances"', length=1000), b""]
    address = ("127.0.0.1", server.rest_port)
    connections = [socket.create_connection(address, toys.PATIENCE) for _ in beginnings]
    for connection, beginning in zip(connections, beginnings, strict=True):
        connection.sendall(beginning)
    assert server.is_well()
    answers = []
    for connection in connections:
        received = b""
        while part := connection.recv(65536):
            received += part
        connection.close()
        answers.append(received)
    assert answers[0] == answers[2] == b""
    assert status(answers[1]) == 408


def test_clients_that_hang_up_at_once_leave_nothing_behind(server):
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", server.rest_port), toys.PATIENCE) as connection:
            connection.sendall(post(b'{"instances": ["a"]}'))
    toys.wait_until(server.is_well)  # their connections count until it has seen that they are gone


def test_a_client_that_is_gone_before_it_is_turned_away():
    class Gone(asyncio.Transport):
        is_closed = False

        def write(self, data):
            pass

        def write_eof(self):
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

        def close(self):
            self.is_closed = True

    async def turn_away() -> Gone:
        gone = Gone()
        rest._Refusal().connection_made(gone)
        await asyncio.sleep(1.2)
        return gone

    assert asyncio.run(turn_away()).is_closed


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.fixed_dictionaries({"b64": st.text(string.ascii_letters + "+/=", max_size=8)}),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": st.sampled_from(["sums", "pair", "types", "count", "constants", "regress", "", "x"])
        | VALUES,
        "instances": VALUES,
        "inputs": VALUES | st.dictionaries(st.sampled_from(["x", "n", "text_a", "text_b", "text"]), VALUES),
        "examples": st.lists(st.dictionaries(st.sampled_from(["text", "a"]), VALUES, max_size=2), max_size=3),
        "context": VALUES,
    },
)


@settings(max_examples=150, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, method=st.sampled_from(["predict", "classify", "regress"]))
def test_any_json_is_answered_or_refused(server, body, method):
    code, answer = server.post(f"model:{method}", body)
    assert (code == 200) == ("error" not in answer)
    assert code in (200, 400), (body, answer)


@settings(max_examples=100, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60) | st.text('{}[]":,\\u0e1-tfn', max_size=40).map(str.encode))
def test_any_bytes_are_refused(server, body):
    code, answer = server.post("model:predict", body)
    assert (code, answer.keys()) == (400, {"error"})


@settings(max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=80))
def test_any_head_is_refused(server, data):
    answer = raw(server, b"G" + data + b"\r\n\r\n")
    assert 400 <= status(answer) < 500


def test_it_still_works_after_all_that(server, caplog):
    raw(server, b"GET / HTTP/1.1\r\nBad Header: y\r\n\r\n")
    assert caplog.text == ""  # no client can fill the log
    assert server.is_well()
