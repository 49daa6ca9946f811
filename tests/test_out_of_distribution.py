"""Tests of tfft/out_of_distribution.py: by hand, and against scikit-learn's neighbors."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.neighbors import NearestNeighbors

from tfft import out_of_distribution
from tfft.errors import RunError


def test_by_hand():
    training = np.float32([[2, 0], [0, 5], [0, 1]])
    validation = np.float32([[1, 0], [0, 1], [-1, 0]])  # distances to the nearest 0, 0, 1
    known = out_of_distribution.fit(training, validation, neighbors=1)
    assert known.mean == pytest.approx(1 / 3)
    assert known.deviation == pytest.approx(np.std([0, 0, 1]))
    score = out_of_distribution.scoring(known)
    # Lengths do not matter; 0.6 and 0.8 to the two directions.
    distances = np.array([0.0, 1 - 0.8, 1 - 0.0, 1.0])
    found = score(tf.constant([[0.0, 9.0], [3.0, 4.0], [-1.0, 0.0], [0.0, -1.0]]))
    np.testing.assert_allclose(found, (distances - known.mean) / known.deviation, atol=1e-6)


def test_the_mean_over_the_neighbors_is_that_of_scikit_learn():
    dice = np.random.default_rng(0)
    training, validation, asked = (dice.normal(0, 1, (n, 6)).astype(np.float32) for n in (40, 30, 9))
    known = out_of_distribution.fit(training, validation, neighbors=5)
    reference = NearestNeighbors(n_neighbors=5, metric="cosine").fit(training)
    of_validation, of_asked = (reference.kneighbors(rows)[0].mean(axis=1) for rows in (validation, asked))
    expected = (of_asked - of_validation.mean()) / of_validation.std()
    score = out_of_distribution.scoring(known)
    np.testing.assert_allclose(score(tf.constant(asked)), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.mean(score(tf.constant(validation))), 0, atol=1e-5)


def test_fewer_rows_than_neighbors_and_rows_that_are_all_alike():
    rows = np.ones((3, 2), np.float32)
    known = out_of_distribution.fit(rows, rows, neighbors=5)
    assert known.neighbors == 3
    assert known.deviation == 5e-3
    np.testing.assert_allclose(out_of_distribution.scoring(known)(tf.constant(rows)), 0, atol=1e-3)


def test_a_vector_of_zeros_is_as_far_as_can_be_told():
    known = out_of_distribution.fit(np.eye(2, dtype=np.float32), np.zeros((2, 2), np.float32), neighbors=1)
    assert known.mean == pytest.approx(1)
    assert np.isfinite(out_of_distribution.scoring(known)(tf.zeros([1, 2]))).all()


def test_it_is_kept_as_it_is():
    dice = np.random.default_rng(0)
    known = out_of_distribution.fit(
        *(dice.normal(0, 1, (9, 4)).astype(np.float32) for _ in range(2)), neighbors=2
    )
    back = out_of_distribution.from_bytes(out_of_distribution.to_bytes(known))
    assert np.array_equal(back.vectors, known.vectors)
    assert (back.neighbors, back.mean, back.deviation) == (2, known.mean, known.deviation)


@pytest.mark.parametrize("content", [b"", b"x" * 40, None])
def test_damaged(content):
    from safetensors.numpy import save

    if content is None:
        content = save({"vectors": np.zeros((1, 1), np.float32)})
    with pytest.raises(RunError, match=r"training rows cannot be read: .* Train again\."):
        out_of_distribution.from_bytes(content)
