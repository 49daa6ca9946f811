"""Tests of the schedules: each by hand, and all of them for what a course must keep."""

import numpy as np
import pytest
from pydantic import ValidationError

from tfft import plugins
from tfft.schedules import (
    constant,
    cosine,
    cosine_restarts,
    inverse_sqrt,
    linear,
    one_cycle,
    polynomial,
    slanted_triangular,
    step,
)

PROGRESS = np.array([0.0, 0.25, 0.5, 1.0], dtype="float32")
ROOT = np.sqrt(0.5)  # cos(pi/4)


def assert_factors(course, progress, expected):
    found = np.array(course(np.array(progress, dtype="float32")))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_constant():
    assert_factors(constant.build().fall, PROGRESS, [1, 1, 1, 1])


def test_linear():
    assert_factors(linear.build().fall, PROGRESS, [1, 0.75, 0.5, 0])
    assert_factors(linear.build(end=0.5).fall, PROGRESS, [1, 0.875, 0.75, 0.5])


def test_cosine():
    wanted = np.array([1, 0.5 + 0.5 * ROOT, 0.5, 0])
    assert_factors(cosine.build().fall, PROGRESS, wanted)
    assert_factors(cosine.build(end=0.2).fall, PROGRESS, 0.2 + 0.8 * wanted)


def test_cosine_restarts_with_cycles_of_a_seventh_and_two_and_four():
    fall = cosine_restarts.build(cycles=3, growth=2.0).fall
    progress = [0.5 / 7, 1 / 7 - 1e-5, 1 / 7, 2 / 7, 3 / 7 - 1e-5, 3 / 7, 4 / 7, 5 / 7, 1]
    assert_factors(fall, progress, [0.5, 0, 1, 0.5, 0, 1, 0.5 + 0.5 * ROOT, 0.5, 0])


def test_cosine_restarts_lower_each_time_and_above_an_end():
    # Two equal cycles, the second of half the height; heights are above the end.
    assert_factors(
        cosine_restarts.build(cycles=2, growth=1.0, restart_factor=0.5, end=0.2).fall,
        [0, 0.25, 0.5, 0.75, 1],
        [1, 0.6, 0.6, 0.4, 0.2],
    )


@pytest.mark.parametrize("steps", [7, 21, 49, 70, 98])
def test_the_step_of_a_restart_is_at_the_peak(steps):
    # Progress as the schedule has it, a quotient in float32.
    at = np.array([steps // 7, 3 * steps // 7], "float32")
    for progress in (at / np.float32(steps), np.nextafter(at / np.float32(steps), np.float32(0))):
        assert_factors(cosine_restarts.build().fall, progress, [1, 1])


def test_polynomial():
    assert_factors(polynomial.build(power=2.0).fall, PROGRESS, [1, 0.5625, 0.25, 0])
    assert_factors(
        polynomial.build(power=0.5, end=0.5).fall, PROGRESS, [1, 0.5 + 0.25 * 3**0.5, 0.5 + 0.5 * ROOT, 0.5]
    )
    assert_factors(polynomial.build().fall, [0.5], [0.5**0.9])


def test_inverse_sqrt_has_halved_after_three_times_the_timescale():
    assert_factors(inverse_sqrt.build(timescale=0.25).fall, [0, 0.25, 0.75, 1], [1, ROOT, 0.5, 0.2**0.5])


def test_inverse_sqrt_is_vaswanis_with_the_timescale_of_the_warmup():
    # Equation 3 over its peak, for 20 steps of warmup out of 100: sqrt(20 / step).
    warmup, total = 20, 100
    fall = inverse_sqrt.build(timescale=warmup / (total - warmup)).fall
    at = np.array([20, 45, 80, 100])
    assert_factors(fall, (at - warmup) / (total - warmup), np.sqrt(warmup / at))


def test_one_cycle():
    course = one_cycle.build(start_divisor=5.0, end_divisor=10.0)
    up = np.array([0, 0.5 - 0.5 * ROOT, 0.5, 1])
    assert_factors(course.rise, PROGRESS, 0.2 + 0.8 * up)
    assert_factors(course.fall, PROGRESS, 1 - 0.9 * up)
    usual = one_cycle.build()
    assert float(usual.rise(np.float32(0))) == pytest.approx(1 / 25)
    assert float(usual.fall(np.float32(1))) == pytest.approx(1 / 250_000)


def test_slanted_triangular():
    course = slanted_triangular.build(ratio=5.0)
    assert_factors(course.rise, PROGRESS, [0.2, 0.4, 0.6, 1])
    assert_factors(course.fall, PROGRESS, [1, 0.8, 0.6, 0.2])
    assert float(slanted_triangular.build().rise(0.0)) == 1 / 32


def test_slanted_triangular_is_equation_3():
    # Howard & Ruder's own numbers: T = 200 steps, cut_frac 0.1, ratio 32.
    total, cut, ratio = 200, 20, 32
    course = slanted_triangular.build()
    for t in (0, 5, 19, 20, 21, 110, 199):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (total / cut - 1))
        wanted = (1 + p * (ratio - 1)) / ratio
        found = course.rise(t / cut) if t < cut else course.fall((t - cut) / (total - cut))
        assert found == pytest.approx(wanted)


def test_step():
    assert_factors(step.build().fall, [0, 0.49, 0.5, 0.74, 0.75, 1], [1, 1, 0.1, 0.1, 0.01, 0.01])
    assert_factors(step.build(milestones=[0.3], factor=0.5).fall, PROGRESS, [1, 1, 0.5, 0.5])


@pytest.mark.parametrize(
    ("milestones", "problem"),
    [
        ([], "at least 1 item"),
        ([0.5, 0.5], "must rise from each milestone to the next"),
        ([0.7, 0.2], "must rise from each milestone to the next"),
        ([0.0], "greater than 0"),
        ([0.5, 1.0], "less than 1"),
        (0.5, "valid list"),
    ],
)
def test_milestones_that_are_none(milestones, problem):
    with pytest.raises(ValidationError, match=problem):
        plugins.settings("schedules", "step")(name="step", milestones=milestones)


def test_milestones_from_a_file_are_taken():
    assert plugins.settings("schedules", "step")(name="step", milestones=[0.2, 0.4]).milestones == [0.2, 0.4]


# Settings at and near their bounds, besides the defaults.
EXTREMES = {
    "constant": [{}],
    "cosine": [{"end": 1.0}],
    "cosine_restarts": [{"cycles": 10, "growth": 4.0}, {"cycles": 2, "restart_factor": 0.01, "end": 0.5}],
    "inverse_sqrt": [{"timescale": 1e-6}, {"timescale": 1e6}],
    "linear": [{"end": 1.0}],
    "one_cycle": [{"start_divisor": 1.0, "end_divisor": 1.0}, {"start_divisor": 1e9, "end_divisor": 1e9}],
    "polynomial": [{"power": 100.0}, {"power": 0.01, "end": 0.3}],
    "slanted_triangular": [{"ratio": 1.0}, {"ratio": 1e9}],
    "step": [{"milestones": [0.001, 0.999], "factor": 0.999}],
}


@pytest.mark.parametrize("name", plugins.names("schedules"))
def test_every_course_meets_at_the_peak_and_stays_below_it(name):
    steps = np.linspace(0, 1, 1001, dtype="float32")
    for settings in ({}, *EXTREMES[name]):
        course = plugins.load("schedules", name)(**settings)
        fall, rise = np.array(course.fall(steps)), np.array(course.rise(steps))
        assert fall.shape == rise.shape == steps.shape
        assert (fall[0], rise[-1]) == pytest.approx((1.0, 1.0), abs=1e-6)
        for values in (fall, rise):
            assert ((values >= -1e-6) & (values <= 1 + 1e-6)).all()
        assert (np.diff(rise) >= -1e-6).all()


@pytest.mark.parametrize("name", plugins.names("schedules"))
def test_every_course_takes_numbers_and_tensors(name):
    from keras import ops

    course = plugins.load("schedules", name)()
    for shape in (course.fall, course.rise):
        as_number = np.array([float(shape(number)) for number in (0.0, 0.3, 0.9)])
        as_tensor = np.array(shape(ops.convert_to_tensor([0.0, 0.3, 0.9])))
        np.testing.assert_allclose(as_number, as_tensor, rtol=1e-5, atol=1e-6)
