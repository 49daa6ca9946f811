"""Tests of tfft/server/tensorflow_serving.py, with programs that only tell how they were called."""

import os
import re
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tests.server import toys
from tfft.errors import RunError
from tfft.server import tensorflow_serving
from tfft.server.settings import Batching, Limits, Settings

TELLING = """#!{python}
import os, shutil, sys
out = {out!r}
with open(out + "/calls", "a") as stream:
    print("\\n".join([os.path.basename(sys.argv[0]), *sys.argv[1:]]), file=stream)
if sys.argv[1:] == ["info"]:
    sys.exit({info})
for argument in sys.argv[1:]:
    where = argument.partition("=")[2]
    if "models.config" in argument and os.path.exists(where):
        shutil.copytree(os.path.dirname(where), out + "/config", symlinks=True, dirs_exist_ok=True)
    if argument.startswith("--mount") and ",target=/config" in argument:
        shutil.copytree(argument.partition("source=")[2].partition(",")[0], out + "/config")
{body}
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a program on the PATH that tells its arguments and its configuration."""

    def make(name, body="sys.exit(7)", info=0):
        (tmp_path / "bin").mkdir(exist_ok=True)
        program = tmp_path / "bin" / name
        program.write_text(TELLING.format(python=sys.executable, out=str(tmp_path), body=body, info=info))
        program.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin:/bin")
    return make


@pytest.fixture
def export(tmp_path):
    """A folder of versions."""
    (tmp_path / "export" / "3").mkdir(parents=True)
    (tmp_path / "export" / "3" / "saved_model.pb").touch()
    return tmp_path / "export"


def told(tmp_path):
    return (tmp_path / "calls").read_text().splitlines()


def config(tmp_path):
    """Return what the real server would read."""
    parsed = text_format.Parse((tmp_path / "config" / "models.config").read_text(), ModelServerConfig())
    return parsed.model_config_list.config[0]


def test_the_program_is_given_what_was_set(fake, export, tmp_path):
    fake("tensorflow_model_server")
    settings = Settings(
        export,
        name="mine",
        rest_port=18501,
        grpc_port=18500,
        newest=2,
        labels={"stable": 3},
        poll_seconds=5,
        limits=Limits(seconds=1.5),
        batching=Batching(rows=32, seconds=0.002),
    )
    assert tensorflow_serving.has_program()
    assert tensorflow_serving.run_program(settings) == 7
    flags = dict(line.removeprefix("--").split("=", 1) for line in told(tmp_path)[1:])
    folder = Path(flags.pop("model_config_file")).parent
    assert flags == {
        "port": "18500",
        "rest_api_port": "18501",
        "monitoring_config_file": str(folder / "monitoring.config"),
        "file_system_poll_wait_seconds": "5",
        "rest_api_timeout_in_ms": "1500",
        "allow_version_labels_for_unavailable_models": "true",
        "enable_batching": "true",
        "batching_parameters_file": str(folder / "batching.config"),
    }
    found = config(tmp_path)
    assert (found.name, found.base_path, found.model_platform) == ("mine", str(export), "tensorflow")
    assert found.model_version_policy.latest.num_versions == 2
    assert dict(found.version_labels) == {"stable": 3}
    batching = (tmp_path / "config" / "batching.config").read_text()
    assert batching == "max_batch_size { value: 32 }\nbatch_timeout_micros { value: 2000 }\n"
    assert 'path: "/monitoring/prometheus/metrics"' in (tmp_path / "config" / "monitoring.config").read_text()
    assert not folder.exists()


def test_one_version_is_shown_to_the_program_below_its_number(fake, export, tmp_path):
    fake("tensorflow_model_server")
    tensorflow_serving.run_program(Settings(export / "3", newest=None))
    assert (tmp_path / "config" / "model" / "3").readlink() == export / "3"
    assert Path(config(tmp_path).base_path).name == "model"
    assert config(tmp_path).model_version_policy.HasField("all")


@pytest.mark.parametrize(("part", "inside"), [("", "/models"), ("3", "/models/3")])
def test_the_container_is_bound_to_the_host_and_reads_only(fake, export, tmp_path, part, inside):
    fake("docker")
    assert tensorflow_serving.has_docker()
    (tmp_path / "calls").unlink()
    assert tensorflow_serving.run_container(Settings(export / part, host="localhost")) == 7
    lines = told(tmp_path)
    major, minor = version("tensorflow").split(".")[:2]
    at = lines.index(f"tensorflow/serving:{major}.{minor}.0")
    outside, flags = lines[:at], lines[at + 1 :]
    assert outside[:3] == ["docker", "run", "--rm"]
    assert "--publish=127.0.0.1:8500:8500" in outside
    assert "--publish=127.0.0.1:8501:8501" in outside
    assert {"--init", "--entrypoint=tensorflow_model_server"} <= {*outside}
    mounts = [line for line in outside if line.startswith("--mount=")]
    assert all(line.startswith("--mount=type=bind,readonly,") for line in mounts)
    assert mounts[1].endswith(f"source={export / part},target={inside}")
    assert "--model_config_file=/config/models.config" in flags
    assert "--port=8500" in flags
    assert config(tmp_path).base_path == "/models"


def test_a_docker_without_a_daemon_is_none(fake, export):
    assert not tensorflow_serving.has_docker() or Path("/usr/bin/docker").exists()
    fake("docker", info=1)
    assert not tensorflow_serving.has_docker()
    assert not tensorflow_serving.has_program()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on(fake, export, tmp_path, number):
    """Sent once the program has told that it runs; it ends as it likes."""
    fake(
        "tensorflow_model_server",
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(40))\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(41))\n"
        "open(out + '/ready', 'w').close()\n"
        "time.sleep(60)",
    )

    def send():
        toys.wait_until((tmp_path / "ready").exists)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    sending = threading.Thread(target=send)
    sending.start()
    assert tensorflow_serving.run_program(Settings(export)) == {signal.SIGTERM: 40, signal.SIGINT: 41}[number]
    sending.join()
    assert signal.getsignal(number) is before


def test_a_program_that_is_killed_gives_the_code_of_a_shell(fake, export):
    fake("tensorflow_model_server", "os.kill(os.getpid(), 9)")
    assert tensorflow_serving.run_program(Settings(export)) == 137


def test_nothing_to_serve_is_told_before_anything_runs(fake, tmp_path):
    fake("tensorflow_model_server")
    (tmp_path / "empty").mkdir()
    for run in (tensorflow_serving.run_program, tensorflow_serving.run_container):
        with pytest.raises(RunError, match=re.escape(f"{tmp_path / 'empty'} holds no SavedModel")):
            run(Settings(tmp_path / "empty"))
        with pytest.raises(RunError, match="cannot be read: No such file or directory"):
            run(Settings(tmp_path / "none"))
    assert not (tmp_path / "calls").exists()
