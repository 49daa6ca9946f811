"""Tests of tfft/splitters/time.py."""

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.splitters.toys import basis
from tfft.errors import DataError, SettingError
from tfft.splitters import time

SPLITTER = time.build(column="when")


def aside(values, fraction):
    rows = basis(["a"] * len(values), values)
    return sorted(SPLITTER.set_aside(rows, fraction, 0, "test").tolist())


def test_the_latest_rows_are_set_aside():
    days = ["2024-03-01", "2023-12-31", "2024-02-29", "2025-01-01", "2024-02-01"]
    assert aside(days, 0.4) == [0, 3]


@pytest.mark.parametrize(
    "values",
    [
        ["9", "10", "-3", "8.5"],  # not as text, where 9 is the last
        ["1700000009", "1700000010", "1600000000", "1.7e9"],
        ["2024-01-01 23:59", "2024-01-02", "2023-01-01T00:00", "2024-01-01T00:00:00.5"],
        ["2024-01-01T00:00:00.1234561", "2024-01-01T00:00:00.123457", "2024-01-01", "2023-01-01"],
        # At 22:30, 23:30, 21:30 and 22:00 in Greenwich.
        ["2024-01-01T23:30+01:00", "2024-01-01T23:30Z", "2024-01-01T23:30+0200", "2024-01-01T20:00-02"],
        [
            "2024-01-01T00:00:01.5Z",
            " 2024-01-01 00:00:02+00:00 ",
            "2024-01-01T00:00:00Z",
            "2024-01-01T00:00Z",
        ],
    ],
)
def test_times_are_ordered_as_what_they_are(values):
    assert aside(values, 0.25) == [1]
    assert aside(values, 0.5) == [0, 1]


@settings(deadline=None)
@given(
    values=st.lists(st.integers(0, 8), min_size=2, max_size=30).filter(lambda found: len(set(found)) > 1),
    fraction=st.floats(0.05, 0.95),
)
def test_equal_times_stay_together_and_the_share_is_as_close_as_they_let_it(values, fraction):
    count = round(fraction * len(values))
    if not 0 < count < len(values):
        return
    found = aside([str(value) for value in values], fraction)
    late = [values[place] for place in found]
    early = [value for place, value in enumerate(values) if place not in found]
    assert early
    assert max(early) < min(late)
    possible = [sum(value >= edge for value in values) for edge in set(values) - {min(values)}]
    assert abs(len(found) - count) == min(abs(rows - count) for rows in possible)


@settings(deadline=None)
@given(
    st.lists(
        st.datetimes(datetime.datetime(1900, 1, 1), timezones=st.just(datetime.timezone.utc)),
        min_size=2,
        max_size=20,
        unique=True,
    )
)
def test_what_python_writes_is_ordered_as_python_orders(moments):
    for written in ([m.isoformat() for m in moments], [str(m.replace(tzinfo=None)) for m in moments]):
        assert aside(written, 0.5 + 0.4 / len(moments)) == sorted(
            np.argsort(moments)[len(moments) - round(0.5 * len(moments) + 0.4) :].tolist()
        )


NAIVE = "an ISO date or time without an offset"
ZONED = "an ISO time with an offset"


@pytest.mark.parametrize(
    ("values", "row", "expected"),
    [
        (["12/31/2024", "2024-01-01"], 1, f"{NAIVE} or {ZONED} or a number"),
        (["soon", "later"], 1, f"{NAIVE} or {ZONED} or a number"),
        (["2024-01-01", "2024-01-02", "2024-1-3"], 3, f"{NAIVE}, as in row 1"),
        (["2024-01-01", "2024-02-30"], 2, f"{NAIVE}, as in row 1"),
        (["2024-13-01", "2024-02-20"], 1, NAIVE),
        (["2024-01-01", "2024-01-01T24:30"], 2, f"{NAIVE}, as in row 1"),
        (["2024-01-01", "20240102"], 2, f"{NAIVE}, as in row 1"),
        (["2024-01-01", "2024-01-01T00:00Z"], 2, f"{NAIVE}, as in row 1"),
        (["2024-01-01T00:00Z", "2024-01-01T00:00"], 2, f"{ZONED}, as in row 1"),
        (["2024-01-01T00:00Z", "2024-01-01T00:00+99:00"], 2, f"{ZONED}, as in row 1"),
        (["1", "2", "2024-01-01"], 3, "a number, as in row 1"),
        (["1", "nan"], 2, "a number, as in row 1"),
        (["nan", "1"], 1, f"{NAIVE} or {ZONED} or a number"),
    ],
)
def test_a_value_that_cannot_be_read_is_an_error_with_its_row(values, row, expected):
    with pytest.raises(DataError) as caught:
        aside(values, 0.5)
    assert str(caught.value) == (
        f"data.splitter: row {row} of the training rows has {values[row - 1]!r} in the column 'when', "
        f"expected {expected}. Correct the column, or name another."
    )


def test_one_time_has_no_later_half():
    with pytest.raises(DataError) as caught:
        aside(["2024-01-01", "2024-01-01T00:00"], 0.5)
    assert str(caught.value) == (
        "data.test: all rows have the same time in the column 'when', and equal times stay together. "
        "Name another column, or name a file."
    )


def test_folds_of_time_are_refused():
    with pytest.raises(SettingError) as caught:
        SPLITTER.folds(basis(["a", "b"], ["1", "2"]), 2, 0)
    assert str(caught.value) == (
        "data.splitter: must not be set with folds, of which all but the last would be answered by who knows "
        "the future, got 'time'. Set data.test to a share instead, or take another splitter."
    )


def test_it_tells_the_first_and_the_last():
    assert SPLITTER.tell(basis(["a"] * 3, ["10", "9", "100"])) == {"first": "9", "last": "100"}
