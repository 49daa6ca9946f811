"""Tests of tfft/callbacks/step_csv.py."""

import csv
import json

import pytest

from tests.callbacks.toys import Read, Remember, fitting, learner, train
from tfft.callbacks import json_lines, nan_guard, step_csv
from tfft.learning_rates import Schedule, Segment
from tfft.schedules import linear

HEADER = "step,next_learning_rate,accuracy,f1_macro,loss"


def rows(folder):
    text = (folder / "steps.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_a_line_for_every_so_many_steps(tmp_path):
    # The rate falls from 0.8 at step 0 by 0.1 a step; the one shown is the next step's.
    rate = Schedule([Segment(0, 8, 0, 0.8)], linear.build())
    told = fitting(tmp_path)
    train(
        tmp_path,
        learner(rate=rate),
        [step_csv.build(told, every=2), json_lines.build(told, every=2)],
        epochs=2,
    )
    found = rows(tmp_path)
    assert sorted(found[0]) == sorted(HEADER.split(","))
    assert [int(row["step"]) for row in found] == [2, 4, 6, 8]
    rates = [float(row["next_learning_rate"]) for row in found]
    assert rates == pytest.approx([0.6, 0.4, 0.2, 0.0], abs=1e-7)
    events = map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines())
    steps = [event for event in events if "epoch" not in event]
    assert [{name: float(value) for name, value in row.items()} for row in found] == steps


def test_who_reads_along_sees_whole_lines(tmp_path):
    read = Read(tmp_path / "steps.csv")
    train(tmp_path, learner(), [step_csv.build(fitting(tmp_path), every=1), read], epochs=1)
    assert [text.count("\n") for text in read.seen] == [2, 3, 4, 5]
    assert all(text.endswith("\n") for text in read.seen)


def test_a_resumed_run_goes_on_below_one_header(tmp_path):
    first = step_csv.build(fitting(tmp_path), every=3)
    kept = Remember(first)
    train(tmp_path, learner(), [first, kept], epochs=1)
    with open(tmp_path / "steps.csv", "a") as file:
        file.write("5,0.1,0.2\n6,0")  # what was written after the save comes again
    second = step_csv.build(fitting(tmp_path), every=3)
    train(tmp_path, learner(), [second], epochs=1, remembered=[(second, kept.state)])
    assert [row["step"] for row in rows(tmp_path)] == ["3", "6"]


@pytest.mark.parametrize("spoilt", [1, 3])
def test_a_step_that_was_undone_has_a_line_without_a_loss(spoilt, tmp_path):
    told = fitting(tmp_path)
    train(
        tmp_path,
        learner(),
        [nan_guard.build(told), step_csv.build(told, every=1)],
        epochs=1,
        spoilt=[spoilt],
    )
    found = rows(tmp_path)
    assert [row["step"] for row in found] == ["1", "2", "3", "4"]
    assert [bool(row["loss"]) for row in found] == [step != spoilt for step in (1, 2, 3, 4)]
