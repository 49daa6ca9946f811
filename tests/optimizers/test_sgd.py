"""Tests of tfft/optimizers/sgd.py; the arithmetic is tested in test_arithmetic.py."""

import pytest

from tfft.errors import SettingError
from tfft.optimizers import sgd


def test_looking_ahead_needs_momentum():
    with pytest.raises(SettingError) as caught:
        sgd.build(None, 0.1, momentum=0.0, nesterov=True)
    assert str(caught.value) == (
        "optimizer.nesterov: needs a momentum above 0, got True. "
        "Set optimizer.momentum to 0.9, or leave optimizer.nesterov out."
    )
