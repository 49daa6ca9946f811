"""Cut a training off in all ways that happen, go on, and compare the end with one that was left alone.

    python benchmarks/fault_drill.py [POINTS] [WORKERS]

A tiny random BERT, dropout, augmentations and all, on seeded rows, with a moving average of the weights
and early stopping. Each point is one run: something happens to it at a seeded moment,
`tfft train --resume` is called until it ends, and its weights, its history and its figures are compared
bit by bit. The table has a line for each kind of fault. With several WORKERS the training is that of
`tfft launch`, and what happens happens to one of them, or to all.
"""

import contextlib
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table
from scale import make_preset, make_rows

from tfft import fingerprint

ROWS, EPOCHS, BATCH = 480, 8, 16
EPOCHS_OF_WORKERS = 3  # which take longer to start than to train
PATIENCE = 600  # seconds for one process
FAULTS = (
    "kill -9", "SIGTERM", "Ctrl-C", "newest save truncated", "newest save with a bit flipped",
    "saves cannot be written", "disk full",
)  # fmt: skip
FAULTS_OF_WORKERS = (
    "kill -9 of the chief", "kill -9 of another worker", "kill -9 of all", "SIGTERM to the chief",
    "SIGTERM to another worker", "Ctrl-C", "newest save truncated", "newest save with a bit flipped",
)  # fmt: skip


@dataclass
class Outcome:
    """What came of the points of one kind of fault."""

    points: int = 0
    cut_off: int = 0
    resumes: int = 0
    fallen_back: int = 0
    lost: list[str] = field(default_factory=list)


def write(folder: Path, epochs: int) -> Path:
    """Write rows and a config; return the config."""
    make_rows(folder / "rows.csv", make_preset(folder / "bert"), ROWS)
    config = {
        "data": {"train": str(folder / "rows.csv"), "validation": 0.2, "test": 0.2},
        "backbone": {"preset": str(folder / "bert"), "sequence_length": 16},
        "augmentations": ["word_deletion"],
        "optimizer": {"learning_rate": 1e-3},
        "training": {"epochs": epochs, "batch_size": BATCH},
        "saves": {"every_steps": 4},
        "callbacks": ["early_stopping", "ema", "nan_guard", "json_lines"],
    }
    path = folder / "drill.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")  # which is YAML, too
    return path


def start(workers: int, *arguments: object) -> subprocess.Popen:
    """Start a training."""
    command = ["train"] if workers == 1 else ["launch", f"--workers={workers}"]
    return subprocess.Popen(
        [sys.executable, "-m", "tfft", *command, *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def victims(process: subprocess.Popen, workers: int, fault: str, dice: random.Random) -> list[int]:
    """Return the processes that something happens to."""
    if workers == 1 or fault == "Ctrl-C":
        return [process.pid]
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    if "chief" in fault:
        return [int(children[0])]
    if "another" in fault:
        return [int(dice.choice(children[1:]))]
    return [*map(int, children)]


def saved(directory: Path) -> list[Path]:
    """Return the saves of a run, the newest last."""
    return sorted((directory / "saves").glob("step-*"))


def hit(process: subprocess.Popen, directory: Path, workers: int, fault: str, dice: random.Random) -> bool:
    """Let something happen to a training that has a save; return whether it was cut off."""
    until = time.monotonic() + PATIENCE
    while not saved(directory) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(dice.uniform(0, 5))  # into steps, saves, validations, exports, or the evaluation
    if process.poll() is not None:
        return False
    number = {"SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}.get(fault.split(" ")[0], signal.SIGKILL)
    for each in victims(process, workers, fault, dice):
        with contextlib.suppress(ProcessLookupError):  # it may have ended just now
            os.kill(each, number)
    return process.wait(PATIENCE) != 0


def damage(directory: Path, fault: str, dice: random.Random) -> None:
    """Spoil the newest save."""
    if len(found := saved(directory)) < 2:
        return
    content = bytearray(found[-1].read_bytes())
    if "truncated" in fault:
        del content[dice.randrange(len(content)) :]
    else:
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    found[-1].write_bytes(content)


@contextlib.contextmanager
def hindered(directory: Path, fault: str, small: Path | None) -> Iterator[None]:
    """Have no permission to write saves, or a disk that is full, while a training goes on."""
    saves = directory / "saves"
    if fault == "saves cannot be written":
        # Also against root, whom permissions do not stop: a file stands where the folder would be.
        shutil.rmtree(saves, ignore_errors=True)
        saves.write_bytes(b"")
        try:
            yield
        finally:
            saves.unlink()
    elif fault == "disk full" and small is not None:
        shutil.rmtree(saves, ignore_errors=True)
        full = small / directory.name
        full.mkdir()
        saves.symlink_to(full)
        filler = small / "filler"
        free = shutil.disk_usage(small).free
        filler.write_bytes(b"\0" * (free // 2))
        try:
            yield
        finally:
            filler.unlink()
    else:
        yield


def end(directory: Path) -> dict[str, object]:
    """Return what a run left, times aside."""
    with open(directory / "history.csv", newline="", encoding="utf-8") as stream:
        history = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)]
    return {
        "weights": fingerprint.of_weights(directory / "model" / "best.weights.h5"),
        "history": history,
        "figures": json.loads((directory / "evaluation" / "test.json").read_text(encoding="utf-8")),
        "versions": sorted(path.name for path in (directory / "export").iterdir()),
    }


def one_point(
    config: Path,
    directory: Path,
    workers: int,
    fault: str,
    dice: random.Random,
    small: Path | None,
    found: Outcome,
) -> None:
    """Run one training with a fault, to its end."""
    found.points += 1
    process = start(workers, config, "--set", f"run.directory={directory}")
    found.cut_off += hit(process, directory, workers, fault, dice)
    process.wait(PATIENCE)
    if fault.startswith("newest"):
        damage(directory, fault, dice)
    with hindered(directory, fault, small):
        if fault in ("saves cannot be written", "disk full"):
            process = start(workers, "--resume", directory)
            time.sleep(dice.uniform(6, 12))
            process.kill()
            process.wait(PATIENCE)
    while True:
        found.resumes += 1
        if start(workers, "--resume", directory).wait(PATIENCE) == 0:
            break
        if found.resumes > 10 * found.points:
            raise SystemExit(f"{directory} does not come to an end: see its log.txt")
    found.fallen_back += "is damaged" in (directory / "log.txt").read_text(encoding="utf-8")


def main() -> None:
    """Run the drill and print its table."""
    points = int(sys.argv[1]) if len(sys.argv) > 1 else 56
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    faults = FAULTS if workers == 1 else FAULTS_OF_WORKERS
    outcomes: dict[str, Outcome] = defaultdict(Outcome)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = tmpfs(folder / "small")
        config = write(folder, EPOCHS if workers == 1 else EPOCHS_OF_WORKERS)
        if start(workers, config, "--set", f"run.directory={folder / 'whole'}").wait(PATIENCE):
            raise SystemExit("the training that is left alone fails")
        wanted = end(folder / "whole")
        try:
            for number in track(range(points), "drilling", console=Console(stderr=True)):
                fault, dice = faults[number % len(faults)], random.Random(number)
                if fault == "disk full" and small is None:
                    continue
                directory = folder / f"run-{number}"
                one_point(config, directory, workers, fault, dice, small, outcomes[fault])
                told = end(directory)
                outcomes[fault].lost += [
                    f"{number}: {key}" for key, value in wanted.items() if told[key] != value
                ]
                shutil.rmtree(directory)
                if small is not None:
                    shutil.rmtree(small / directory.name, ignore_errors=True)
        finally:
            if small is not None:
                subprocess.run(["umount", small], check=True)
    table = Table("fault", "points", "cut off", "resumes", "fell back to the save before", "lost or unlike")
    for fault in faults:
        told = outcomes[fault]
        row = (told.points, told.cut_off, told.resumes, told.fallen_back, len(told.lost))
        table.add_row(fault, *map(str, row))
    Console().print(table)
    for fault, told in outcomes.items():
        for lost in told.lost:
            print(f"{fault}, point {lost} differs")
    if small is None:
        print("disk full: left out, for no small file system can be mounted here")
    sys.exit(any(told.lost for told in outcomes.values()))


def tmpfs(place: Path) -> Path | None:
    """Mount a file system of 20 MB, which holds two saves and not three, None where that is not allowed."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", place], capture_output=True, check=False
    )
    return None if done.returncode or not os.path.ismount(place) else place


if __name__ == "__main__":
    main()
