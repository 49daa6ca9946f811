"""Tests of tfft/truncation.py."""

import json

import numpy as np
import pytest
from rich.console import Console

from tfft import truncation

LENGTHS = np.array([2, 10, 4, 20])


def test_figures_by_hand():
    has = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 1, 0]], bool)
    found = truncation.measure(LENGTHS, 8, zip(["a", "b", "never"], has.T, strict=True))
    assert found == {
        "rows": 4, "room": 8, "median": 7.0, "percentile_95": pytest.approx(18.5), "longest": 20,
        "cut": 2, "tokens_lost": 14 / 36,
        "labels": [
            {"label": "a", "rows": 2, "cut": 1, "tokens_lost": 12 / 22},
            {"label": "b", "rows": 3, "cut": 2, "tokens_lost": 14 / 34},
        ],
    }  # fmt: skip
    assert json.loads(json.dumps(found)) == found
    assert truncation.headline(found) == (
        "Tokens a row: median 7, longest 20; 2 of 4 training rows are cut at 8, and 38.9% of all "
        "tokens are lost"
    )


def test_rows_without_labels_and_without_tokens():
    found = truncation.measure(np.zeros(3, int), 8)
    assert (found["labels"], found["cut"], found["tokens_lost"]) == ([], 0, 0.0)


def test_the_label_that_loses_most_stands_first():
    labels = [f"label {number}" for number in range(20)] + ["[red]"]
    lengths = np.array([1] * 20 + [9])
    found = truncation.measure(lengths, 8, zip(labels, np.eye(21, dtype=bool), strict=True))
    console = Console(width=80)
    with console.capture() as shown:
        console.print(truncation.table(found))
    lines = [line for line in shown.get().splitlines() if "%" in line]
    assert len(lines) == 12
    assert [part.strip() for part in lines[0].strip("│ ").split("│")] == ["[red]", "1", "100.0%", "11.1%"]
