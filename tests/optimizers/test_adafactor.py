"""Tests of tfft/optimizers/adafactor.py; the arithmetic is tested in test_arithmetic.py."""

import keras
import numpy as np
import pytest

from tfft.learning_rates import layerwise
from tfft.optimizers import adafactor


def steps(rate, number):
    """Return how far a weight goes in each step, as a share of its size, under a constant gradient."""
    variable = keras.Variable([2.0, -2.0], dtype="float32", name="gamma")
    optimizer = adafactor.build(layerwise, rate, epsilon_1=1e-30)
    optimizer.build([variable])
    optimizer.enter([variable], {variable.path: 1.0})
    shares = []
    for _ in range(number):
        before = variable.numpy()
        optimizer.apply([np.array([-0.5, 0.5], "float32")], [variable])
        shares.append((variable.numpy() / before - 1)[0])
    return shares


def test_a_step_is_the_rate_as_a_share_of_the_weights_size():
    # The update over its own size is 1, so the weight grows by the rate at each step.
    assert steps(0.1, 5) == pytest.approx([0.1] * 5, rel=1e-5)


def test_keras_cuts_a_rate_above_one_over_the_root_of_the_steps():
    # As the docstring warns: 0.5 holds up to step 4; then 1/sqrt(5), 1/sqrt(6).
    assert steps(0.5, 6) == pytest.approx([0.5, 0.5, 0.5, 0.5, 5**-0.5, 6**-0.5], rel=1e-5)
