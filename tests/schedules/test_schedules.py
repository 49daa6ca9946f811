"""Tests of the schedules, all by hand."""

import numpy as np
import pytest

from tfft import plugins
from tfft.schedules import constant, cosine, linear

PROGRESS = np.array([0.0, 0.25, 0.5, 1.0], dtype="float32")


def test_constant():
    assert np.array(constant.factor(PROGRESS)).tolist() == [1, 1, 1, 1]


def test_linear():
    assert np.array(linear.factor(PROGRESS)).tolist() == [1, 0.75, 0.5, 0]
    assert np.array(linear.factor(PROGRESS, end=0.5)).tolist() == [1, 0.875, 0.75, 0.5]


def test_cosine():
    # cos(pi/4) is 1/sqrt(2)
    wanted = [1, 0.5 + 0.5 / np.sqrt(2), 0.5, 0]
    np.testing.assert_allclose(cosine.factor(PROGRESS), wanted, atol=1e-6)
    np.testing.assert_allclose(cosine.factor(PROGRESS, end=0.2), [0.2 + 0.8 * w for w in wanted], atol=1e-6)


@pytest.mark.parametrize("name", plugins.names("schedules"))
def test_every_schedule_starts_at_the_peak_and_stays_within_it(name):
    factor = plugins.load("schedules", name)
    values = np.array(factor(np.linspace(0, 1, 101, dtype="float32")))
    assert values[0] == pytest.approx(1.0)
    assert ((values >= -1e-6) & (values <= 1 + 1e-6)).all()
