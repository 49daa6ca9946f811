"""Tests of tfft/server/rest.py over real sockets."""

import base64
import http.client
import json
import re

import pytest

from tests.server import toys
from tfft.server.settings import Limits


def rows(*texts):
    return [{"echo": text, "length": float(len(text)), "version": 3.0} for text in texts]


@pytest.mark.parametrize(
    "path",
    ["model", "model/versions/3", "model/labels/stable", "mode%6C", "model/VERSIONS/3"],
)
def test_predict_in_rows(server, path):
    status, answer = server.post(f"{path}:predict", {"instances": ["ab", "hello"]})
    assert (status, answer) == (200, {"predictions": rows("ab", "hello")})


def test_rows_may_be_objects_and_name_the_signature(server):
    body = {"signature_name": "serving_default", "instances": [{"text": "ab"}]}
    assert server.post("model:predict", body) == (200, {"predictions": rows("ab")})


def test_predict_in_columns(server):
    status, answer = server.post("model:predict", {"inputs": ["ab", "c"]})
    assert (status, answer) == (200, {"outputs": {"echo": ["ab", "c"], "length": [2, 1], "version": [3, 3]}})
    assert server.post("model:predict", {"inputs": {"text": ["ab", "c"]}}) == (status, answer)


def test_one_output_has_no_name(server):
    body = {"signature_name": "pair", "instances": [{"text_a": "a", "text_b": "b"}]}
    assert server.post("model:predict", body) == (200, {"predictions": ["a|b"]})
    body = {"signature_name": "pair", "inputs": {"text_a": ["a"], "text_b": ["b"]}}
    assert server.post("model:predict", body) == (200, {"outputs": ["a|b"]})


def test_every_type_comes_back_as_it_was_sent(server):
    raw = {"b64": base64.b64encode(b"\xff\x00").decode()}
    row = {"whole": 2**62 + 1, "truth": True, "raw_bytes": raw}
    status, answer = server.post("model:predict", {"signature_name": "types", "instances": [row]})
    assert status == 200
    found = answer["predictions"][0]
    assert {key: found[key] for key in row} == row


def test_decimals_are_as_short_as_their_type_allows(server):
    body = b'{"signature_name": "types", "inputs": {"whole": [3], "truth": [false], "raw_bytes": ["x"]}}'
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port)
    connection.request("POST", "/v1/models/model:predict", body)
    content = connection.getresponse().read().decode()
    connection.close()
    assert '"tenth": [0.3]' in content  # 0.30000001192092896 is the float32
    assert '"reciprocal": [0.3333333333333333]' in content


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_pass_both_ways(server, token):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port)
    body = f'{{"signature_name": "sums", "instances": [[{token}, 1, 2]]}}'
    connection.request("POST", "/v1/models/model:predict", body)
    response = connection.getresponse()
    assert (response.status, response.read().decode()) == (200, f'{{"predictions": [{token}]}}')
    connection.close()


def test_signatures_without_rows(server):
    body = {"signature_name": "constants", "inputs": {}}
    assert server.post("model:predict", body) == (200, {"outputs": ["bad", "good"]})
    assert server.post("model:predict", {"signature_name": "count", "inputs": 5}) == (200, {"outputs": 5})
    status, answer = server.post("model:predict", {"signature_name": "count", "inputs": {"n": [5]}})
    assert (status, answer) == (400, {"error": "Input 'n' must have the shape [], got [1]."})


def test_classify(server):
    body = {"signature_name": "classify", "context": {"text": "abc"}, "examples": [{}, {"text": ["x"]}]}
    assert server.post("model:classify", body) == (
        200,
        {"results": [[["short", 7.0], ["long", 3.0]], [["short", 9.0], ["long", 1.0]]]},
    )


def test_regress(server):
    body = {
        "signature_name": "regress",
        "examples": [{"text": "abc"}, {"text": {"b64": "eHg="}, "other": [1]}],
    }
    assert server.post("model/versions/3:regress", body) == (200, {"results": [9.0, 6.0]})


def test_status(server):
    told = {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("model", "model/versions/3", "model/labels/stable"):
        assert server.get(path) == (200, {"model_version_status": [told]})


def test_metadata(server):
    status, told = server.get("model/metadata")
    assert status == 200
    assert told["model_spec"] == {"name": "model", "signature_name": "", "version": "3"}
    signature = told["metadata"]["signature_def"]["signature_def"]["sums"]
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert [d["size"] for d in signature["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "3"]
    assert signature["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("other", 404, "There is no model 'other'; this server has 'model'."),
        ("model/versions/4", 404, "Could not find version 4 of model model."),
        ("model/versions/4/metadata", 404, "The server does not serve version 4 of model model."),
        ("model/labels/gone", 404, "Could not find version 2 of model model."),
        ("model/labels/new", 400, "There is no label 'new'; there is gone, stable."),
        ("model/versions/99999999999999999999999", 400, "There can be no version 99999999999999999999."),
        ("model/versions/x", 400, "Malformed request: GET /v1/models/model/versions/x"),
        ("model:predict", 405, "Malformed request: GET /v1/models/model:predict takes POST."),
    ],
)
def test_what_is_not_there(server, path, status, error):
    assert server.get(path) == (status, {"error": error})


def test_a_wrong_method_or_path(server):
    assert server.post("model", {})[0] == 405
    assert server.ask("DELETE", "model:predict")[0] == 405
    assert server.post("../../nothing", {})[0] == 400


def to(signature, **body):
    return {"signature_name": signature, **body}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "The request must have either 'instances' or 'inputs'."),
        ({"instances": ["a"], "inputs": ["a"]}, "The request must have either 'instances' or 'inputs'."),
        ({"instances": []}, "'instances' must be a list of at least one row."),
        ({"instances": "a"}, "'instances' must be a list of at least one row."),
        ({"instances": [1]}, "Input 'text': expected string, got a number 1."),
        ({"instances": [None]}, "Input 'text': expected string, got null null."),
        ({"instances": [["a"]]}, "Input 'text' must have the shape [-1], got [1, 1]."),
        ({"instances": ["a", ["b"]]}, "Input 'text': expected string, got a list [\"b\"]."),
        ({"instances": ["a", {"text": "b"}]}, "Row 1 of 'instances' is an object, but the first is a value."),
        ({"instances": [{"text": "a"}, "b"]}, "Row 1 of 'instances' is no object, but the first is."),
        ({"instances": [{"txt": "a"}]}, "Row 0 of 'instances' must have ['text'], got ['\"txt\"']."),
        ({"instances": [{"b64": "%"}]}, "Input 'text': 'b64' is no base64."),
        ({"inputs": {"text": {"b64": "YQ==", "x": 1}}}, "an object stands for bytes only as {'b64': '...'}."),
        ({"inputs": {}}, "'inputs' lacks ['text']; it has []."),
        ({"instances": ["a"], "signature_name": 3}, "'signature_name' must be a string, got a number."),
        (
            {"instances": ["a"], "signature_name": "x"},
            "There is no signature 'x'; the model has classify, constants, count, pair, regress, "
            "serving_default, sums, types.",
        ),
        (
            to("constants", instances=["a"]),
            "This signature has no inputs, so it has no rows",
        ),
        (to("pair", instances=["a"]), "Each of 'instances' must be an object"),
        (
            to("pair", inputs=["a"]),
            "'inputs' must be an object with ['text_a', 'text_b'].",
        ),
        (
            to("sums", instances=[[1, 2]]),
            "Input 'x' must have the shape [-1, 3], got [1, 2].",
        ),
        (to("sums", instances=[[1, 2, 3], [1]]), "its lists differ in length or depth."),
        (
            to("sums", instances=[[1, 2, True]]),
            "expected float32, got a truth value true.",
        ),
        (to("sums", instances=[[1, 2, "3"]]), 'expected float32, got a string "3".'),
        (
            to("sums", instances=[[1, 2, 1e39]]),
            "1e+39 cannot be written as float32 without",
        ),
        (
            to("sums", instances=[[1, 2, 2**24 + 1]]),
            "16777217 cannot be written as float32",
        ),
        (to("sums", instances=[[1, 2, 13]]), "assertion failed: [unlucky]"),
        (to("count", inputs={"n": 2**31}), "expected int32, got a number 2147483648."),
        (to("count", inputs={"n": 1.5}), "expected int32, got a number 1.5."),
    ],
)
def test_a_request_that_does_not_fit(server, body, error):
    status, answer = server.post("model:predict", body)
    assert status == 400
    assert error in answer["error"]
    assert not re.search(r"Traceback|\[Op:|\{\{node|\.py", answer["error"])


@pytest.mark.parametrize(
    ("method", "body", "error"),
    [
        ("classify", to("classify"), "'examples' must be a list of at least one object."),
        ("classify", to("classify", examples=[]), "'examples' must be a list of at least"),
        ("classify", to("classify", examples=["a"]), "must be an object of features."),
        (
            "classify",
            to("classify", examples=[{}], context=1),
            "an object of features.",
        ),
        ("classify", {"examples": [{"text": "a"}]}, "The input of examples is called 'inputs'."),
        ("classify", to("regress", examples=[{}]), "has outputs 'classes' or 'scores'."),
        ("regress", to("classify", examples=[{}]), "has one output; this one has 2."),
        (
            "regress",
            to("sums", examples=[{}]),
            "The input of examples is called 'inputs'.",
        ),
        ("regress", to("pair", examples=[{}]), "has one input; this one has 2."),
        (
            "regress",
            to("regress", examples=[{}]),
            "Feature: text (data type: string) is req",
        ),
        ("regress", to("regress", examples=[{"text": 1}]), "Data types don't match"),
        ("regress", to("regress", examples=[{"text": None}]), "a value cannot be null."),
        ("regress", to("regress", examples=[{"text": [[]]}]), "a value cannot be a list."),
        ("regress", to("regress", examples=[{"text": ["a", 1]}]), "of different types."),
        (
            "regress",
            to("regress", examples=[{"text": {"b64": "a"}}]),
            "'b64' is no base64.",
        ),
        ("regress", to("regress", examples=[{"n": 2**63}]), "is not an int64."),
        ("regress", to("regress", examples=[{"n": 1e300}]), "as float32 without loss."),
    ],
)
def test_examples_that_do_not_fit(server, method, body, error):
    status, answer = server.post(f"model:{method}", body)
    assert status == 400
    assert error in answer["error"]


def test_outputs_that_have_no_row_each_are_asked_for_in_columns(server):
    body = to("count", instances=[1])
    assert server.post("model:predict", body)[0] == 400


def test_requests_are_counted_but_not_names_that_clients_make_up(server):
    server.post("no_such_model:predict", {"instances": ["a"]})
    server.post("model:predict", {"instances": ["a"]})
    server.post("model:predict", {"instances": [1]})
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port)
    connection.request("GET", "/monitoring/prometheus/metrics")
    response = connection.getresponse()
    page = response.read().decode()
    connection.close()
    assert response.headers["Content-Type"].startswith("text/plain")
    counts = dict(re.findall(r'request_count\{model_name="model",status="(\w+)"\} (\d+)', page))
    assert int(counts["OK"]) > 0
    assert int(counts["INVALID_ARGUMENT"]) > 0
    assert "no_such_model" not in page
    assert re.search(
        r'request_latency_bucket\{model_name="model",API="Predict",entrypoint="REST",le="\+Inf"\}', page
    )


def test_a_request_that_is_too_large_or_takes_too_long(export):
    limits = Limits(request_bytes=2000, seconds=0.5, depth=10)
    with toys.running(export, limits=limits) as server:
        # Told before it is sent, and where it is not told.
        assert server.post("model:predict", {"instances": ["a" * 3000]})[0] == 413
        connection = http.client.HTTPConnection("127.0.0.1", server.rest_port)
        connection.request("POST", "/v1/models/model:predict", iter([b" " * 1500] * 2), encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()
        status, answer = server.post("model:predict", to("count", inputs=600_000))
        assert (status, answer) == (504, {"error": "The request took longer than 0.5 seconds."})
        deep = {"instances": json.loads("[" * 10 + "]" * 10)}
        error = "JSON parse error: lists and objects lie deeper than 10 in one another."
        assert server.post("model:predict", deep) == (400, {"error": error})


def test_one_call_too_many_is_refused(export):
    """One thread is busy, one call waits, and the third is told to come again."""
    from concurrent.futures import ThreadPoolExecutor

    body = to("count", inputs=400_000)
    with (
        toys.running(export, limits=Limits(threads=1, queue=2)) as server,
        ThreadPoolExecutor(6) as pool,
    ):
        answers = [*pool.map(lambda _: server.post("model:predict", body), range(6))]
    refused = {"error": "Too many calls wait for the model. Try again later."}
    assert {status for status, _ in answers} == {200, 503}
    assert all(answer == refused for status, answer in answers if status == 503)


def test_one_connection_too_many_is_refused(export):
    with toys.running(export, limits=Limits(connections=2)) as server:
        held = [http.client.HTTPConnection("127.0.0.1", server.rest_port) for _ in range(2)]
        for connection in held:
            connection.request("GET", "/v1/models/model")
            assert connection.getresponse().read()
        assert server.get("model") == (503, {"error": "Too many connections. Try again later."})
        for connection in held:
            connection.close()
        toys.wait_until(lambda: server.get("model")[0] == 200)
