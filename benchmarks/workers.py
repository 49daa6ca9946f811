"""Steps per second of one worker and of two on this machine, and whether two measure the same.

    python benchmarks/workers.py DATA [ROWS]

DATA is the folder of SST-2, as configs/sst2.yaml has it. ROWS of its rows, 1,024 by default, are trained on
by one process and by `tfft launch --workers 2`, in turns, three times each, with the same global batch; of
each run the epochs after the first count, in which nothing is traced any more. Each includes the
validation of 64 rows.
"""

import csv
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "sst2.yaml"
BATCH, EPOCHS, RUNS = 32, 3, 3


def take(source: Path, target: Path, rows: int) -> None:
    """Copy the header and the first rows of a CSV file."""
    with (
        open(source, newline="", encoding="utf-8") as read,
        open(target, "w", newline="", encoding="utf-8") as write,
    ):
        csv.writer(write).writerows(itertools.islice(csv.reader(read), rows + 1))


def train(folder: Path, workers: int, number: int) -> tuple[list[float], str]:
    """Train once; return the seconds of the epochs after the first, and what was said."""
    directory = folder / f"run-{workers}-{number}"
    command = ["train"] if workers == 1 else ["launch", "--workers", str(workers)]
    done = subprocess.run(
        [
            sys.executable, "-m", "tfft", *command, CONFIG,
            f"--set=data.train={folder}/train.csv", f"--set=data.validation={folder}/validation.csv",
            "--set=data.test=null", f"--set=training.epochs={EPOCHS}", f"--set=training.batch_size={BATCH}",
            "--set=callbacks=[]", "--set=saves=null", f"--set=run.directory={directory}",
        ],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    with open(directory / "history.csv", newline="", encoding="utf-8") as stream:
        return [float(row["seconds"]) for row in csv.DictReader(stream)][1:], done.stderr


def main() -> None:
    """Run all, and print a table."""
    data, rows = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1024
    steps = -(-rows // BATCH)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    alike = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        take(data / "train.csv", folder / "train.csv", rows)
        take(data / "validation.csv", folder / "validation.csv", 64)
        for number in range(RUNS):
            for workers in seconds:
                spent, said = train(folder, workers, number)
                seconds[workers] += spent
                if workers == 2:
                    told = re.findall(r"(\[worker 2\] )?(Epoch \d+/\d+: .* val_loss \d+\.\d+)", said)
                    chief, other = (
                        [text for who, text in told if bool(who) == is_other] for is_other in (0, 1)
                    )
                    alike.append(chief == other and len(chief) == EPOCHS)
    speeds = {workers: steps / statistics.median(spent) for workers, spent in seconds.items()}
    table = Table("workers", "steps/s, median", "fastest epoch", "slowest epoch", "of one worker")
    for workers, spent in seconds.items():
        table.add_row(
            str(workers), f"{speeds[workers]:.2f}", f"{steps / min(spent):.2f}", f"{steps / max(spent):.2f}",
            f"{speeds[workers] / speeds[1]:.2f}",
        )  # fmt: skip
    Console().print(table)
    print(
        json.dumps({"both workers told the same losses": alike, "processors": os.cpu_count(), "rows": rows})
    )


if __name__ == "__main__":
    main()
