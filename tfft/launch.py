"""Several workers on one machine, over the loopback interface: a cluster to rehearse with, and to test on."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO

from tfft.errors import SettingError

# Seconds from the failure of one worker, by which most others end, for they miss it.
_NOTICE = 5.0  # until the others are told to end
_PATIENCE = 600.0  # until they are killed; the chief may be writing a save
_ENDED_BY_SIGNAL = {130, 143, -signal.SIGINT, -signal.SIGTERM}


def run(command: Sequence[str], workers: int) -> int:
    """Run a command of tfft in several processes, each told of the others by `TF_CONFIG`.

    The chief writes to where this process writes; what the others write goes to standard error, with
    their number before each line. SIGINT and SIGTERM are passed on, SIGHUP as SIGTERM; when one worker
    fails the others are told to end.

    Args:
        command: What follows `tfft`.
        workers: At least 2. They share the processors, and the GPUs if there are any.

    Returns:
        0 if all have ended well; else what the first one that failed ended with.

    Raises:
        SettingError: There are more workers than GPUs.
    """
    shares = _shares(workers)
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(workers)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    processes: list[subprocess.Popen] = []
    with _passing_on(processes, workers) as heard:
        for worker, share in enumerate(shares):
            told = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": worker}}
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tfft", *command],
                    env={**os.environ, **share, "TF_CONFIG": json.dumps(told)},
                    text=True,
                    errors="replace",
                    # A key that is pressed reaches this process alone, which passes it on.
                    start_new_session=True,
                    stdout=subprocess.PIPE if worker else None,
                    stderr=subprocess.STDOUT if worker else None,
                )
            )
        readers = [
            threading.Thread(target=_relay, args=(process.stdout, f"[worker {worker + 1}] "))
            for worker, process in enumerate(processes)
            if process.stdout is not None
        ]
        for number in heard:  # before all were there to hear it
            for process in processes:
                process.send_signal(number)
        for reader in readers:
            reader.start()
        code = _wait(processes)
        for reader in readers:
            reader.join()
    return code


def _shares(workers: int) -> list[dict[str, str]]:
    """Return the environment by which each worker takes its share of the machine."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    shares = [{"TF_NUM_INTRAOP_THREADS": os.environ.get("TF_NUM_INTRAOP_THREADS", str(threads))}] * workers
    gpus = _gpus()
    if not gpus:
        return shares
    if len(gpus) < workers:
        raise SettingError(
            "--workers",
            workers,
            f"must be at most the number of GPUs, {len(gpus)}",
            fix="Take fewer, or set CUDA_VISIBLE_DEVICES to nothing to train on the CPU.",
        )
    each = len(gpus) // workers
    return [
        {**share, "CUDA_VISIBLE_DEVICES": ",".join(gpus[number * each : (number + 1) * each])}
        for number, share in enumerate(shares)
    ]


def _gpus() -> list[str]:
    """Return the GPUs of the machine by which CUDA knows them."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [gpu for gpu in visible.split(",") if gpu.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    found = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    return [str(number) for number, line in enumerate(found.stdout.splitlines()) if line.startswith("GPU ")]


@contextlib.contextmanager
def _passing_on(processes: Sequence[subprocess.Popen], workers: int) -> Iterator[list[int]]:
    """Pass signals on; yield those that came before all workers were there."""
    early: list[int] = []

    def pass_on(number: int, _: object) -> None:
        # Where the terminal is closed, nobody sees what goes on.
        number = signal.SIGTERM if number == signal.SIGHUP else number
        if len(processes) < workers:
            early.append(number)
            return
        for process in processes:
            process.send_signal(number)

    before = {
        number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield early
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for process in processes:
            process.kill()  # nothing, where it has ended


def _relay(stream: IO[str], before: str) -> None:
    for line in stream:
        if line.strip():  # where progress has been shown, nothing is left
            sys.stderr.write(f"{before}{line}")


def _wait(processes: Sequence[subprocess.Popen]) -> int:
    """Wait until all have ended; once one has failed, not for long."""
    first, since, told = 0, 0.0, False
    while None in [process.poll() for process in processes]:
        time.sleep(0.1)
        spent = time.monotonic() - since
        if not first:
            first = next((process.returncode for process in processes if process.returncode), 0)
            since = time.monotonic()
        elif spent > _PATIENCE:
            for process in processes:
                process.kill()
        # A second signal would not let the chief end its save; what a signal has ended, all know of.
        elif spent > _NOTICE and not told and first not in _ENDED_BY_SIGNAL:
            for process in processes:
                process.terminate()
            told = True
    code = first or next((process.returncode for process in processes if process.returncode), 0)
    return code if code >= 0 else 128 - code  # as a shell has it
