"""Tests of the optimizers; Python 3.10 has no Keras whose Muon works on TensorFlow."""

import keras
import pytest

needs_muon = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 13), reason="Muon needs Keras 3.13"
)


def each(names, kind):
    """Return the mark that runs a test for each optimizer.

    Args:
        names: Of optimizers, some with a comma and a variant.
        kind: Name of the test's argument.
    """
    marks = {"muon": [needs_muon]}
    return pytest.mark.parametrize(
        kind, [pytest.param(name, marks=marks.get(name.split(",")[0], ())) for name in names]
    )
