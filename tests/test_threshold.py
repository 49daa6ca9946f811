"""Tests of tfft/threshold.py, with scikit-learn and a search over every cut as references."""

from dataclasses import asdict

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics

from tfft import evaluation, threshold
from tfft.errors import SettingError
from tfft.tasks import Facts, text_classification
from tfft.threshold import Threshold

METRICS = {
    "f1": lambda ids, answers, positive: metrics.f1_score(ids, answers, pos_label=positive, zero_division=0),
    "accuracy": lambda ids, answers, positive: metrics.accuracy_score(ids, answers),
    "balanced_accuracy": lambda ids, answers, positive: metrics.balanced_accuracy_score(ids, answers),
}


def logits_of(probabilities):
    """Return logits whose second label has these probabilities."""
    positive = np.array(probabilities, "float64")
    return np.log(np.stack([1 - positive, positive], axis=1))


def answers(found, logits):
    return found.decide(logits)


@st.composite
def rows(draw):
    """Return logits of few different values, so that there are ties, and ids of both labels."""
    count = draw(st.integers(2, 30))
    gaps = draw(st.lists(st.integers(-6, 6), min_size=count, max_size=count))
    ids = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count).filter(lambda x: len(set(x)) == 2))
    shift = draw(st.sampled_from([0.0, 0.3, -1.7]))
    return np.array([[shift, shift + gap / 2] for gap in gaps], "float32"), np.array(ids)


def test_the_answer_by_hand():
    made = Threshold(positive=1, margin=-1.0)
    logits = np.array([[1.0, 0.0], [1.5, 0.0], [0.0, 2.0]])
    assert made.decide(logits).tolist() == [1, 0, 1]  # the threshold itself is positive
    other = Threshold(positive=0, margin=1.25)
    assert other.decide(logits).tolist() == [1, 0, 1]
    assert Threshold(positive=1, margin=0.0).probability == 0.5
    assert Threshold(positive=1, margin=float(np.log(3))).probability == pytest.approx(0.75)


def test_f1_by_hand():
    # From 0.35 on: 2 of 2 found and one wrong, F1 = 4/5; only 0.8: 2/3; all: 2/3.
    logits = logits_of([0.1, 0.4, 0.35, 0.8])
    found, reached = threshold.tune(logits, np.array([0, 0, 1, 1]), positive=1, metric="f1")
    assert reached == pytest.approx(0.8)
    assert 0.1 < found.probability <= 0.35 + 1e-9
    assert answers(found, logits).tolist() == [0, 1, 1, 1]


def test_nothing_may_be_positive():
    # The only positive row looks least like one: the best accuracy, 2/3, calls none positive.
    logits = logits_of([0.2, 0.6, 0.7])
    found, reached = threshold.tune(logits, np.array([1, 0, 0]), positive=1, metric="accuracy")
    assert reached == pytest.approx(2 / 3)
    assert answers(found, logits).tolist() == [0, 0, 0]
    assert found.decide(logits_of([0.7])).tolist() == [0]


def test_of_equals_the_one_nearest_to_one_half():
    # 3 of 4 are right from 0.45 on, and from 0.97 on.
    logits = logits_of([0.15, 0.45, 0.47, 0.97])
    found, reached = threshold.tune(logits, np.array([0, 1, 0, 1]), positive=1, metric="accuracy")
    assert reached == pytest.approx(3 / 4)
    assert 0.15 < found.probability <= 0.45 + 1e-9


@settings(deadline=None)
@given(rows=rows(), positive=st.integers(0, 1), metric=st.sampled_from(sorted(METRICS)))
def test_no_cut_is_better_and_one_half_is_no_better(rows, positive, metric):
    logits, ids = rows
    found, reached = threshold.tune(logits, ids, positive=positive, metric=metric)
    probabilities = special.softmax(np.float64(logits), axis=1)[:, positive]

    def at(cut):
        return METRICS[metric](ids, np.where(probabilities >= cut, positive, 1 - positive), positive)

    assert found.positive == positive
    assert reached == pytest.approx(max(at(cut) for cut in [*probabilities, 2.0]))
    assert reached >= at(0.5) - 1e-12
    assert METRICS[metric](ids, answers(found, logits), positive) == pytest.approx(reached)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_evaluated_and_exported_reaches_what_was_tuned(seed):
    # The three take the softmax in three ways, which round the last digit otherwise.
    dice = np.random.default_rng(seed)
    ids = dice.integers(0, 2, 50)
    logits = (dice.normal(size=(50, 2)) + np.eye(2)[ids]).astype("float32")
    found, reached = threshold.tune(logits, ids, positive=1, metric="accuracy")
    figures = evaluation.score(logits, ids, ["no", "yes"], found.decide)
    assert figures["accuracy"] == pytest.approx(reached)
    task = text_classification.build().outputs(Facts(("no", "yes")), asdict(found))
    labels = task.answer(tf.constant(logits))["label"].numpy()
    assert np.mean((labels == b"yes") == ids) == pytest.approx(reached)


def test_a_sure_model_whose_probabilities_are_all_one_is_tuned_and_served_alike():
    logits = np.array([[0, 18], [0, 18.5], [0, 19], [0, 20]], "float32")
    ids = np.array([0, 0, 1, 1])
    found, reached = threshold.tune(logits, ids, positive=1, metric="accuracy")
    assert reached == 1.0
    assert found.decide(logits).tolist() == ids.tolist()
    task = text_classification.build().outputs(Facts(("no", "yes")), asdict(found))
    assert task.answer(tf.constant(logits))["label"].numpy().tolist() == [b"no", b"no", b"yes", b"yes"]


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_large_sets_are_tuned_as_scikit_learn_measures(metric):
    dice = np.random.default_rng(0)
    ids = (dice.random(5000) < 0.1).astype(int)
    logits = (dice.normal(size=(5000, 2)) + 1.5 * np.eye(2)[ids]).astype("float32")
    found, reached = threshold.tune(logits, ids, positive=1, metric=metric)
    at_one_half = METRICS[metric](ids, logits.argmax(axis=1), 1)
    assert METRICS[metric](ids, answers(found, logits), 1) == pytest.approx(reached)
    assert reached > at_one_half  # one in ten is positive: one half is far from the best


@pytest.mark.parametrize(
    ("labels", "positive", "ids", "message"),
    [
        (
            ["a", "b", "c"], "a", [0, 1, 2],
            "threshold: must not be set unless there are two labels, got '3 labels'. Remove the section.",
        ),
        (
            ["no", "yes"], "Yes", [0, 1],
            "threshold.positive: must be one of the labels, got 'Yes'. They are no, yes.",
        ),
        (
            ["no", "yes"], "yes", [1, 1, 1],
            "threshold: needs validation rows of both labels, got '3 validation rows of one label'. "
            "Give more validation rows, or remove the section.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_tuned_is_refused(labels, positive, ids, message):
    with pytest.raises(SettingError) as caught:
        threshold.check(positive, labels, np.array(ids))
    assert str(caught.value) == message


def test_what_can_be_tuned_is_let_through():
    threshold.check("no", ["no", "yes"], np.array([1, 0, 1]))
