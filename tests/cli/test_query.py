"""Tests of tfft/cli/query.py."""

import json

import pytest

from tests.cli.test_errors import call
from tests.server import toys


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A stand-in."""
    base = tmp_path_factory.mktemp("export")
    toys.republish(toys.publish(base, 3), 4)
    with toys.running(base, newest=None, labels={"stable": 3}) as running:
        yield running


@pytest.fixture
def query(server, monkeypatch, capsys):
    """Call the command over REST or gRPC."""

    def run(kind, *arguments):
        port, flags = {"rest": (server.rest_port, []), "grpc": (server.grpc_port, ["--grpc"])}[kind]
        return call(monkeypatch, capsys, "query", f"127.0.0.1:{port}", *flags, *arguments)

    return run


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_line_for_each_text(query, kind):
    code, output, _ = query(kind, "ab", "käse")
    assert code == 0
    assert [json.loads(line) for line in output.splitlines()] == [
        {"text": "ab", "echo": "ab", "length": 2.0, "version": 4.0},
        {"text": "käse", "echo": "käse", "length": 5.0, "version": 4.0},
    ]
    assert "käse" in output


@pytest.mark.parametrize("chosen", [["--version", "3"], ["--label", "stable"]])
def test_a_version(query, chosen):
    code, output, _ = query("rest", *chosen, '{"is": "text"}')
    assert (code, json.loads(output)["version"], json.loads(output)["text"]) == (0, 3.0, '{"is": "text"}')


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_several_inputs_are_given_as_an_object(query, kind):
    row = {"text_a": "a", "text_b": "b"}
    code, output, _ = query(kind, "--signature", "pair", json.dumps(row))
    assert (code, json.loads(output)) == (0, row | {"joined": "a|b"})


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["--signature", "pair", "a"],
            """TEXT 'a': the model takes an object, as in '{"text_a": …, "text_b": …}'.""",
        ),
        (["--signature", "pair", "[1]"], "TEXT '[1]': the model takes an object"),
        (["--signature", "none", "a"], "The model has no signature 'none'; it has classify"),
        (["--name", "other", "a"], "answers 404: There is no model 'other'; this server has 'model'."),
        (["--version", "1", "--label", "x", "a"], "--version and --label exclude each other."),
        ([], "Missing argument 'TEXT...'."),
    ],
)
def test_what_can_be_put_right(query, arguments, error):
    code, output, errors = query("rest", *arguments)
    assert (code, output) == (2, "")
    assert error in errors
    assert "Traceback" not in errors


def test_a_server_that_is_not_there(monkeypatch, capsys):
    code, output, errors = call(monkeypatch, capsys, "query", "127.0.0.1:1", "a")
    assert (code, output) == (2, "")
    assert errors.startswith("Error: http://127.0.0.1:1 cannot be reached: [Errno 111] Connection refused. ")
