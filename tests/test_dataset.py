"""Tests of tfft/dataset.py."""

import functools

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import bert_preprocessor, ragged_of
from tfft import dataset

TOKENIZER = bert_preprocessor(16)


@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=300),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 5),
)
def test_an_epoch_holds_every_row_once_in_full_batches(lengths, batch_size, seed):
    batches = dataset.plan(np.array(lengths), batch_size=batch_size, seed=seed, epoch=0)
    rows = np.concatenate(batches)
    assert sorted(rows) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // batch_size)
    assert sorted(map(len, batches))[1:] == [batch_size] * (len(batches) - 1)


def test_the_order_depends_on_seed_and_epoch_alone():
    lengths = np.arange(100) % 7

    def rows(seed, epoch):
        return np.concatenate(dataset.plan(lengths, batch_size=8, seed=seed, epoch=epoch)).tolist()

    assert rows(0, 3) == rows(0, 3)
    assert rows(0, 3) != rows(0, 4)
    assert rows(0, 3) != rows(1, 3)


def test_rows_of_like_length_stand_together():
    lengths = np.random.default_rng(0).integers(1, 100, 1000)
    padded = sum(
        lengths[batch].max() * len(batch) for batch in dataset.plan(lengths, batch_size=10, seed=0, epoch=0)
    )
    at_random = sum(
        lengths[batch].max() * len(batch) for batch in np.split(np.arange(1000), range(10, 1000, 10))
    )
    assert lengths.sum() <= padded < 1.1 * lengths.sum()
    assert at_random > 1.6 * lengths.sum()


def test_texts_are_encoded_batch_by_batch_each_with_a_seed_of_its_own():
    # In two chunks, and of two columns.
    halves = [
        pa.table({"a": [f"a{n}" for n in part], "b": [f"b{n}é" for n in part]}) for part in ((0, 1), (2,))
    ]
    texts = pa.concat_tables(halves)
    numbers = np.array([10, 11, 12], np.int32)
    take = dataset.of_texts(texts, lambda fields, seed: fields | {"seed": seed}, 7, numbers)
    batches = dataset.endless(take, lambda epoch: [np.array([2, 0]), np.array([1 + epoch])], dataset.WHOLE)
    found = [
        (fields["a"].numpy().tolist(), fields["b"].numpy().tolist(), fields["seed"].numpy().tolist(),
         of_rows.numpy().tolist())
        for fields, of_rows, _ in batches.take(4)
    ]  # fmt: skip
    assert found == [
        ([b"a2", b"a0"], ["b2é".encode(), "b0é".encode()], [7, 0], [12, 10]),
        ([b"a1"], ["b1é".encode()], [7, 1], [11]),
        ([b"a2", b"a0"], ["b2é".encode(), "b0é".encode()], [7, 2], [12, 10]),
        ([b"a2"], ["b2é".encode()], [7, 3], [12]),
    ]


def test_in_order_gives_each_row_once_shortest_first():
    ids = ragged_of([[5, 5, 5], [6], [7, 7]])
    batches, order = dataset.in_order(ids.lengths, batch_size=2)
    assert order.tolist() == [1, 2, 0]
    take = dataset.of_tokens([ids], TOKENIZER.pack, np.array([10, 11, 12]))
    (first, first_labels), (second, second_labels) = list(dataset.once(take, batches))
    assert first["token_ids"].numpy().tolist() == [[2, 6, 3, 0], [2, 7, 7, 3]]
    assert second["token_ids"].numpy().tolist() == [[2, 5, 5, 5, 3]]
    assert [*first_labels.numpy(), *second_labels.numpy()] == [11, 12, 10]


def epochs(take):
    """Return the batches of two epochs of 10 rows in fours."""
    plan = functools.partial(dataset.plan, np.ones(10, int), batch_size=4, seed=0)
    return dataset.endless(take, lambda epoch: plan(epoch=epoch), dataset.WHOLE).take(6)


@pytest.mark.parametrize("kind", ["tokens", "features"])
def test_endless_gives_epoch_after_epoch_with_each_rows_own_columns(kind):
    columns = np.arange(10), np.arange(10) / 2
    if kind == "tokens":
        ids = ragged_of([[5 + row] for row in range(10)])
        take = dataset.of_tokens([ids], TOKENIZER.pack, *columns)
    else:
        take = dataset.of_features(np.arange(10, dtype="float32")[:, None], *columns)
    seen = []
    for inputs, answers, weights, _ in epochs(take):
        rows = inputs["token_ids"][:, 1] - 5 if kind == "tokens" else inputs[:, 0]
        assert (rows.numpy() == answers.numpy()).all()
        assert (weights.numpy() == answers.numpy() / 2).all()
        seen.extend(answers.numpy())
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]


def test_odds_draw_rows_as_often_as_they_say():
    odds = np.array([0.7] + [0.1] * 3)
    rows = np.concatenate(
        [dataset.plan(np.ones(4, int), batch_size=2, seed=0, epoch=e, odds=odds)[0] for e in range(2000)]
    )
    np.testing.assert_allclose(np.bincount(rows) / len(rows), odds, atol=0.03)


@pytest.mark.parametrize(("length", "padded"), [(1, 8), (7, 8), (8, 8), (9, 16), (17, 20), (20, 20)])
def test_padding_to_a_multiple_adds_zeros_at_the_end(length, padded):
    inputs = {"token_ids": tf.fill([2, length], 7), "padding_mask": tf.ones([2, length], tf.int32)}
    batches = tf.data.Dataset.from_tensors((inputs, tf.constant([0, 1])))
    ((found, labels),) = dataset.pad_to_multiple(batches, 8, 20)
    assert found["token_ids"].numpy().tolist() == [[7] * length + [0] * (padded - length)] * 2
    assert found["padding_mask"].numpy().sum() == 2 * length
    assert labels.numpy().tolist() == [0, 1]
