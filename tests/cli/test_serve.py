"""Tests of tfft/cli/serve.py."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from tests.cli.test_errors import call
from tests.server import toys
from tfft.server import stand_in, tensorflow_serving
from tfft.server.settings import Batching, Limits, Settings


@pytest.fixture
def export(tmp_path):
    """A folder of versions, which nothing loads."""
    (tmp_path / "export" / "1").mkdir(parents=True)
    (tmp_path / "export" / "1" / "saved_model.pb").touch()
    return tmp_path / "export"


@pytest.fixture
def serve(export, monkeypatch, capsys):
    """Call the command, with servers that only tell their settings."""
    ran = []

    def run(*arguments, program=False, docker=False):
        monkeypatch.setattr(tensorflow_serving, "has_program", lambda: program)
        monkeypatch.setattr(tensorflow_serving, "has_docker", lambda: docker)
        monkeypatch.setattr(tensorflow_serving, "run_program", lambda s: ran.append(("program", s)) or 3)
        monkeypatch.setattr(tensorflow_serving, "run_container", lambda s: ran.append(("docker", s)) or 4)

        def run_stand_in(settings, started):
            ran.append(("stand-in", settings))
            started(settings.rest_port, settings.grpc_port)

        monkeypatch.setattr(stand_in, "run", run_stand_in)
        return *call(monkeypatch, capsys, "serve", str(export), *arguments), ran

    return run


def test_the_first_server_that_there_is(serve):
    code, _, errors, ran = serve(program=True, docker=True)
    assert (code, ran[-1][0]) == (3, "program")
    assert "Serving with tensorflow_model_server." in errors
    assert "Warning: it listens at all addresses of this machine." in errors
    code, _, errors, ran = serve(docker=True)
    assert (code, ran[-1][0]) == (4, "docker")
    assert f"Serving with the container {tensorflow_serving.image()}." in errors
    code, output, errors, ran = serve()
    assert (code, ran[-1][0]) == (0, "stand-in")
    assert "Serving with tfft's stand-in, for development. Production is TensorFlow Serving" in errors
    assert "Warning" not in errors
    assert output == "REST: http://127.0.0.1:8501/v1/models/model\ngRPC: 127.0.0.1:8500\n"


def test_a_server_can_be_chosen(serve):
    assert serve("--with", "stand-in", program=True)[3][-1][0] == "stand-in"
    assert serve("--with", "docker", program=True, docker=True)[3][-1][0] == "docker"


def test_settings(serve, export):
    arguments = (
        "--name m --rest-port 1 --grpc-port 2 --host ::1 --versions all --label a=1 --label b=2 "
        "--poll-seconds 3 --batch-rows 4 --batch-milliseconds 5 --timeout 6 --threads 7 --queue 8 "
        "--max-request-mb 9 --max-connections 10 --max-depth 11"
    )
    code, output, _, ran = serve(*arguments.split())
    assert code == 0
    assert output == "REST: http://[::1]:1/v1/models/m\ngRPC: [::1]:2\n"
    assert ran[-1][1] == Settings(
        export,
        name="m",
        host="::1",
        rest_port=1,
        grpc_port=2,
        newest=None,
        labels={"a": 1, "b": 2},
        poll_seconds=3.0,
        limits=Limits(9 * 2**20, 6.0, 10, 11, 7, 8),
        batching=Batching(4, 0.005),
    )


def test_the_defaults_are_those_of_the_settings(serve, export):
    assert serve()[3][-1][1] == Settings(export)


@pytest.mark.parametrize("chosen", [["--with", "docker"], ["--with", "stand-in"]])
def test_another_address_is_warned_of(serve, chosen):
    _, _, errors, ran = serve(*chosen, "--host", "0.0.0.0", docker=True)
    assert "Warning: at 0.0.0.0 anyone who can reach this machine may ask the model" in errors
    assert ran[-1][1].host == "0.0.0.0"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--rest-port", "8500"], "--rest-port and --grpc-port must differ."),
        (["--rest-port", "70000"], "Invalid value for '--rest-port'"),
        (["--versions", "0"], "0: give a number of versions, at least 1, or all."),
        (["--versions", "some"], "some: give a number of versions"),
        (["--label", "stable"], "stable: write it as in stable=3, in letters, digits and _."),
        (["--label", "a-b=3"], "a-b=3: write it"),
        (["--label", "a=-3"], "a=-3: write it"),
        (["--name", "a/b"], "'a/b': it stands in addresses"),
        (["--batch-milliseconds", "3"], "--batch-milliseconds needs --batch-rows."),
        (["--with", "model-server"], "tensorflow_model_server is not on the PATH."),
        (["--with", "docker"], "No Docker daemon answers: `docker info` fails."),
        (["--timeout", "0"], "Invalid value for '--timeout'"),
    ],
)
def test_what_can_be_put_right(serve, arguments, error):
    code, output, errors, ran = serve(*arguments)
    assert (code, output, ran) == (2, "", [])
    assert error in errors


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--threads", "3", "--max-depth", "9"], "--threads, --max-depth: only the stand-in has it"),
        (["--rest-port", "0"], "TensorFlow Serving takes no free port by itself"),
        (["--host", "127.0.0.1"], "--host: tensorflow_model_server listens everywhere"),
    ],
)
def test_what_the_real_server_does_not_have(serve, arguments, error):
    code, _, errors, ran = serve(*arguments, program=True)
    assert (code, ran) == (2, [])
    assert error in errors


def test_no_folder(monkeypatch, capsys):
    code, output, errors = call(monkeypatch, capsys, "serve", "/no/such")
    assert (code, output, errors) == (2, "", "Error: /no/such: no such folder.\n")


def test_what_the_stand_in_needs_is_told(export, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    for name in [name for name in sys.modules if name.startswith("tfft.server.") and "rest" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "tfft.server.stand_in")
    monkeypatch.delattr("tfft.server.stand_in")
    code, _, errors = call(monkeypatch, capsys, "serve", str(export), "--with", "stand-in")
    assert code == 2
    assert "Error: The stand-in needs aiohttp: pip install 'tfft[serve]'.\n" in errors


def test_from_the_first_line_to_a_calm_end(tmp_path):
    """A process of its own: it says where it listens, answers, and ends with 0."""
    toys.publish(tmp_path, 3)
    command = [sys.executable, "-m", "tfft", "serve", str(tmp_path), "--with", "stand-in"]
    process = subprocess.Popen(
        [*command, "--rest-port", "0", "--grpc-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    with contextlib.ExitStack() as ending:
        ending.callback(process.wait)
        ending.callback(process.kill)
        address = process.stdout.readline().removeprefix("REST: ").strip()
        assert process.stdout.readline().startswith("gRPC: 127.0.0.1:")
        body = json.dumps({"instances": ["ab"]}).encode()
        with urllib.request.urlopen(f"{address}:predict", body, timeout=toys.PATIENCE) as response:
            assert json.loads(response.read())["predictions"][0]["length"] == 2.0
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=toys.PATIENCE)
    assert (process.returncode, output) == (0, "")
    assert "Version 3 of model is being served." in errors
    assert "Stopping: requests that are there are answered, no more are taken." in errors
    assert "Traceback" not in errors
