"""Tests of tfft/dataset.py."""

import numpy as np
import pyarrow as pa
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import VOCABULARY
from tfft import dataset
from tfft.preprocessor import Preprocessor, Tokenization

TOKENIZER = Preprocessor(VOCABULARY, Tokenization(True, True), 16)


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


def test_tokenize_over_several_parts(monkeypatch):
    monkeypatch.setattr(dataset, "_TOKENIZE", 2)
    text = pa.chunked_array([["good film", ""], ["bad", "the the the"]])
    ids = dataset.tokenize(text, TOKENIZER.tokenize)
    words = [[VOCABULARY[i] for i in row] for row in ids.to_list()]
    assert words == [["good", "film"], [], ["bad"], ["the", "the", "the"]]


def test_in_order_gives_each_row_once_shortest_first():
    ids = tf.ragged.constant([[5, 5, 5], [6], [7, 7]], dtype=tf.int32)
    batches, order = dataset.in_order(ids, np.array([10, 11, 12]), TOKENIZER.pack, batch_size=2)
    assert order.tolist() == [1, 2, 0]
    (first, first_labels), (second, second_labels) = list(batches)
    assert first["token_ids"].numpy().tolist() == [[2, 6, 3, 0], [2, 7, 7, 3]]
    assert second["token_ids"].numpy().tolist() == [[2, 5, 5, 5, 3]]
    assert [*first_labels.numpy(), *second_labels.numpy()] == [11, 12, 10]


def test_shuffled_gives_epoch_after_epoch_with_the_right_labels():
    ids = tf.ragged.constant([[5 + row] for row in range(10)], dtype=tf.int32)
    labels = np.arange(10)
    batches = dataset.shuffled(ids, labels, TOKENIZER.pack, batch_size=4, seed=0)
    seen = []
    for inputs, answers in batches.take(6):  # two epochs of 3 steps
        assert (inputs["token_ids"].numpy()[:, 1] == answers.numpy() + 5).all()
        seen.extend(answers.numpy())
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]
