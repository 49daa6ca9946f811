"""Tests of tfft/evaluation.py."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from scipy import special
from sklearn import metrics

from tfft import evaluation


def texts(count):
    return pa.table({"text": [f"text {number}" for number in range(count)]})


def logits_of(answers, labels, height=10.0):
    """Return logits that call each row by its answer."""
    return height * np.eye(labels)[answers]


def shown(part):
    console = Console(width=100)
    with console.capture() as captured:
        console.print(part)
    return captured.get()


def test_figures_by_hand():
    # Five rows; probabilities are 3/4 for the answer and 1/4 for the other label.
    logits = math.log(3) * np.eye(2)[[0, 0, 1, 1, 1]]
    figures = evaluation.score(logits, np.array([0, 1, 1, 1, 0]), ["no", "yes"])
    assert figures["rows"] == 5
    assert figures["accuracy"] == pytest.approx(3 / 5)
    assert figures["loss"] == pytest.approx((3 * math.log(4 / 3) + 2 * math.log(4)) / 5)
    assert figures["confusion"] == [[1, 1], [1, 2]]
    # no: precision 1/2, recall 1/2; yes: precision 2/3, recall 2/3.
    assert figures["classes"] == [
        {"label": "no", "precision": 0.5, "recall": 0.5, "f1": 0.5, "rows": 2},
        {"label": "yes", "precision": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3)}
        | {"f1": pytest.approx(2 / 3), "rows": 3},
    ]
    assert figures["f1_macro"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert figures["f1_weighted"] == pytest.approx((2 * 1 / 2 + 3 * 2 / 3) / 5)


@pytest.mark.parametrize(
    ("right", "rows", "low", "high"),
    [
        # Wilson 1927 with z = 1.959964: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
    ],
)
def test_interval_of_accuracy_is_wilsons(right, rows, low, high):
    truth = np.zeros(rows, int)
    answers = np.array([0] * right + [1] * (rows - right))
    figures = evaluation.score(logits_of(answers, 2), truth, ["a", "b"])
    z, p = 1.959963984540054, right / rows
    middle, half = p + z**2 / (2 * rows), z * math.sqrt(p * (1 - p) / rows + z**2 / (4 * rows**2))
    computed = [(middle - half) / (1 + z**2 / rows), (middle + half) / (1 + z**2 / rows)]
    found = [figures["accuracy_95_low"], figures["accuracy_95_high"]]
    assert found == pytest.approx(computed, abs=1e-12)
    assert found == pytest.approx([low, high], abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_figures_are_those_of_scikit_learn(seed, kind):
    dice = np.random.default_rng(seed)
    truth = dice.integers(0, 6, 200)
    logits = (dice.normal(0, 2, (200, 6)) + 2 * np.eye(6)[truth]).astype(kind)
    predicted = logits.argmax(axis=1)
    names = list("uvwxyz")
    figures = evaluation.score(logits, truth, names)
    assert figures["accuracy"] == metrics.accuracy_score(truth, predicted)
    assert figures["loss"] == pytest.approx(
        metrics.log_loss(truth, special.softmax(logits.astype("float64"), axis=1), labels=range(6))
    )
    assert figures["f1_macro"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    assert figures["f1_weighted"] == pytest.approx(metrics.f1_score(truth, predicted, average="weighted"))
    assert figures["confusion"] == metrics.confusion_matrix(truth, predicted).tolist()
    told = metrics.classification_report(truth, predicted, target_names=names, output_dict=True)
    for row in figures["classes"]:
        expected = told[row["label"]]
        assert row["precision"] == pytest.approx(expected["precision"])
        assert row["recall"] == pytest.approx(expected["recall"])
        assert row["f1"] == pytest.approx(expected["f1-score"])
        assert row["rows"] == expected["support"]
    assert json.loads(json.dumps(figures)) == figures


def test_figures_of_large_logits_are_finite():
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], "float32")
    figures = evaluation.score(logits, np.array([0, 0]), ["a", "b"])
    assert figures["loss"] == pytest.approx(1e4)


@pytest.mark.filterwarnings("error")
def test_label_without_a_row_counts_in_the_macro_mean_only_if_it_was_an_answer():
    truth = np.array([0, 0, 1, 1])
    names = ["a", "b", "c"]
    unseen = evaluation.score(logits_of([0, 0, 1, 1], 3), truth, names)
    assert unseen["f1_macro"] == 1.0
    assert unseen["confusion"] == [[2, 0, 0], [0, 2, 0], [0, 0, 0]]
    assert unseen["classes"][2] == {"label": "c", "precision": 0.0, "recall": 0.0, "f1": 0.0, "rows": 0}
    answered = evaluation.score(logits_of([0, 0, 1, 2], 3), truth, names)
    assert answered["f1_macro"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert answered["f1_weighted"] == pytest.approx((2 * 1 + 2 * 2 / 3) / 4)


def test_answers_are_those_that_the_caller_decides():
    # Probabilities of "yes": 1/4, 3/4, 1/4, 3/4. Called "yes" from 1/5 on, all are; the loss is the same.
    logits = math.log(3) * np.eye(2)[[0, 1, 0, 1]]
    truth = np.array([0, 1, 1, 0])
    seen = []

    def decide(given):
        seen.append(given)
        return (given[:, 1] - given[:, 0] >= math.log(0.2 / 0.8)).astype(int)

    report = evaluation.report(logits, truth, texts(4), ["no", "yes"], "test", decide)
    assert seen[0] is logits
    assert report.figures["accuracy"] == 0.5
    assert report.figures["confusion"] == [[0, 2], [0, 2]]
    assert report.figures["f1_macro"] == pytest.approx((0 + 2 / 3) / 2)
    plain = evaluation.report(logits, truth, texts(4), ["no", "yes"], "test")
    assert report.figures["loss"] == plain.figures["loss"]
    assert plain.figures["confusion"] == [[1, 1], [1, 1]]
    # The score is that of the answer, though the other label was likelier.
    assert report.wrong["row"].to_pylist() == [4, 1]
    assert report.wrong["predicted"].to_pylist() == ["yes", "yes"]
    assert report.wrong["score"].to_pylist() == pytest.approx([3 / 4, 1 / 4])


def test_wrong_rows_are_sorted_with_the_surest_first():
    # Answers 1 1 0 1 1, truth 0 1 1 0 0; the gap of the logits gives the score.
    logits = np.array([[0, 1.0], [0, 9.0], [2.0, 0], [0, 3.0], [0, 1.0]])
    wrong = evaluation.report(logits, np.array([0, 1, 1, 0, 0]), texts(5), ["no", "yes"], "test").wrong
    assert wrong.column_names == ["row", "label", "predicted", "score", "text"]
    assert wrong["row"].to_pylist() == [4, 3, 1, 5]  # rows count from 1; equals keep their order
    assert wrong["label"].to_pylist() == ["no", "yes", "no", "no"]
    assert wrong["predicted"].to_pylist() == ["yes", "no", "yes", "yes"]
    assert wrong["score"].to_pylist() == pytest.approx([1 / (1 + math.exp(-gap)) for gap in (3, 2, 1, 1)])
    assert wrong["text"].to_pylist() == ["text 3", "text 2", "text 0", "text 4"]


def test_wrong_rows_of_text_in_several_chunks():
    chunks = pa.table({"text": pa.chunked_array([["a"], ["b", "c"]], pa.string())})
    wrong = evaluation.report(logits_of([0, 0, 0], 2), np.array([0, 0, 1]), chunks, ["x", "y"], "test").wrong
    assert wrong["text"].to_pylist() == ["c"]


def test_no_wrong_rows_is_a_table_with_the_same_columns():
    wrong = evaluation.report(logits_of([0, 1], 2), np.array([0, 1]), texts(2), ["a", "b"], "test").wrong
    assert wrong.num_rows == 0
    assert wrong.column_names == ["row", "label", "predicted", "score", "text"]


def test_tables_of_few_labels_show_figures_classes_and_the_whole_confusion():
    names = ["no", "yes"]
    figures = evaluation.score(logits_of([0, 0, 1, 1, 1], 2), np.array([0, 1, 1, 1, 0]), names)
    headline = evaluation.headline(figures, "test")
    classes, confusions = evaluation.tables(figures, names)
    assert headline.startswith("test: accuracy 0.6000 (95 % interval 0.2307-0.8824), macro F1 0.5833, ")
    assert headline.endswith(", 5 rows")
    assert [line.split() for line in shown(classes).splitlines() if "yes" in line] == [
        ["│", "yes", "│", "0.667", "│", "0.667", "│", "0.667", "│", "3", "│"]
    ]
    assert "Confusion: true label down, answer across" in " ".join(shown(confusions).split())
    assert [line.split() for line in shown(confusions).splitlines() if "yes" in line] == [
        ["│", "1", "yes", "│", "1", "│", "2", "│"]
    ]


def test_tables_of_many_labels_show_the_largest_confusions_alone():
    names = [f"intent_{number}" for number in range(13)]
    # Label i stands i times for i + 1, the last one nowhere.
    truth = np.repeat(np.arange(13), 13)
    answers = truth.copy()
    for label in range(12):
        answers[13 * label : 13 * label + label] = label + 1
    figures = evaluation.score(logits_of(answers, 13), truth, names)
    before = json.dumps(figures)
    confusions = evaluation.tables(figures, names)[1]
    text = shown(confusions)
    assert "Largest confusions" in text
    rows = [line.replace("│", " ").split() for line in text.splitlines() if "intent_" in line]
    assert rows == [[f"intent_{n}", f"intent_{n + 1}", str(n)] for n in range(11, 0, -1)]
    assert json.dumps(figures) == before  # the diagonal is struck out in a copy


def test_twelve_labels_still_fit_a_matrix():
    names = [f"intent_{number}" for number in range(12)]
    figures = evaluation.score(logits_of(np.arange(12), 12), np.arange(12), names)
    assert "Confusion: true label down" in shown(evaluation.tables(figures, names)[1])


@pytest.mark.parametrize("count", [2, 13])
def test_labels_that_look_like_markup_are_shown_as_they_stand(count):
    names = ["[/x]", "[red]b", ":smile:", *(f"label {number}" for number in range(10))][:count]
    figures = evaluation.score(logits_of([1, 0], count), np.array([0, 1]), names)
    for part in evaluation.tables(figures, names):
        assert "[/x]" in shown(part)
        assert "[red]b" in shown(part)
    if count > 2:
        assert ":smile:" in shown(evaluation.tables(figures, names)[0])


def test_the_calibration_error_by_hand():
    # Sure to 0.9 in two rows, of which one is right; to 0.6 in two, of which both are.
    logits = np.log(np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]))
    figures = evaluation.score(logits, np.array([0, 1, 1, 1]), ["a", "b"])
    assert figures["calibration_error"] == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)


def test_a_model_that_is_as_sure_as_right_has_none():
    logits = np.log(np.tile([[0.75, 0.25]], (4, 1)))
    assert evaluation.score(logits, np.array([0, 0, 1, 0]), ["a", "b"])["calibration_error"] == (
        pytest.approx(0)
    )
    # A probability of one in float64 is in the last bin, not behind it.
    assert evaluation.score(np.array([[99.0, 0.0]]), np.array([0]), ["a", "b"])["calibration_error"] == (
        pytest.approx(0)
    )
