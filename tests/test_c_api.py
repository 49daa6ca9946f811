"""Tests of benchmarks/c_api.c and benchmarks/c_api.py."""

import json
import subprocess

import numpy as np
import pytest

from benchmarks import c_api
from tfft import golden

pytestmark = pytest.mark.skipif(c_api.compiler() is None, reason="no C compiler is on the PATH")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return c_api.build(tmp_path_factory.mktemp("c_api"))


@pytest.fixture(scope="module")
def asked(trained):
    """The golden requests by text, and the answers that the trained model gave."""
    pairs = golden.read(trained.export)
    return [
        (request["inputs"]["text"], answer)
        for request, answer in pairs
        if request["signature_name"] == "serving_default"
    ]


def test_it_gives_the_golden_answers_alone_in_batches_and_in_threads(program, trained, asked):
    texts = [texts for texts, _ in asked]
    together = [text for (text,) in texts]
    rounds = [c_api.round_of(texts, 1), c_api.round_of(texts, 8), c_api.round_of([together, []], 1)]
    done = subprocess.run(
        c_api.command(program, trained.export), input=b"".join(rounds), stdout=subprocess.PIPE, check=True
    )
    alone, threads, batches = map(json.loads, done.stdout.splitlines())
    whole, empty = batches["answers"]
    for name, wanted in {name: [a[name][0] for _, a in asked] for name in asked[0][1]}.items():
        found = {
            "alone": [answer[name][0] for answer in alone["answers"]],
            "threads": [answer[name][0] for answer in threads["answers"]],
            "batch": whole[name],
        }
        for how, values in found.items():
            if name == "label":
                assert values == wanted, how
            else:
                np.testing.assert_allclose(values, wanted, atol=1e-6, rtol=0, err_msg=how)
    assert empty == {"label": [], "probabilities": [], "score": []}
    assert len(alone["seconds"]) == len(threads["seconds"]) == len(texts)
    assert sum(alone["seconds"]) <= alone["round"]  # one after the other


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda command: [command[0]], "an export is needed"),
        (lambda command: [command[0], "/nowhere", *command[2:]], "/nowhere: Could not find SavedModel"),
        (lambda command: [*command, "-o", "more=absent:0"], "absent:0: the export has no such tensor"),
        (lambda command: [*command, "-x", "1"], "-x: is no option"),
    ],
)
def test_what_it_cannot_do_it_tells(program, trained, change, told):
    command = change(c_api.command(program, trained.export))
    done = subprocess.run(command, input=b"", capture_output=True, check=False)
    assert done.returncode == 1
    assert told in done.stderr.decode()
