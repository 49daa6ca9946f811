"""deploy/monitoring/: that the alerts can be read, and go by figures that the server has."""

import re
import shutil
import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml

from tfft.server.metrics import Metrics
from tfft.server.status import Code

MONITORING = Path(__file__).resolve().parents[1] / "deploy" / "monitoring"
RULES = [
    rule
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]

# What TensorFlow Serving 2.21 has and the stand-in does not.
OF_THE_SERVER = {":tensorflow:cc:saved_model:load_attempt_count": {"model_path", "status"}}


def stand_ins():
    """Return the labels of each figure on the page of the stand-in."""
    metrics = Metrics("model")
    metrics.record("Predict", "REST", Code.OK, 0.001)
    found = {}
    for name, labels in re.findall(r"^([:\w]+)\{(.*)\}", metrics.page(), re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_goes_by_figures_and_labels_of_the_server(rule):
    expression = str(promql_parser.parse(rule["expr"]))  # it raises where there is a fault
    known = stand_ins() | OF_THE_SERVER | {"up": {"job", "instance"}}
    selected = re.findall(r"((?::tensorflow[:\w]+|\bup\b))(?:\{([^}]*)\})?", expression)
    assert selected
    for name, labels in selected:
        assert {*re.findall(r"(\w+)[=!]", labels)} <= known[name]
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= set().union(*known.values())
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]


def test_an_expression_with_a_fault_is_found():
    with pytest.raises(ValueError, match="brackets"):
        promql_parser.parse(RULES[1]["expr"].replace("[5m]", "[5 minutes]"))


def test_the_statuses_are_those_of_the_server_and_none_is_good_or_counted_twice():
    named = [re.findall(r'status=~"([^"]*)"', rule["expr"]) for rule in RULES]
    statuses = [status for each in named for text in each for status in text.split("|")]
    assert len(statuses) == len(set(statuses)) > 0
    assert {*statuses} <= {code.name for code in Code} - {"OK"}


def test_prometheus_keeps_the_figures_of_the_alerts_from_where_the_server_shows_them():
    settings = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    assert settings["rule_files"] == ["alerts.yaml"]
    (job,) = settings["scrape_configs"]
    assert f'job="{job["job_name"]}"' in RULES[0]["expr"]
    server = (MONITORING.parent / "serving" / "monitoring.config").read_text()
    assert f'path: "{job["metrics_path"]}"' in server
    (kept,) = job["metric_relabel_configs"]
    for name in [*stand_ins(), *OF_THE_SERVER]:
        assert re.fullmatch(kept["regex"], name)
    assert not re.fullmatch(kept["regex"], ":tensorflow:core:graph_runs")


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "alerts.yaml"],
        ["check", "config", "prometheus.yaml"],
        ["test", "rules", "alerts_test.yaml"],
    ],
)
def test_prometheus_own_program_agrees(arguments):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not on the PATH; it comes with Prometheus")
    subprocess.run(["promtool", *arguments], cwd=MONITORING, check=True, capture_output=True)
