"""Two replicas in one process train as one does, to the last digits, and go on bit by bit."""

import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def found(tiny_preset, tmp_path_factory):
    """What `replicas_probe.py` tells."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.replicas_probe", tiny_preset, tmp_path_factory.mktemp("replicas")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("variant", ["plain", "regularized micro-batches", "compiled"])
def test_two_replicas_come_to_the_weights_and_metrics_of_one(found, variant):
    # Five of seven rows' batches do not divide by two, and of one the second replica has no row.
    assert found[variant]["moved"] > 0.1
    assert found[variant]["weights"] < 1e-5
    assert found[variant]["metrics"] < 1e-6


def test_in_half_precision_they_come_as_near_as_that_has_digits(found):
    assert found["mixed_float16"]["moved"] > 0.1
    assert found["mixed_float16"]["weights"] < 2e-3
    assert found["mixed_float16"]["metrics"] < 5e-3


def test_a_gradient_that_overflows_in_one_replica_is_skipped_by_both(found):
    assert found["overflow"]["moved"] == 0.0
    assert found["overflow"]["scales"] == pytest.approx([5e37, 5e37])
    assert found["overflow"]["steps"] == 0


def test_a_training_on_two_that_is_cut_off_goes_on_as_if_it_had_not_been(found):
    assert found["resumed"]["alike"]


def test_each_replica_draws_its_own_dropout(found):
    # Two epochs of five steps; the count of the second begins elsewhere.
    assert found["resumed"]["states"] == [[3, 10], [3, 10 + 2**40]]


def test_saves_of_two_are_refused_by_one(found):
    assert found["other number"].startswith("RunError")
    assert "holds saves of a training on 2 replicas, and this one has 1" in found["other number"]


def test_keras_cannot_yet_fit_a_mask_on_several_replicas(found):
    # When this fails Keras has mended it, and tfft/steps.py may take Keras's own steps: see there.
    assert "InvalidArgumentError" in found["by Keras"]
    assert "bool" in found["by Keras"]
