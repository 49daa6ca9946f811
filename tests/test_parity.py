"""Tests of tfft/parity.py, worked out by hand."""

import math

import pytest

from tfft.parity import difference


def test_equal_answers():
    answer = {"label": ["a"], "score": [0.5], "words": [["x", ""]]}
    found = difference([(answer, dict(answer)), ({}, {})])
    assert (found.largest, found.unlike, found.is_small) == (0.0, (), True)


@pytest.mark.parametrize(
    ("expected", "found", "largest"),
    [
        ([0.5, 0.25], [0.5, 0.25 + 2e-6], 2e-6),
        ([[0.0]], [[-3e-6]], 3e-6),
        ([200.0], [201.0], 1 / 200),  # relative to what is above one
        ([0.1], [0.2], 0.1),
        ([1], [2], 1.0),
    ],
)
def test_numbers(expected, found, largest):
    apart = difference([({"score": expected}, {"score": found})])
    assert apart.largest == pytest.approx(largest)
    assert apart.is_small == (largest <= 1e-5)
    assert apart.unlike == ()


def test_nan_is_never_close():
    apart = difference([({"score": [0.5]}, {"score": [math.nan]}), ({"score": [0.5]}, {"score": [0.6]})])
    assert math.isnan(apart.largest)
    assert not apart.is_small


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"x": ["a"]}, {"x": ["b"]}),
        ({"x": [1.0]}, {"x": [1.0, 1.0]}),
        ({"x": [[1.0], []]}, {"x": [[1.0], [2.0]]}),
        ({"x": [1.0]}, {}),
        ({}, {"x": [1.0]}),
        ({"x": ["1"]}, {"x": [1.0]}),
    ],
)
def test_other_texts_shapes_or_names(expected, found):
    apart = difference([(expected, found)])
    assert (apart.unlike, apart.largest, apart.is_small) == (("x",), 0.0, False)


def test_what_was_refused_is_told():
    apart = difference([({"x": [1.0]}, "ValueError: no"), ({"x": [1.0]}, "KeyError: y")])
    assert not apart.is_small
    assert str(apart) == (
        "numbers differ by up to 0.00e+00 (allowed 1e-05), and these texts differ: none, and 2 requests were "
        "refused, the first by ValueError: no"
    )
