"""Tests of tfft/format_figures.py."""

import numpy as np
import pytest

from tfft import config, finished, format_figures
from tfft.format_figures import Asked
from tfft.tasks import Facts

FACTS = Facts(("no", "yes"))


def asked_of(kind, truths, counts=None):
    """Two batches of two rows and one."""
    requests = [{"token_ids": np.array([[0], [1]])}, {"token_ids": np.array([[2]])}]
    return Asked(kind, FACTS, requests, np.array(counts or [1, 1, 1]), truths, {1: requests[1:]})


def answering(**columns):
    """Answers the rows of `asked_of` by the columns."""
    return lambda request: {name: np.array(v)[request["token_ids"][:, 0]] for name, v in columns.items()}


@pytest.mark.parametrize(
    ("kind", "columns", "counts", "truths", "name", "right"),
    [
        ("label", {"label": [b"no", b"yes", b"no"]}, None, ["no", "yes", "yes"], "accuracy", 2 / 3),
        ("label", {"label": ["no", "yes", "no"]}, None, ["no", "yes", "yes"], "accuracy", 2 / 3),
        ("rank", {"label": [b"no", b"yes", b"no"]}, None, ["yes", "no", "yes"], "accuracy", 0),
        ("number", {"score": [1.0, 2.0, 3.0]}, None, [1.0, 2.5, 2.0], "mae", 0.5),
        (
            "labels",
            {"labels": [[b"yes", b"no"], [b"yes", b""], [b"", b""]]},
            None,
            [frozenset({"yes"}), frozenset({"yes"}), frozenset()],
            "f1_micro",
            4 / 5,  # 2 hits of 3 answers and 2 truths
        ),
        (
            "tags",
            {"tags": [[b"no", b"yes", b"no"], [b"yes", b"no", b"no"], [b"no", b"no", b"yes"]]},
            [2, 1, 3],  # words of each row; what stands beyond is none
            ["no", "no", "yes", "no", "no", "yes"],
            "accuracy",
            5 / 6,
        ),
    ],
)  # fmt: skip
def test_how_right_answers_are(kind, columns, counts, truths, name, right):
    asked = asked_of(kind, truths, counts)
    given = format_figures.answers(answering(**columns), asked)
    assert len(given) == len(truths)
    assert asked.figure == name
    assert format_figures.right(asked, given) == pytest.approx(right)
    assert format_figures.right(asked, truths) == (0 if kind == "number" else 1)


def test_no_label_at_all_is_no_error():
    asked = asked_of("labels", [frozenset()] * 3)
    assert format_figures.right(asked, asked.truths) == 0


def test_figures_beside_float32(monkeypatch, tmp_path):
    monkeypatch.setattr(format_figures, "_SECONDS", 0)
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "card").write_text("not loaded")
    (tmp_path / "saved_model.pb").write_text("12345")
    asked = asked_of("label", ["no", "yes", "yes"])
    ask = answering(label=["no", "no", "no"])
    given = format_figures.answers(ask, asked)
    found = format_figures.of(ask, tmp_path, given, ["no", "yes", "no"], asked)
    assert (found.size, found.right) == (5, 1 / 3)
    assert found.change == pytest.approx(-1 / 3)
    assert found.same == 2 / 3
    assert found.milliseconds.keys() == {1}
    assert found.milliseconds[1]["calls"] == format_figures._CALLS
    assert 0 <= found.milliseconds[1]["p50"] <= found.milliseconds[1]["p99"]


def test_numbers_have_no_share_of_equal_answers(monkeypatch, tmp_path):
    monkeypatch.setattr(format_figures, "_SECONDS", 0)
    asked = asked_of("number", [1.0, 2.0, 3.0])
    found = format_figures.of(
        answering(score=[1.0, 2.0, 3.0]), tmp_path, [1.0, 2.0, 3.0], [1.0, 2.0, 4.0], asked
    )
    assert found.same is None
    assert found.change == pytest.approx(-1 / 3)


def test_the_rows_of_a_run(trained):
    model, settings = finished.restore(trained.directory), config.restore(trained.directory / "config.yaml")
    name, part = finished.split_of(settings, trained.directory, None)
    assert name == "test"
    asked = format_figures.read(model, finished.task_of(settings), part.table, "data.test", 100)
    assert [len(request["token_ids"]) for request in asked.requests] == [16, 4]
    logits = [model.whole(request, training=False).numpy() for request in asked.requests]
    given = [model.facts.labels[i] for i in np.concatenate(logits).argmax(-1)]
    assert format_figures.right(asked, given) == pytest.approx(trained.figures["test"]["accuracy"])
    assert {rows: len(requests) for rows, requests in asked.timed.items()} == {1: 32, 8: 32}
    assert all(len(request["token_ids"]) == 8 for request in asked.timed[8])
    few = format_figures.read(model, finished.task_of(settings), part.table, "data.test", 3)
    assert sum(len(request["token_ids"]) for request in few.requests) == len(few.truths) == 3
