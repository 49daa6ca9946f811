"""Tests of tfft/entity_marks.py: the graph finds what `entities.spans` does."""

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft import entities, entity_marks

PLACES = {"IOB1": "IB", "BIO": "BI", "BIOES": "BIES", "BILOU": "BILU"}


def spans(ids, tags, scheme):
    """Return the entities of each row as `entities.spans` does."""
    marks = entity_marks.find(tf.constant(ids), tags, scheme)
    kinds = entity_marks.kinds(tags, scheme)
    rows = zip(*(part.numpy() for part in marks), strict=True)
    return [
        [
            (kinds[kind[place]], place, place + int(length[place]))
            for place in range(len(begins))
            if begins[place]
        ]
        for begins, kind, _, length in rows
    ]


def test_by_hand():
    tags = ["O", "B-a", "I-a", "B-b", "I-b"]
    ids = [[2, 2, 0, 1, 4], [1, 1, 2, -1, -1], [0, 3, 4, 4, 2]]
    assert spans(ids, tags, "BIO") == [
        [("a", 0, 2), ("a", 3, 4), ("b", 4, 5)],
        [("a", 0, 1), ("a", 1, 3)],
        [("b", 1, 4), ("a", 4, 5)],
    ]


def test_words_outside_belong_to_no_entity():
    marks = entity_marks.find(tf.constant([[0, 1, 0, -1], [0, 0, 0, 0]]), ["O", "B-a"], "BIO")
    assert marks.kinds.numpy().tolist() == [[-1, 0, -1, -1], [-1] * 4]
    assert marks.lengths.numpy().tolist() == [[0, 1, 0, 0], [0] * 4]
    assert marks.numbers.numpy().tolist() == [[0, 1, 1, 1], [1] * 4]


@pytest.mark.parametrize("scheme", list(PLACES))
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_the_graph_and_the_step_find_the_same(scheme, data):
    tags = ["O", *(f"{place}-{kind}" for place in PLACES[scheme] for kind in "ab")]
    width = data.draw(st.integers(0, 7))
    one = st.lists(st.integers(-1, len(tags) - 1), min_size=width, max_size=width)
    ids = data.draw(st.lists(one, min_size=1, max_size=4))
    expected = [entities.spans(["O" if i < 0 else tags[i] for i in row], scheme) for row in ids]
    assert spans(tf.reshape(tf.constant(ids, tf.int32), [len(ids), width]), tags, scheme) == expected
