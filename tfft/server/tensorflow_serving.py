"""Start TensorFlow Serving itself: its program, or its container."""

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tfft.errors import RunError
from tfft.server import folders
from tfft.server.settings import Settings

PROGRAM = "tensorflow_model_server"

_CONFIG, _MODELS = Path("/config"), Path("/models")
"""Folders in the container."""


def has_program() -> bool:
    """Tell whether the program is on the PATH."""
    return shutil.which(PROGRAM) is not None


def has_docker() -> bool:
    """Tell whether a Docker daemon answers."""
    if shutil.which("docker") is None:
        return False
    try:
        told = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.returncode == 0


def image() -> str:
    """Return the container of the TensorFlow minor that is installed, whose operations an export needs."""
    major, minor = version("tensorflow").split(".")[:2]
    return f"tensorflow/serving:{major}.{minor}.0"


def run_program(settings: Settings) -> int:
    """Run the program until it ends; return its exit code.

    It listens at all addresses, for it has no option for one.

    Raises:
        RunError: There is nothing to serve.
    """
    _check(settings.export)
    with tempfile.TemporaryDirectory() as name:
        folder, base = Path(name), settings.export.absolute()
        if (number := folders.single(base)) is not None:
            (folder / "model").mkdir()
            (folder / "model" / str(number)).symlink_to(base)
            base = folder / "model"
        _write(settings, folder, base)
        return _run(
            [
                PROGRAM,
                f"--port={settings.grpc_port}",
                f"--rest_api_port={settings.rest_port}",
                *_flags(settings, folder),
            ]
        )


def run_container(settings: Settings) -> int:
    """Run the container until it ends; return its exit code.

    Raises:
        RunError: There is nothing to serve.
    """
    _check(settings.export)
    number = folders.single(settings.export)
    inside = _MODELS if number is None else _MODELS / str(number)
    with tempfile.TemporaryDirectory() as name:
        _write(settings, Path(name), _MODELS)
        return _run(
            [
                "docker", "run", "--rm",
                # A first process that passes signals on; the image's own shell script keeps them.
                "--init", f"--entrypoint={PROGRAM}",
                f"--publish={_address(settings.host)}:{settings.grpc_port}:8500",
                f"--publish={_address(settings.host)}:{settings.rest_port}:8501",
                f"--mount=type=bind,readonly,source={name},target={_CONFIG}",
                f"--mount=type=bind,readonly,source={settings.export.absolute()},target={inside}",
                image(),
                "--port=8500", "--rest_api_port=8501",
                *_flags(settings, _CONFIG),
            ]
        )  # fmt: skip


def _check(export: Path) -> None:
    try:
        found = folders.find(export)
    except OSError as error:
        raise RunError(f"{export} cannot be read: {error.strerror}.") from error
    if not found:
        raise RunError(folders.nothing_in(export))


def _write(settings: Settings, folder: Path, base: Path) -> None:
    """Write the server's configuration; `base` is where it finds the numbered folders."""
    policy = "all {}" if settings.newest is None else f"latest {{ num_versions: {settings.newest} }}"
    labels = "".join(
        f"    version_labels {{ key: {json.dumps(label)} value: {number} }}\n"
        for label, number in settings.labels.items()
    )
    (folder / "models.config").write_text(
        "model_config_list {\n  config {\n"
        f"    name: {json.dumps(settings.name)}\n"
        f"    base_path: {json.dumps(str(base))}\n"
        '    model_platform: "tensorflow"\n'
        f"    model_version_policy {{ {policy} }}\n"
        f"{labels}  }}\n}}\n",
        encoding="utf-8",
    )
    (folder / "monitoring.config").write_text(
        'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n', encoding="utf-8"
    )
    if settings.batching is not None:
        (folder / "batching.config").write_text(
            f"max_batch_size {{ value: {settings.batching.rows} }}\n"
            f"batch_timeout_micros {{ value: {round(settings.batching.seconds * 1e6)} }}\n",
            encoding="utf-8",
        )


def _flags(settings: Settings, folder: Path) -> list[str]:
    """Return the server's flags; `folder` is where it finds its configuration."""
    flags = [
        f"--model_config_file={folder / 'models.config'}",
        f"--monitoring_config_file={folder / 'monitoring.config'}",
        f"--file_system_poll_wait_seconds={max(1, round(settings.poll_seconds))}",
        f"--rest_api_timeout_in_ms={round(settings.limits.seconds * 1000)}",
    ]
    if settings.labels:
        # Else a label for a version that is not loaded yet keeps the server from starting.
        flags.append("--allow_version_labels_for_unavailable_models=true")
    if settings.batching is not None:
        flags += ["--enable_batching=true", f"--batching_parameters_file={folder / 'batching.config'}"]
    return flags


def _run(command: Sequence[str]) -> int:
    """Run a program to its end, and pass signals on to it."""
    heard: list[int] = []
    processes: list[subprocess.Popen] = []

    def hear(number: int, _: object) -> None:
        heard.append(number)
        for process in processes:
            process.send_signal(number)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        # In a session of its own, so that Ctrl-C comes to it once, from here.
        with subprocess.Popen(command, start_new_session=True) as process:
            processes.append(process)
            for number in heard:  # before there was a process
                process.send_signal(number)
            code = process.wait()
    finally:
        for signal_number, handler in before.items():
            signal.signal(signal_number, handler)
    return 128 - code if code < 0 else code


def _address(host: str) -> str:
    """Return a host as Docker takes it: an address, not a name."""
    address = "127.0.0.1" if host == "localhost" else host
    return f"[{address}]" if ":" in address else address
