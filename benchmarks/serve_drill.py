"""Ask `tfft serve` from all sides while its versions come and go, and watch what it holds.

    python benchmarks/serve_drill.py [MINUTES] [CLIENTS]

Exports a small random BERT, computes its answers in this process, and starts the stand-in as a process of
its own. The clients ask over REST and gRPC and compare each answer; meanwhile versions appear and vanish,
some of them damaged, and hostile clients send what is no HTTP, no JSON or no request, hang up or fall
silent. The table has a line for each kind of client; the lines below tell what the server holds, after the
first minute or tenth of the time, whichever is shorter, and at the end.
"""

import contextlib
import http.client
import itertools
import json
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scale import make_preset, make_rows

import tfft
from tfft.serving import Grpc, Model

ROWS, TEXTS, PATIENCE, TOLERANCE = 400, 64, 60, 1e-5
HOSTILE, SILENT_SECONDS = 4, 5


@dataclass
class Told:
    """What the clients of one kind saw."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def row(self) -> list[str]:
        """Return requests, failures and latencies in milliseconds."""
        times = np.array(self.seconds or [0.0]) * 1000
        return [
            f"{len(self.seconds):,}", str(len(self.failures)),
            *(f"{np.percentile(times, share):.1f}" for share in (50, 99)),
        ]  # fmt: skip


def export(folder: Path) -> tuple[Path, dict[str, dict]]:
    """Train and export a model; return the folder of its version, and the answer to each text."""
    words = make_preset(folder / "bert")
    make_rows(folder / "rows.csv", words, ROWS)
    config = {
        "run": {"directory": str(folder / "run")},
        "data": {"train": str(folder / "rows.csv"), "validation": 0.2, "test": 0.2},
        "backbone": {"preset": str(folder / "bert"), "sequence_length": 32},
        "training": {"epochs": 1},
    }
    (folder / "drill.yaml").write_text(json.dumps(config), encoding="utf-8")  # which is YAML, too
    version = tfft.train(str(folder / "drill.yaml")).export
    dice = random.Random(0)
    texts = [" ".join(dice.choices(words, k=dice.randint(1, 40))) for _ in range(TEXTS)]
    return version, dict(zip(texts, tfft.predict(version, texts), strict=True))


def is_right(answer: dict, wanted: dict) -> bool:
    """Tell whether a server's answer is the one that was computed here."""
    return answer["label"] == wanted["label"] and abs(answer["score"] - wanted["score"]) <= TOLERANCE


def rest_client(port: int) -> Callable[[list[str]], list[dict]]:
    """Return what asks over one HTTP connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def ask(texts: list[str]) -> list[dict]:
        connection.request("POST", "/v1/models/model:predict", json.dumps({"instances": texts}))
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise ValueError(f"{response.status}: {content.decode()}")
        return json.loads(content)["predictions"]

    return ask


def grpc_client(port: int) -> Callable[[list[str]], list[dict]]:
    """Return what asks over one gRPC channel."""
    client, model = Grpc(f"127.0.0.1:{port}", seconds=PATIENCE), Model()
    signature = client.signature(model)
    return lambda texts: client.predict(model, signature, [{"text": text} for text in texts])


def ask_until(
    over: threading.Event, ask: Callable, answers: dict[str, dict], told: Told, dice: random.Random
) -> None:
    """Ask for some texts again and again, and compare the answers."""
    while not over.is_set():
        texts = dice.sample(sorted(answers), dice.randint(1, 8))
        started = time.perf_counter()
        try:
            found = ask(texts)
            if not all(is_right(one, answers[text]) for one, text in zip(found, texts, strict=True)):
                told.failures.append(f"wrong: {texts}: {found}")
        except Exception as error:  # each of them is what the drill looks for
            told.failures.append(f"{type(error).__name__}: {error}")
        told.seconds.append(time.perf_counter() - started)


def hostile_requests(dice: random.Random) -> Iterator[bytes]:
    """Give what no server should fall over."""
    bodies = [
        b"", b"{", b"[" * 9_000, b'{"instances": [1]}', b'{"instances": [["a"]]}', b'{"instances": ["\xff"]}',
        b'{"inputs": ' + b"9" * 5000 + b"}", b'{"instances": [{"b64": "%"}]}', dice.randbytes(300),
    ]  # fmt: skip
    while True:
        body = dice.choice(bodies)
        head = b"POST /v1/models/model:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        yield head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        yield head + b"Content-Length: 1000000000\r\n\r\n" + body
        yield head + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"\r\n\r\n"
        yield b"GET /" + b"a" * dice.randrange(20_000) + b" HTTP/1.1\r\n\r\n"
        yield b"G" + dice.randbytes(dice.randrange(1, 400)) + b"\r\n\r\n"
        yield head + b"X: y\r\n" * 500 + b"\r\n"


def be_hostile(over: threading.Event, port: int, told: Told, dice: random.Random) -> None:
    """Send hostile requests; a failure is an answer that is no refusal."""
    for request in hostile_requests(dice):
        if over.is_set():
            return
        started, received = time.perf_counter(), b""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(request)
            if dice.random() < 0.05:  # falls silent, with half a request
                connection.sendall(b"POST /v1")
                over.wait(SILENT_SECONDS)
            elif dice.random() < 0.8:  # else hangs up at once
                received = connection.recv(4096)
        told.seconds.append(time.perf_counter() - started)
        if received and not re.match(rb"HTTP/1\.[01] (4\d\d|503) ", received):
            told.failures.append(f"{request[:80]!r}: {received[:80]!r}")


def change_versions(over: threading.Event, base: Path, model: Path) -> int:
    """Let versions appear, every fifth of them damaged, and vanish; return how many appeared."""
    whole = 1
    for number in itertools.count(2):
        copy = base / "writing"
        shutil.copytree(model, copy)
        if number % 5 == 0:
            (copy / "saved_model.pb").write_bytes(b"damaged")
        copy.rename(base / str(number))
        if over.wait(2):
            return number - 1
        if number % 5:
            for old in range(whole, number):
                shutil.rmtree(base / str(old), ignore_errors=True)
            whole = number
    raise AssertionError("it counts on")


def held(process: int) -> dict[str, int]:
    """Return what a process holds: MiB of memory, open files, threads."""
    status = Path(f"/proc/{process}/status").read_text()
    return {
        "memory in MiB": int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024,
        "open files": len([*Path(f"/proc/{process}/fd").iterdir()]),
        "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
    }


@contextlib.contextmanager
def server(base: Path) -> Iterator[tuple[subprocess.Popen, int, int]]:
    """Run the stand-in; yield its process and its two ports."""
    command = [sys.executable, "-m", "tfft", "serve", base, "--with", "stand-in", "--rest-port", "0"]
    options = ["--grpc-port", "0", "--batch-rows", "32", "--poll-seconds", "0.5", "--timeout", "10"]
    with open(base.parent / "server.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        ports = [int(re.search(r":(\d+)", process.stdout.readline())[1]) for _ in range(2)]
        yield process, *ports
    finally:
        process.terminate()
        if process.wait(PATIENCE):
            print(f"the server ended with {process.returncode}: {(base.parent / 'server.log').read_text()}")


def main() -> None:
    """Run the drill and print its tables."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    kinds = {kind: Told() for kind in ("REST", "gRPC", "hostile")}
    over = threading.Event()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name) / "served"
        base.mkdir()
        version, answers = export(Path(name))
        shutil.copytree(version, base / "1")
        with server(base) as (process, rest_port, grpc_port):
            threads = []
            for number in range(clients):
                kind = "gRPC" if number % 4 == 3 else "REST"
                ask = grpc_client(grpc_port) if kind == "gRPC" else rest_client(rest_port)
                arguments = (over, ask, answers, kinds[kind], random.Random(number))
                threads.append(threading.Thread(target=ask_until, args=arguments))
            for number in range(HOSTILE):
                arguments = (over, rest_port, kinds["hostile"], random.Random(-number))
                threads.append(threading.Thread(target=be_hostile, args=arguments))
            appeared: list[int] = []
            threads.append(
                threading.Thread(target=lambda: appeared.append(change_versions(over, base, version)))
            )
            for thread in threads:
                thread.start()
            warm = min(60.0, 6 * minutes)
            time.sleep(warm)
            begun = held(process.pid)
            time.sleep(60 * minutes - warm)
            over.set()
            for thread in threads:
                thread.join()
            time.sleep(2)  # the clients' connections close
            ended = held(process.pid)
        crashed = process.returncode
    requests = Table("clients", "requests", "failures", "p50, ms", "p99, ms")
    for kind, told in kinds.items():
        requests.add_row(kind, *told.row())
    holding = Table("the server holds", f"after {warm:.0f} s", f"after {60 * minutes:.0f} s")
    for what in begun:
        holding.add_row(what, str(begun[what]), str(ended[what]))
    console = Console()
    console.print(requests, holding)
    print(f"{appeared[0]} versions appeared; the server ended with {crashed}.")
    failures = [f"{kind}: {failure}" for kind, told in kinds.items() for failure in told.failures]
    for failure in failures[:20]:
        print(failure)
    sys.exit(bool(failures or crashed))


if __name__ == "__main__":
    main()
