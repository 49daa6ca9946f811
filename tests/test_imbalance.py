"""Tests of tfft/imbalance.py, with scikit-learn as reference."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from tfft import imbalance
from tfft.errors import DataError, SettingError

# Label ids in which each label occurs.
IDS = st.lists(st.integers(1, 30), min_size=2, max_size=6).map(lambda n: np.repeat(np.arange(len(n)), n))


def column(*texts):
    return pa.chunked_array([texts], pa.string())


def test_balanced_weights_by_hand():
    # 8 rows, 2 labels: 8 / (2 * 6) and 8 / (2 * 2).
    ids = np.array([0] * 6 + [1] * 2)
    np.testing.assert_allclose(
        imbalance.class_weights("balanced", np.bincount(ids), ["a", "b"]), [2 / 3, 2.0]
    )


@given(IDS)
def test_balanced_weights_have_the_mean_one_and_give_each_label_the_same_sum(ids):
    labels = [str(label) for label in range(ids.max() + 1)]
    found = imbalance.class_weights("balanced", imbalance.drawn(ids, None), labels)
    assert found[ids].mean() == pytest.approx(1)
    sums = np.bincount(ids, weights=found[ids])
    np.testing.assert_allclose(sums, len(ids) / len(labels))
    np.testing.assert_allclose(found, compute_class_weight("balanced", classes=np.unique(ids), y=ids))


@pytest.mark.parametrize(
    ("chosen", "wanted"), [(None, [1, 1, 1]), ({}, [1, 1, 1]), ({"c": 0.5, "a": 3}, [3, 1, 0.5])]
)
def test_a_label_that_is_not_named_weighs_one(chosen, wanted):
    found = imbalance.class_weights(chosen, np.ones(3), ["a", "b", "c"])
    assert found.dtype == np.float64
    assert found.tolist() == wanted


def test_an_unknown_label_is_named():
    with pytest.raises(SettingError) as caught:
        imbalance.class_weights({"a": 1.0, "B": 2.0}, np.ones(2), ["a", "b"])
    assert str(caught.value) == (
        "training.class_weights.B: must be the weight of a label of the training rows, got 2.0. "
        "They are a, b."
    )


def test_weights_of_rows_are_numbers_in_text():
    texts = ["1", " 2.5 ", ".5", "3.", "1e-2", "+4", "007", "1E+2"]
    assert imbalance.row_weights(column(*texts), "w.csv").tolist() == [1, 2.5, 0.5, 3, 0.01, 4, 7, 100]


def test_weights_and_resampling_correct_once_not_twice():
    # 90 and 10 rows, drawn equally often: the weights have nothing left to do.
    ids = np.repeat([0, 1], [90, 10])
    drawn = imbalance.drawn(ids, 0.0)
    assert drawn.tolist() == [50, 50]
    assert imbalance.class_weights("balanced", drawn, ["a", "b"]).tolist() == [1, 1]
    half = imbalance.drawn(ids, 0.5)  # 3 to 1
    np.testing.assert_allclose(half, [75, 25])
    np.testing.assert_allclose(imbalance.class_weights("balanced", half, ["a", "b"]), [2 / 3, 2])


def test_a_column_in_several_chunks():
    chunks = pa.chunked_array([["1"], [], ["2", "3"]], pa.string())
    assert imbalance.row_weights(chunks, "w.csv").tolist() == [1, 2, 3]


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=9))
def test_every_positive_number_that_python_writes_is_read_as_it_is(numbers):
    found = imbalance.row_weights(column(*map(repr, numbers)), "w.csv")
    assert found.tolist() == numbers


@pytest.mark.parametrize(
    "text", ["0", "0.0", "-1", "", " ", "one", "nan", "inf", "1e400", "1,5", "1_000", "0x1", "٣"]
)
def test_a_weight_that_is_no_number_above_zero_is_an_error_with_its_row(text):
    with pytest.raises(DataError) as caught:
        imbalance.row_weights(column("1", text, "2", "-3"), "w.csv")
    assert str(caught.value) == (
        f"w.csv: row 2 has the weight {text!r}, expected a number above 0 "
        "(2 such rows). Correct the column, or leave out data.weight_column."
    )


def test_odds_by_hand():
    # 4 and 1 rows. At 1/2 the labels are drawn as 2 to 1, the rows of the first as 1/6 each.
    ids = np.array([0, 0, 1, 0, 0])
    np.testing.assert_allclose(imbalance.odds(ids, 0.5), [1 / 6, 1 / 6, 1 / 3, 1 / 6, 1 / 6])
    np.testing.assert_allclose(imbalance.odds(ids, 0.0), [1 / 8, 1 / 8, 1 / 2, 1 / 8, 1 / 8])
    np.testing.assert_allclose(imbalance.odds(ids, 1.0), [1 / 5] * 5)
    assert imbalance.odds(ids, None) is None


@given(ids=IDS, exponent=st.floats(0, 1), seed=st.integers(0, 99))
def test_odds_sum_to_one_and_each_label_has_the_share_of_its_count_to_the_exponent(ids, exponent, seed):
    ids = np.random.default_rng(seed).permutation(ids)
    found = imbalance.odds(ids, exponent)
    assert found.sum() == pytest.approx(1)
    counts = np.bincount(ids).astype(float)
    wanted = counts**exponent / (counts**exponent).sum()
    np.testing.assert_allclose(np.bincount(ids, weights=found), wanted, rtol=1e-9)
    for label in np.unique(ids):
        np.testing.assert_allclose(found[ids == label], wanted[label] / counts[label], rtol=1e-9)


def test_a_label_without_rows_does_not_matter():
    np.testing.assert_allclose(imbalance.odds(np.array([0, 2, 2]), 0.0), [0.5, 0.25, 0.25])
