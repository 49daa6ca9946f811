"""Latency and throughput of an export against PyTorch and ONNX Runtime, text in and answer out.

    python benchmarks/latency.py RUN [--minutes 6.5] [--peer-python PYTHON] [--output FOLDER]

The newest export of RUN is asked in a Python process, as a server written in Python would do, and by a C
program through TensorFlow's C API, with the loader of TensorFlow Serving. The other two have the weights of
the same run: `transformers`' BERT in PyTorch's eager mode, and the same written as ONNX, each behind Hugging
Face's `tokenizers`. All four must give the same answers before anything is timed.

Then each contender, a process of its own, answers the same texts in turns, in an order that is drawn anew
each round, while the others wait. The peers need an environment of their own, which is made from
latency_peers.txt in tfft's cache at the first call, or is that of --peer-python.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import c_api
import click
import hugging_face_checkpoint
import numpy as np
from rich.console import Console
from rich.table import Table

from tfft import cache, config, finished, saved_model
from tfft.errors import TfftError

HERE = Path(__file__).resolve().parent
PYTHON, C, PYTORCH, ONNX = "export, in Python", "export, in C", "PyTorch, eager", "ONNX Runtime"
BATCHES = {1: 1, 8: 2, 32: 5}
"""Texts of a request, and their share of the time: large ones take longer, and each needs enough of them."""
CLIENTS = {1: 1, 8: 16}
"""Clients that ask at one time, and requests of all of them in a turn."""
WARM_UP = 0.1  # of the time
PAUSE = 0.005  # seconds before each turn, in which threads that still spin after the last one go to sleep
TOLERANCE = 1e-4
CACHED = "latency-peers"

console = Console()


@dataclass
class Times:
    """What was measured of one contender, at one size of a request and number of clients."""

    seconds: list[float] = field(default_factory=list)
    rounds: float = 0.0
    processors: float = 0.0
    texts: int = 0

    def figures(self) -> dict[str, float]:
        """Return the figures of the table."""
        return {
            "requests": len(self.seconds),
            "p50_ms": 1000 * float(np.percentile(self.seconds, 50)),
            "p99_ms": 1000 * float(np.percentile(self.seconds, 99)),
            "texts_per_s": self.texts / self.rounds,
            "processor_ms_per_text": 1000 * self.processors / self.texts,
        }


def peer_python(given: str | None) -> str:
    """Return the interpreter of the peers' environment, made now if there is none."""
    if given:
        return given
    listed = HERE / "latency_peers.txt"
    key = hashlib.sha256(listed.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache.folder() / CACHED / key
    python = folder / "bin" / "python"
    if not (folder / "complete").is_file():
        console.print(f"Making the environment of PyTorch and ONNX Runtime in {folder}; minutes, once.")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", listed], check=False)
        if done.returncode:
            raise click.ClickException("It cannot be made; pip tells why. --peer-python takes another.")
        (folder / "complete").touch()
    return str(python)


@contextmanager
def process(command: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen]:
    """Run a contender; it ends when nothing more can be asked."""
    with open(log, "wb") as said:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": said}
        running = subprocess.Popen([*map(str, command)], env=env, **pipes)
    try:
        yield running
    finally:
        with suppress(BrokenPipeError):
            running.stdin.close()
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()


def read(running: subprocess.Popen, log: Path) -> dict[str, Any]:
    """Return the next line of a contender."""
    line = running.stdout.readline()
    if not line:
        raise SystemExit(f"A contender has ended:\n{log.read_text(encoding='utf-8', errors='replace')}")
    return json.loads(line)


@dataclass(frozen=True)
class Contender:
    """A process that answers, and how it is asked."""

    running: subprocess.Popen
    log: Path
    spell: Callable[[Sequence[Sequence[str]], int], bytes]

    def ask(self, requests: Sequence[Sequence[str]], clients: int = 1) -> dict[str, Any]:
        """Return seconds and answers of a round of requests."""
        with suppress(BrokenPipeError):  # one that has ended is told, with its log, as it is read
            self.running.stdin.write(self.spell(requests, clients))
            self.running.stdin.flush()
        return read(self.running, self.log)


def spell_json(requests: Sequence[Sequence[str]], clients: int) -> bytes:
    """Return a round as the workers in Python read it."""
    return json.dumps({"requests": requests, "clients": clients}).encode() + b"\n"


def start(
    stack: ExitStack, version: Path, checkpoint: Path, peers: str, threads: int, folder: Path
) -> tuple[dict[str, Contender], dict[str, str]]:
    """Start all contenders; return them by their names, and the versions of the libraries."""
    limits = ("OMP", "MKL", "RAYON", "OPENBLAS")
    env = os.environ | {f"{name}_NUM_THREADS": str(threads) for name in limits}
    # Both for the C program, which has no other way to be told.
    env |= {f"TF_NUM_{name}_THREADS": str(threads) for name in ("INTRAOP", "INTEROP")}
    env["TF_CPP_MIN_LOG_LEVEL"] = "2"
    worker = HERE / "latency_worker.py"
    commands = {
        PYTHON: [sys.executable, worker, "tensorflow", version, threads],
        C: c_api.command(c_api.build(folder), version),
        PYTORCH: [peers, worker, "pytorch", checkpoint, threads],
        ONNX: [peers, worker, "onnxruntime", checkpoint, threads],
    }
    contenders, versions = {}, {}
    for name, command in commands.items():
        log = folder / f"{len(contenders)}.log"
        running = stack.enter_context(process(command, env, log))
        contenders[name] = Contender(running, log, c_api.round_of if name == C else spell_json)
    for name, contender in contenders.items():
        if name != C:
            versions |= read(contender.running, contender.log)["versions"]
    return contenders, versions


def prove(contenders: Mapping[str, Contender], texts: Sequence[str]) -> dict[str, float]:
    """Return by how much each contender's probabilities differ from the first one's, at most.

    Raises:
        SystemExit: They differ by more than rounding, or a label is another one.
    """
    requests = [
        ["", "a"],
        *([text] for text in texts),
        *(texts[i : i + 32] for i in range(0, len(texts), 32)),
    ]
    answers = {
        name: {
            key: [row for one in told["answers"] for row in one[key]] for key in ("label", "probabilities")
        }
        for name, contender in contenders.items()
        for told in [contender.ask(requests)]
    }
    wanted, apart = answers[PYTHON], {}
    for name, found in answers.items():
        apart[name] = float(np.abs(np.subtract(found["probabilities"], wanted["probabilities"])).max())
        others = sum(a != b for a, b in zip(found["label"], wanted["label"], strict=True))
        if others or not apart[name] <= TOLERANCE:
            raise SystemExit(
                f"{name} does not compute what the export does: {others} other labels, probabilities up to "
                f"{apart[name]:.1e} apart. Nothing was timed."
            )
    return apart


def measure(
    contenders: Mapping[str, Contender], texts: Sequence[str], batch: int, clients: int, seconds: float
) -> dict[str, Times]:
    """Let all contenders answer the same requests in turns until the time is over.

    The first part of it warms up, of which at least one round is not counted.
    """
    dice = random.Random(f"{batch} {clients}")
    times: dict[str, Times] = defaultdict(Times)
    begun, is_warm = time.perf_counter(), False
    while not times or time.perf_counter() < begun + seconds:
        requests = [dice.choices(texts, k=batch) for _ in range(CLIENTS[clients])]
        for name in dice.sample([*contenders], len(contenders)):
            time.sleep(PAUSE)
            told = contenders[name].ask(requests, clients)
            if is_warm:
                times[name].seconds += told["seconds"]
                times[name].rounds += told["round"]
                times[name].processors += told["processors"]
                times[name].texts += batch * len(requests)
        is_warm = time.perf_counter() >= begun + WARM_UP * seconds
    return times


def result(times: Mapping[str, Times], batch: int, clients: int) -> dict[str, Any]:
    """Return the figures of one size and number of clients, and the ratios: the export's to each peer's."""
    figures = {name: times[name].figures() for name in (PYTHON, C, PYTORCH, ONNX)}
    ratios = {
        f"{ours} / {peer}": {
            key: figures[ours][key] / figures[peer][key]
            for key in ("p50_ms", "p99_ms", "texts_per_s", "processor_ms_per_text")
        }
        for ours in (PYTHON, C)
        for peer in (PYTORCH, ONNX)
    }
    return {"texts_per_request": batch, "clients": clients, "figures": figures, "ratios": ratios}


def tables(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return title, head and rows of the tables."""
    size = ["texts", "clients"]
    sizes = [[str(one["texts_per_request"]), str(one["clients"])] for one in results]
    figures = [
        [
            *of,
            name,
            f"{f['requests']:,}",
            f"{f['p50_ms']:.1f}",
            f"{f['p99_ms']:.1f}",
            f"{f['texts_per_s']:.1f}",
            f"{f['processor_ms_per_text']:.1f}",
        ]
        for of, one in zip(sizes, results, strict=True)
        for name, f in one["figures"].items()
    ]
    made = [("Measured", [*size, "who", "requests", "p50, ms", "p99, ms", "texts/s", "CPU ms/text"], figures)]
    for key, title in (
        ("p50_ms", "Median latency of the export to that of the other, where less is better"),
        ("texts_per_s", "Texts in a second of the export to those of the other, where more is better"),
        (
            "processor_ms_per_text",
            "Processor time for a text of the export to that of the other, where less is better",
        ),
    ):
        ratios = [
            [*of, *(f"{ratio[key]:.2f}" for ratio in one["ratios"].values())]
            for of, one in zip(sizes, results, strict=True)
        ]
        made.append((title, [*size, "Python/PyTorch", "Python/ONNX", "C/PyTorch", "C/ONNX"], ratios))
    return made


def markdown(made: Sequence[tuple[str, list[str], list[list[str]]]]) -> str:
    """Return the tables as they stand in docs/latency.md."""
    parts = []
    for title, head, rows in made:
        lines = [head, ["---"] * len(head), *rows]
        parts.append(f"{title}.\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines))
    return "\n".join(parts)


@click.command(help=__doc__.split("\n\n", 2)[2])
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--minutes", default=6.5, show_default=True, help="Of measuring; it starts in about one.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=os.cpu_count(),
    show_default=True,
    help="Of each library in one request.",
)
@click.option("--peer-python", "given", help="Interpreter that has the packages of latency_peers.txt.")
@click.option("--output", type=click.Path(path_type=Path), help="New folder of latency.json and latency.md.")
def main(run: Path, minutes: float, threads: int, given: str | None, output: Path | None) -> None:
    """Prepare, prove, measure, and print."""
    if output and output.exists():
        raise click.UsageError(f"{output} exists already. Choose another.")
    version = saved_model.newest(run / "export")
    if version is None:
        raise click.UsageError(f"{run}/export has no export. Make one: tfft export {run}")
    try:
        model = finished.restore(run)
        hugging_face_checkpoint.check(model)  # before gigabytes are fetched for a comparison with it
        rows = finished.read_splits(config.restore(run / "config.yaml"))
    except TfftError as error:
        raise click.UsageError(str(error)) from error
    peers = peer_python(given)
    table = rows.get("test", rows["validation"]).table
    tokens, _ = model.preprocessor.sizes(finished.lengths(model, finished.tokenize(model, table)))
    texts = table["text"].to_pylist()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        hugging_face_checkpoint.write(model, folder / "checkpoint")
        console.print("Writing the ONNX file.")
        command = [peers, HERE / "latency_worker.py", "write-onnx", folder / "checkpoint"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise click.ClickException(f"The ONNX file cannot be written:\n{done.stderr}")
        console.print("Starting the four contenders, and comparing their answers.")
        contenders, versions = start(stack, version, folder / "checkpoint", peers, threads, folder)
        apart = prove(contenders, texts)
        results = []
        for batch, share in BATCHES.items():
            for clients in CLIENTS:
                seconds = 60 * minutes * share / sum(BATCHES.values()) / len(CLIENTS)
                console.print(f"{batch} texts in a request, {clients} clients: {seconds:.0f} s")
                results.append(result(measure(contenders, texts, batch, clients, seconds), batch, clients))
    told = {
        "processors": os.cpu_count(),
        "threads": threads,
        "versions": versions,
        "rows": len(texts),
        "tokens": {f"p{share}": int(np.percentile(tokens, share)) for share in (0, 50, 99, 100)},
        "probabilities_apart": apart,
        "results": results,
    }
    made = tables(results)
    for title, head, lines in made:
        shown = Table(*head, title=title)
        for line in lines:
            shown.add_row(*line)
        console.print(shown)
    console.print_json(json.dumps({key: value for key, value in told.items() if key != "results"}))
    if output:
        with tempfile.TemporaryDirectory(dir=output.absolute().parent, prefix="writing-") as name:
            whole = Path(name) / "whole"
            whole.mkdir()
            (whole / "latency.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
            (whole / "latency.md").write_text(markdown(made), encoding="utf-8")
            whole.rename(output)


if __name__ == "__main__":
    main()
