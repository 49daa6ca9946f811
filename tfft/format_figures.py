"""How right a model's answers to token ids are, how many are another's, and how long they take."""

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfft import dataset, finished
from tfft.classifier import Classifier
from tfft.formats import Ask
from tfft.tasks import Facts, Task

_BATCH = 16  # rows in a request, where no time is taken

_TIMED = (1, 8)
"""Rows of the requests whose time is taken."""

_DISTINCT = 32
_SECONDS = 2.0
_CALLS = 20
"""How many such requests there are, how long they are asked for, and how often at least."""

_FIGURES = {
    "label": "accuracy", "labels": "f1_micro", "number": "mae", "rank": "accuracy", "tags": "accuracy",
}  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """What was measured of a format.

    Attributes:
        size: Bytes of what is loaded.
        milliseconds: `p50` and `p99` of the time of a request, by its rows, and `calls`.
        right: How right its answers to the rows are.
        change: Of that, from float32.
        same: Share of the answers that are those of float32; None where they are numbers.
    """

    size: int
    milliseconds: Mapping[int, Mapping[str, float]]
    right: float
    change: float
    same: float | None


@dataclass(frozen=True)
class Asked:
    """Rows as requests, and what would be right.

    Attributes:
        kind: Of the targets, as the task has it.
        facts: Of the target.
        requests: Named arrays of each batch.
        counts: Answers that each row of these has, in their order: one, or of tags one for each word.
        truths: What would be right, one for each answer.
        timed: Requests whose time is taken, by their rows.
    """

    kind: str
    facts: Facts
    requests: Sequence[Mapping[str, np.ndarray]]
    counts: np.ndarray
    truths: Sequence[Any]
    timed: Mapping[int, Sequence[Mapping[str, np.ndarray]]]

    @property
    def figure(self) -> str:
        """Name of what `right` returns."""
        return _FIGURES[self.kind]


def read(model: Classifier, task: Task, table: pa.Table, where: str, at_most: int) -> Asked:
    """Return rows, spread evenly over a table, as requests.

    Args:
        model: Whose tokenizer cuts them.
        task: Of the run.
        table: With the columns that the model takes, and `label`.
        where: Key of the rows, for the text of an error.
        at_most: How many rows are taken.
    """
    table = table.take(
        np.unique(np.linspace(0, table.num_rows - 1, min(at_most, table.num_rows)).astype(int))
    )
    targets = task.encode(table["label"], model.facts, where)
    tokens = finished.tokenize(model, table)
    take = dataset.of_tokens(tokens, model.preprocessor.pack)

    def requests(batches: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        return [
            {name: tensor.numpy() for name, tensor in inputs.items()}
            for (inputs,) in dataset.once(take, batches)
        ]

    batches, order = dataset.in_order(finished.lengths(model, tokens), batch_size=_BATCH)
    counts = np.ones(len(order), np.int64)
    if task.kind == "tags":
        counts = pc.list_value_length(table["label"]).to_numpy()[order]
    timed = {}
    for size in _TIMED:
        cut = np.resize(np.arange(table.num_rows), size * _DISTINCT)  # rows come again where there are few
        timed[size] = requests(np.split(cut, _DISTINCT))
    return Asked(
        task.kind,
        model.facts,
        requests(batches),
        counts,
        _truths(task.kind, targets, model.facts, order),
        timed,
    )


def of(ask: Ask, loaded: Path, given: Sequence[Any], float32: Sequence[Any], asked: Asked) -> Figures:
    """Return the figures of a format.

    Args:
        ask: What asks it.
        loaded: Its file, or the folder of a SavedModel.
        given: What `answers` returned for it.
        float32: The same for the export in float32.
        asked: The rows.
    """
    figure = right(asked, given)
    return Figures(
        size=_size(loaded),
        milliseconds={rows: _timed(ask, requests) for rows, requests in asked.timed.items()},
        right=figure,
        change=figure - right(asked, float32),
        same=None if asked.kind == "number" else _share(given, float32),
    )


def answers(ask: Ask, asked: Asked) -> list[Any]:
    """Return what a model answers: names, sets of names, or numbers."""
    found: list[Any] = []
    counts = iter(asked.counts.tolist())
    for request in asked.requests:
        given = ask(request)
        if asked.kind == "number":
            found += given["score"].tolist()
        elif asked.kind == "labels":
            found += [frozenset(filter(None, map(_text, row))) for row in given["labels"].tolist()]
        elif asked.kind == "tags":
            found += [_text(tag) for row in given["tags"].tolist() for tag in row[: next(counts)]]
        else:
            found += map(_text, given["label"].tolist())
    return found


def right(asked: Asked, given: Sequence[Any]) -> float:
    """Return how right answers are: a share of all, F1, or the mean distance of numbers."""
    if asked.kind == "number":
        return float(np.mean(np.abs(np.subtract(given, asked.truths))))
    if asked.kind == "labels":
        hits = sum(len(one & other) for one, other in zip(given, asked.truths, strict=True))
        return 2 * hits / max(sum(map(len, given)) + sum(map(len, asked.truths)), 1)
    return _share(given, asked.truths)


def _share(given: Sequence[Any], others: Sequence[Any]) -> float:
    """Return the share of answers that are equal."""
    return float(np.mean([one == other for one, other in zip(given, others, strict=True)]))


def _size(loaded: Path) -> int:
    """Return the bytes of what a server or a client loads."""
    files = [loaded] if loaded.is_file() else [file for file in loaded.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files if "assets.extra" not in file.parts)


def _timed(ask: Ask, requests: Iterable[Mapping[str, np.ndarray]]) -> dict[str, float]:
    requests = [*requests]
    for request in requests:  # memory of every shape is laid out
        ask(request)
    taken: list[float] = []
    began = time.perf_counter()
    for request in itertools.cycle(requests):
        before = time.perf_counter()
        ask(request)
        taken.append(time.perf_counter() - before)
        if time.perf_counter() - began > _SECONDS and len(taken) >= _CALLS:
            break
    p50, p99 = (float(value) for value in np.percentile(taken, (50, 99)) * 1000)
    return {"p50": p50, "p99": p99, "calls": len(taken)}


def _truths(kind: str, targets: Any, facts: Facts, order: np.ndarray) -> list[Any]:
    """Return what would be right, in an order of the rows, as `answers` has it."""
    if kind == "number":
        return (targets[order] * facts.scale + facts.mean).tolist()
    if kind == "labels":
        return [frozenset(facts.labels[place] for place in np.flatnonzero(row)) for row in targets[order]]
    ids = targets.take(order)[0] if kind == "tags" else targets[order]
    return [facts.labels[number] for number in ids.tolist()]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value
