"""Tests of tfft/ragged.py."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ragged_of

ROWS = st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=20)


@given(rows=ROWS, data=st.data())
def test_rows_are_taken_in_any_order_and_more_than_once(rows, data):
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=30))
    flat, lengths = ragged_of(rows).take(np.array(chosen, np.int64))
    assert flat.dtype == np.int32
    assert lengths.tolist() == [len(rows[row]) for row in chosen]
    assert flat.tolist() == [value for row in chosen for value in rows[row]]
