"""How much memory a run takes on many rows, and how fast rows are read and tokenised.

    python benchmarks/scale.py 5000000

Makes rows of 4 to 12 words in a temporary folder, trains one epoch of a small random BERT
on them, and prints the time of each part and the most memory that the process held beyond
what it held with the model alone on 1,000 of the rows. Anonymous memory is what the
process has for itself; the rest are pages of mapped files, which the system takes back
when it needs them.
"""

import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WORDS = 8000


def make_preset(folder: Path) -> list[str]:
    """Write a random BERT of two narrow blocks in KerasHub's format, and return its words."""
    import keras_hub

    dice = random.Random(0)
    words = sorted(
        {"".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 9))) for _ in range(WORDS)}
    )
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(vocabulary), num_layers=2, num_heads=2, hidden_dim=32, intermediate_dim=64,
        max_sequence_length=32,
    )  # fmt: skip
    backbone.save_to_preset(str(folder))
    keras_hub.models.BertTokenizer(vocabulary=vocabulary, lowercase=True).save_to_preset(str(folder))
    return words


def make_rows(path: Path, words: list[str], count: int) -> None:
    """Write rows whose label a word decides."""
    dice = random.Random(1)
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for number in range(count):
            text = [*dice.choices(words, k=dice.randint(3, 11)), words[number % 2]]
            writer.writerow([" ".join(text), ("no", "yes")[number % 2]])


def memory() -> dict[str, float]:
    """Return the process's resident memory by kind, in MiB."""
    status = Path("/proc/self/status").read_text()
    return {kind: int(re.search(rf"{kind}:\s+(\d+)", status)[1]) / 1024 for kind in ("VmRSS", "RssAnon")}


def measure(config: str) -> None:
    """Train by a config and print times and the most memory held, as JSON."""
    import tfft
    from tfft import splits, token_ids

    most = memory()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            for kind, value in memory().items():
                most[kind] = max(most[kind], value)

    threading.Thread(target=watch, daemon=True).start()
    seconds: dict[str, float] = {}
    for module, name in ((splits, "read"), (token_ids, "of")):
        setattr(module, name, timed(getattr(module, name), f"{module.__name__}.{name}", seconds))
    start = time.perf_counter()
    run = tfft.train(config)
    seconds["whole run"] = time.perf_counter() - start
    done.set()
    print(json.dumps({"most": most, "seconds": seconds, "accuracy": run.figures["validation"]["accuracy"]}))


def timed(function, name, seconds):
    """Return the function, which adds the time that it takes."""

    def call(*arguments, **settings):
        start = time.perf_counter()
        result = function(*arguments, **settings)
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start
        return result

    return call


def main(count: int) -> None:
    """Measure a run on few rows and one on many, each in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = make_preset(folder / "preset")
        found = {}
        for rows in (1000, count):
            make_rows(folder / "rows.csv", words, rows)
            config = {
                "data": {"train": str(folder / "rows.csv"), "validation": 0.01 if rows > 10_000 else 0.1},
                "backbone": {"preset": str(folder / "preset"), "sequence_length": 32},
                "optimizer": {"learning_rate": 1e-3},
                "training": {"epochs": 1, "batch_size": 512},
                "callbacks": [],
                "run": {"directory": str(folder / f"run-{rows}")},
            }
            (folder / "c.yaml").write_text(json.dumps(config))
            done = subprocess.run(
                [sys.executable, __file__, "--measure", str(folder / "c.yaml")],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                env=os.environ | {"TFFT_CACHE": str(folder / "cache")},
            )
            found[rows] = json.loads(done.stdout.splitlines()[-1])
        many, few = found[count], found[1000]
        print(f"| {count:,} rows | |\n|---|---|")
        for kind, told in (("VmRSS", "resident"), ("RssAnon", "of which anonymous")):
            more = many["most"][kind] - few["most"][kind]
            print(f"| most memory beyond 1,000 rows, {told} | {more:,.0f} MiB |")
        for name, told in (("tfft.splits.read", "read"), ("tfft.token_ids.of", "tokenised")):
            print(f"| {told} | {count / many['seconds'][name]:,.0f} rows/s |")
        print(f"| whole run, one epoch | {many['seconds']['whole run']:,.0f} s |")
        print(f"| accuracy on the rows set aside | {many['accuracy']:.4f} |")


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        measure(sys.argv[2])
    else:
        main(int(sys.argv[1]))
