"""Tests of tfft/callbacks/json_lines.py."""

import json

import numpy as np
import pytest

from tests.callbacks.toys import STEPS, Read, Remember, fitting, learner, train
from tfft.callbacks import json_lines, nan_guard
from tfft.learning_rates import Schedule, Segment
from tfft.schedules import linear

NAMES = {"loss", "accuracy", "f1_macro"}


def lines(folder):
    def refuse(word):
        raise ValueError(f"{word} is no JSON")

    text = (folder / "events.jsonl").read_text(encoding="utf-8")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_a_line_for_every_so_many_steps_and_for_every_epoch(tmp_path):
    # The rate falls from 0.8 at step 0 by 0.1 a step; the one shown is the next step's.
    rate = Schedule([Segment(0, 8, 0, 0.8)], linear.build())
    history = train(tmp_path, learner(rate=rate), [json_lines.build(fitting(tmp_path), every=3)], epochs=2)
    found = lines(tmp_path)
    assert [(line.get("epoch"), line["step"]) for line in found] == [(None, 3), (1, 4), (None, 6), (2, 8)]
    for line, next_rate in ((found[0], 0.5), (found[2], 0.2)):
        assert line.keys() == {"step", "next_learning_rate"} | NAMES
        assert line["next_learning_rate"] == pytest.approx(next_rate)
    for epoch, line in enumerate((found[1], found[3])):
        values = {name: line[name] for name in line if name not in ("epoch", "step")}
        assert values == pytest.approx({name: history[name][epoch] for name in values})
        assert values.keys() == NAMES | {f"val_{n}" for n in NAMES} | {"learning_rate", "seconds"}


def test_who_reads_along_sees_whole_lines(tmp_path):
    read = Read(tmp_path / "events.jsonl")
    train(tmp_path, learner(), [json_lines.build(fitting(tmp_path), every=1), read], epochs=1)
    assert [text.count("\n") for text in read.seen] == [1, 2, 3, 4]
    assert all(text.endswith("}\n") for text in read.seen)


def test_a_resumed_run_goes_on_in_the_same_file(tmp_path):
    first = json_lines.build(fitting(tmp_path), every=3)
    kept = Remember(first)
    train(tmp_path, learner(), [first, kept], epochs=1)
    with open(tmp_path / "events.jsonl", "a") as file:
        file.write('{"step": 5}\n{"st')  # what was written after the save comes again
    second = json_lines.build(fitting(tmp_path), every=3)
    train(tmp_path, learner(), [second], epochs=1, remembered=[(second, kept.state)])
    assert [line["step"] for line in lines(tmp_path)] == [3, 4, 6, STEPS + 4]


def test_a_loss_that_is_no_number_leaves_lines_that_are_json(tmp_path):
    told = fitting(tmp_path)
    train(
        tmp_path,
        learner(),
        [json_lines.build(told, every=1), nan_guard.build(told)],
        epochs=1,
        spoilt=[2],
    )
    found = lines(tmp_path)
    assert [line["step"] for line in found] == [1, 2, 3, 4, 4]
    assert np.isfinite([line["loss"] for line in found if line["step"] != 2]).all()
