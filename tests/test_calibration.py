"""Tests of tfft/calibration.py: temperatures that are known, those of answers that know all or nothing."""

import keras
import numpy as np
import pytest
from scipy import special

from tfft import calibration, plugins
from tfft.tasks import Facts

LABELS = ("a", "b", "c")


def outputs_of(task, labels=LABELS):
    facts = Facts(labels, rates=tuple(0.5 for _ in labels))
    return plugins.load("tasks", task)().outputs(facts, None)


def answered(probabilities, rows, seed):
    """Return ids drawn by the probabilities of each row."""
    dice = np.random.default_rng(seed)
    return np.array([dice.choice(len(p), p=p) for p in probabilities[:rows]], np.int32)


@pytest.mark.parametrize("sureness", [0.5, 1.0, 3.0])
def test_the_temperature_by_which_the_truth_was_drawn_is_found(sureness):
    true = np.random.default_rng(0).normal(0, 2, (4000, 3))
    ids = answered(special.softmax(true, axis=1), 4000, 1)
    temperature, told = calibration.fit(
        (true * sureness).astype(np.float32), ids, outputs_of("text_classification")
    )
    assert temperature == pytest.approx(sureness, rel=0.08)
    assert told.startswith("Temperature of the logits, by 4000 validation answers: ")
    if sureness != 1:
        assert f"{temperature:.3f}, which brings the loss from " in told


def test_of_several_labels_it_is_that_of_all_of_them():
    true = np.random.default_rng(0).normal(0, 2, (3000, 3))
    sets = (np.random.default_rng(1).random(true.shape) < special.expit(true)).astype(np.float32)
    temperature, _ = calibration.fit((true * 2).astype(np.float32), sets, outputs_of("multi_label"))
    assert temperature == pytest.approx(2, rel=0.08)


def test_answers_that_leave_no_doubt_have_none():
    logits = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    temperature, told = calibration.fit(logits, np.array([0, 1, 2, 0]), outputs_of("text_classification"))
    assert temperature == 1
    assert told.endswith("1, for none is best where the answers leave no doubt")


def test_answers_that_know_nothing_become_nearly_even():
    logits = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    temperature, _ = calibration.fit(logits, np.array([1, 2, 0, 1]), outputs_of("text_classification"))
    assert temperature == pytest.approx(20, rel=1e-3)


def test_the_head_divides_by_it():
    vector = keras.Input([2])
    head = keras.Model(vector, keras.layers.Dense(3)(vector), name="head")
    cooled = calibration.apply(head, 2.5)
    x = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    np.testing.assert_allclose(cooled(x), head(x) / 2.5, rtol=1e-6)
    assert [v.path for v in cooled.weights] == [v.path for v in head.weights]


@pytest.mark.parametrize("task", ["ordinal", "token_classification"])
def test_other_tasks_have_one_too(task):
    outputs = outputs_of(task, ("1", "2", "3"))
    dice = np.random.default_rng(0)
    logits = dice.normal(0, 3, (60, outputs.size)).astype(np.float32)
    temperature, _ = calibration.fit(logits, dice.integers(0, 3, 60).astype(np.int32), outputs)
    assert temperature > 1  # for the truth has nothing to do with the logits
