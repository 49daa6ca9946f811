"""Tests of tfft/server/metrics.py."""

import re

from tfft.server.metrics import Metrics
from tfft.server.status import Code


def test_the_page():
    metrics = Metrics('a "b"')
    metrics.record("Predict", "REST", Code.OK, 9e-6)
    metrics.record("Predict", "REST", Code.OK, 10e-6)
    metrics.record("Predict", "REST", Code.NOT_FOUND, 18e-6)
    metrics.record("Predict", "REST", Code.OK, 1e9)
    lines = metrics.page().splitlines()
    assert lines[:3] == [
        "# TYPE :tensorflow:serving:request_count counter",
        r':tensorflow:serving:request_count{model_name="a \"b\"",status="NOT_FOUND"} 1',
        r':tensorflow:serving:request_count{model_name="a \"b\"",status="OK"} 3',
    ]
    buckets = [re.search(r'le="(.*)"} (\d+)', line).groups() for line in lines if "_bucket{" in line]
    assert buckets[:3] == [("10", "2"), ("18", "3"), ("32.4", "3")]
    assert buckets[-1] == ("+Inf", "4")
    assert lines[-2].endswith(" 1000000000000037")
    assert lines[-1].endswith(" 4")
