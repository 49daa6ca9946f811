"""Each client of deploy/clients/ against the stand-in, with a model that was trained."""

import json
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import tfft
from tests.server import toys

CLIENTS = Path(__file__).resolve().parents[1] / "deploy" / "clients"
COMMANDS = {
    "query.sh": ["sh"],
    "query_requests.py": [sys.executable],
    "query_grpc.py": [sys.executable],
    "query.js": ["node"],
}
NEEDED = {"query.sh": ("curl", (7, 76)), "query.js": ("node", (18, 0))}

TEXTS = ["good film", "the plot was awful", "", 'a "quoted" \\ text\twith\nlines\r', "naïve café ß 電影 🎬"]


@pytest.fixture(scope="module")
def server(trained):
    """A stand-in with the export, whose version has a label."""
    with toys.running(trained.export.parent, labels={"stable": int(trained.export.name)}) as running:
        yield running


@pytest.fixture(params=COMMANDS)
def client(request):
    """Return the name of each client, where what it needs is there."""
    if request.param in NEEDED:
        program, oldest = NEEDED[request.param]
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on the PATH")
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        found = tuple(map(int, re.search(r"(\d+)\.(\d+)", told).groups()))
        if found < oldest:
            pytest.skip(f"{program} {told.split()[0]} is older than the client needs")
    return request.param


@pytest.fixture
def call(monkeypatch, capfd):
    """Run a client; return its exit code, its standard output and what stands on standard error."""

    def run(client, *arguments):
        """As a process of its own."""
        process = subprocess.run(
            [*COMMANDS[client], CLIENTS / client, *arguments],
            capture_output=True,
            text=True,
            timeout=toys.PATIENCE,
            # The stand-in is on this machine: no proxy leads there.
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "NO_PROXY": "*", "no_proxy": "*"},
        )
        return process.returncode, process.stdout, process.stderr

    def run_here(client, *arguments):
        """In this process where that can be, for TensorFlow takes seconds to be imported."""
        if not client.endswith(".py"):
            return run(client, *arguments)
        monkeypatch.setattr(sys, "argv", [client, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(CLIENTS / client), run_name="__main__")
        return ended.value.code, *capfd.readouterr()

    run.here = run_here
    return run


def address(client, server, label=None):
    """Return the arguments by which a client finds a model."""
    if client == "query_grpc.py":
        return [f"127.0.0.1:{server.grpc_port}", *(["--label", label] if label else [])]
    path = f"/labels/{label}" if label else ""
    return [f"http://127.0.0.1:{server.rest_port}/v1/models/model{path}"]


def test_the_answers_are_the_models_own(client, server, trained, call):
    code, output, errors = call(client, *address(client, server, "stable"), *TEXTS)
    assert code == 0, errors
    # curl shows the whole answer of the server, the others a line for each text.
    lines = [json.loads(line) for line in output.splitlines()] if client != "query.sh" else None
    answers = lines or json.loads(output)["predictions"]
    expected = tfft.predict(trained.export, TEXTS)
    assert [answer["label"] for answer in answers] == [answer["label"] for answer in expected]
    assert len({answer["label"] for answer in answers}) == 2  # a constant would not do
    for answer, own in zip(answers, expected, strict=True):
        assert answer["score"] == pytest.approx(own["score"], abs=1e-6)
        assert answer.keys() == {"label", "score", "probabilities"}


def test_a_refusal_of_the_server_is_told(client, server, call):
    code, output, errors = call.here(client, *address(client, server, "beta"), "a")
    assert code == (22 if client == "query.sh" else 1)
    assert "There is no label 'beta'" in (output if client == "query.sh" else errors)
    assert "Traceback" not in errors


def test_a_server_that_is_not_there_is_told(client, call):
    with socket.socket() as taken:  # a port at which nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        where = (
            f"127.0.0.1:{port}" if client == "query_grpc.py" else f"http://127.0.0.1:{port}/v1/models/model"
        )
        code, _, errors = call(client, where, "a")
    assert code == (7 if client == "query.sh" else 1)
    assert errors
    assert "Traceback" not in errors
    assert "    at " not in errors


def test_a_call_without_texts_tells_the_usage(client, call):
    code, _, errors = call.here(client, "http://127.0.0.1:1")
    assert code == 2
    assert "usage: " in errors
