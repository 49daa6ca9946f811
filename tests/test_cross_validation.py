"""Tests of tfft/cross_validation.py."""

import pyarrow as pa
import pytest

from tfft import cross_validation, tables
from tfft.errors import DataError

FOLDS = [
    {"rows": 4, "accuracy": 0.5, "accuracy_95_low": 0.1, "accuracy_95_high": 0.9, "kappa": None, "hits": 2},
    {"rows": 6, "accuracy": 1.0, "accuracy_95_low": 0.6, "accuracy_95_high": 1.0, "kappa": 1.0, "hits": 6},
    {"rows": 2, "accuracy": 0.0, "accuracy_95_low": 0.0, "accuracy_95_high": 0.7, "kappa": -1.0, "hits": 0},
]


def test_the_spread_has_the_samples_deviation():
    # By hand: the squares of -0, 0.5 and -0.5 sum to 0.5, over 2 is a quarter, of which the root is a half.
    assert cross_validation.spread(FOLDS) == {
        "accuracy": {"mean": 0.5, "standard_deviation": 0.5, "folds": [0.5, 1.0, 0.0]},
        "kappa": {"mean": None, "standard_deviation": None, "folds": [None, 1.0, -1.0]},
    }


def test_the_table_has_a_line_for_each_fold_and_ends_with_what_is_pooled():
    pooled = {
        "rows": 12,
        "accuracy": 0.6667,
        "accuracy_95_low": 0.3906,
        "accuracy_95_high": 0.8619,
        "kappa": 0.2,
    }
    lines = tables.text(cross_validation.table(FOLDS, pooled, "3 folds")).splitlines()
    cells = [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in lines]
    assert [row for row in cells if len(row) > 1] == [
        ["fold", "rows", "accuracy", "kappa"],
        ["1", "4", "0.5000", "-"],
        ["2", "6", "1.0000", "1.0000"],
        ["3", "2", "0.0000", "-1.0000"],
        ["mean", "", "0.5000", "-"],
        ["deviation", "", "0.5000", "-"],
        ["pooled", "12", "0.6667", "0.2000"],
        ["95 % interval", "", "0.3906 to 0.8619", ""],
    ]


def test_seven_figures_fit_the_table():
    names = [
        "loss",
        "f1_micro",
        "f1_macro",
        "f1_weighted",
        "subset_accuracy",
        "hamming_loss",
        "average_precision",
    ]
    fold = {"rows": 1000, **dict.fromkeys(names, 0.12345)}
    pooled = fold | {"f1_micro_95_low": 0.1, "f1_micro_95_high": 0.2}
    shown = tables.text(cross_validation.table([fold, fold], pooled, "2 folds"))
    assert shown.count("0.1235") + shown.count("0.1234") == 7 * 4
    assert "…" not in shown


@pytest.mark.parametrize("kind", [pa.string(), pa.list_(pa.string())])
def test_labels_that_a_fold_does_not_learn_are_named(kind):
    def column(labels):
        return pa.chunked_array(
            [labels if kind == pa.string() else [[], *([label] for label in labels)]], kind
        )

    known = ["a", "b", "c"]
    cross_validation.check_labels(known, [column(["a", "b", "c"]), column(["c", "b", "a", "a"])])
    with pytest.raises(DataError) as caught:
        cross_validation.check_labels(known, [column(["a", "b", "c"]), column(["b", "b"])])
    assert str(caught.value) == (
        "data.train: in fold 2 of 2 no training row has the label 'a', 'c': its rows are all set aside. Add "
        "rows with it, leave its rows out, or cut otherwise (data.splitter, training.seed, the number of "
        "folds)."
    )


def test_tags_in_another_scheme_are_told():
    cross_validation.check_schemes("BIO", ["BIO", "BIO"])
    with pytest.raises(DataError) as caught:
        cross_validation.check_schemes("BIO", ["BIO", "IOB1"])
    assert str(caught.value) == (
        "data.train: in fold 2 of 2 the tags of the training rows read as IOB1, those of all rows as BIO. "
        "Write them in one scheme, or take fewer folds."
    )


def test_many_such_labels_are_cut_after_five():
    columns = [pa.chunked_array([["z"]])]
    with pytest.raises(DataError, match=r"the label 'a', 'b', 'c', 'd', 'e', …: its rows"):
        cross_validation.check_labels([*"abcdefz"], columns)
