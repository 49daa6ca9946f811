"""Each config of a public data set, trained on a part of it, against the simplest answer.

    python benchmarks/every_task.py DATA [NAME …]

DATA holds a folder for each data set, as the configs say. A seeded part of the rows is trained on
with the rates below, exported, and asked in raw text; the table has the figure of the test rows
beside that of a baseline: the commonest label, the mean, or the commonest tag of each word.
"""

import csv
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import tfft
from tfft import entities

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


@dataclass(frozen=True)
class Trial:
    """One config and what is taken of its data.

    Attributes:
        name: Of the config, and of the folder of its data.
        rows: To train on, at most.
        figure: Of the test rows.
        settings: In place of the config's.
        ask: A raw text for the export.
    """

    name: str
    rows: int
    figure: str
    settings: Sequence[str] = ()
    ask: Mapping[str, str] = field(default_factory=dict)


TRIALS = (
    Trial("hwu64", 4000, "accuracy", ["optimizer.learning_rate=5e-4", "training.epochs=3"],
          {"text": "wake me up at seven tomorrow"}),
    Trial("snips_intents", 2000, "accuracy", ["training.epochs=2"], {"text": "play jazz by miles davis"}),
    Trial("sms_spam", 3000, "f1_macro", ["optimizer.learning_rate=2e-4", "training.epochs=2"],
          {"text": "WINNER!! You have won a prize, call 09061 now"}),
    Trial("snli", 3000, "accuracy", ["optimizer.learning_rate=2e-4", "training.epochs=3"],
          {"text_a": "A man plays a guitar.", "text_b": "A person makes music."}),
    Trial("query_wellformedness", 3000, "rmse", ["optimizer.learning_rate=2e-4", "training.epochs=3"],
          {"text": "what is the capital of france?"}),
    Trial("goemotions", 6000, "f1_micro", ["optimizer.learning_rate=5e-4", "training.epochs=3"],
          {"text": "Thank you so much, this made my day!"}),
    Trial("wnut17_ner", 3394, "f1_micro", [], {"text": "Flying to Berlin with Angela Merkel tomorrow, yay!"}),
    Trial("ud_english_ewt_pos", 2500, "token_accuracy", ["training.epochs=3"],
          {"text": "The quick brown fox jumps over lazy dogs."}),
    Trial("chnsenticorp_hotel", 3000, "accuracy", [], {"text": "房间很干净，服务也很好，下次还会来。"}),
    Trial("afrisenti_5lang", 6000, "accuracy", ["optimizer.learning_rate=3e-4", "training.epochs=3"],
          {"text": "Nagode sosai, na ji dadi"}),
)  # fmt: skip
FOLDERS = {"snli": "snli_sample"}
TEST_ROWS, VALIDATION_ROWS = 1000, 600


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file."""
    with open(path, encoding="utf-8", newline="") as stream:
        if path.suffix == ".csv":
            return list(csv.DictReader(stream))
        return [json.loads(line) for line in stream]


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows in the format that the file's ending says."""
    with open(path, "w", encoding="utf-8", newline="") as stream:
        if path.suffix == ".csv":
            writer = csv.DictWriter(stream, [*rows[0]])
            writer.writeheader()
            writer.writerows(rows)
        else:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def part(trial: Trial, data: Path, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Write a part of each split that there is, and return the rows."""
    taken = {}
    for split, count in (("train", trial.rows), ("validation", VALIDATION_ROWS), ("test", TEST_ROWS)):
        for path in (data / FOLDERS.get(trial.name, trial.name)).glob(f"{split}.*"):
            rows = read(path)
            random.Random(0).shuffle(rows)
            taken[split] = rows[:count]
            write(folder / path.name, taken[split])
    return taken


def baseline(figure: str, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[str, float]:
    """Return what answers without a model, and its figure on the test rows."""
    train, test = rows["train"], rows["test"]
    if figure == "rmse":
        mean = np.mean([float(row["label"]) for row in train])
        true = np.array([float(row["label"]) for row in test])
        return "the mean", float(np.sqrt(np.mean((true - mean) ** 2)))
    if "tags" in train[0]:
        of_word: dict[str, Counter] = {}
        every = Counter(tag for row in train for tag in row["tags"])
        for row in train:
            for word, tag in zip(row["tokens"], row["tags"], strict=True):
                of_word.setdefault(word.lower(), Counter())[tag] += 1
        answers = [
            [of_word.get(word.lower(), every).most_common(1)[0][0] for word in row["tokens"]] for row in test
        ]
        scheme = entities.scheme([row["tags"] for row in train])
        found = entities.figures([row["tags"] for row in test], answers, scheme)
        return "each word's commonest tag", float(str(found[figure]))
    if "labels" in train[0]:
        common = Counter(label for row in train for label in row["labels"]).most_common(1)[0][0]
        hits = sum(common in row["labels"] for row in test)
        return f"always {common}", 2 * hits / (len(test) + sum(len(row["labels"]) for row in test))
    common = Counter(row["label"] for row in train).most_common(1)[0][0]
    share = float(np.mean([row["label"] == common for row in test]))
    if figure == "f1_macro":
        return f"always {common}", 2 * share / (1 + share) / len({row["label"] for row in test})
    return f"always {common}", share


def run(trial: Trial, data: Path, folder: Path) -> list[str]:
    """Train, export, ask; return a row of the table."""
    rows = part(trial, data, folder)
    suffix = next(folder.glob("train.*")).suffix
    places = [f"data.{split}={folder / split}{suffix}" for split in rows]
    if trial.name == "chnsenticorp_hotel":
        places.append(f"backbone.preset={data / 'random_chinese_bert'}")
    start = time.monotonic()
    done = tfft.train(
        CONFIGS / f"{trial.name}.yaml",
        [*places, f"run.directory={folder / 'run'}", "callbacks=[]", *trial.settings],
    )
    seconds = time.monotonic() - start
    ours, (told, theirs) = done.figures["test"][trial.figure], baseline(trial.figure, rows)
    (answer,) = tfft.predict(done.export, [dict(trial.ask)])
    shown = {
        key: value
        for key, value in answer.items()
        if key in ("label", "labels", "score", "entity_texts", "tags")
    }
    Console(stderr=True).print(f"{trial.name}: {dict(trial.ask)} -> {shown}", markup=False)
    counted = f"{len(rows['train'])} / {done.figures['test']['rows']}"
    figures = [f"{value:.4f}" for value in (ours, theirs, abs(ours - theirs))]
    return [
        trial.name,
        counted,
        trial.figure,
        figures[0],
        f"{told}: {figures[1]}",
        figures[2],
        f"{seconds:.0f} s",
    ]


def main() -> None:
    """Run the trials that are named, or all, and print the table."""
    data, names = Path(sys.argv[1]).absolute(), sys.argv[2:]
    table = Table("config", "rows: train / test", "figure", "tfft", "baseline", "apart", "time")
    for trial in TRIALS:
        if not names or trial.name in names:
            with tempfile.TemporaryDirectory() as folder:
                table.add_row(*run(trial, data, Path(folder)))
    Console(width=140).print(table)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main()
