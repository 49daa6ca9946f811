"""Tests of tfft/format_report.py."""

from tfft import format_report
from tfft.format_figures import Figures
from tfft.format_report import Outcome, Report

TIMES = {1: {"p50": 1.25, "p99": 2.0, "calls": 50}, 8: {"p50": 4.0, "p99": 812.3, "calls": 20}}
REPORT = Report(
    split="test",
    rows=1200,
    golden=96,
    figure="accuracy",
    versions={"tensorflow": "2.21.0"},
    machine="2 CPUs",
    outcomes=[
        Outcome(
            "int8", "text", "Two decimals.", 0.1, folder="f", difference=0.0123, agreement=1.0,
            figures=Figures(25_800_000, TIMES, 0.95, -0.0025, 0.9975),
        ),
        Outcome("number", "text", "", 0.1, difference=0.0, figures=Figures(1, TIMES, 2.0, 0.5, None)),
        Outcome("onnx", "tokens", "The tokenizer.", 1e-5, problem="It cannot be converted: X."),
    ],
)  # fmt: skip


def test_cells():
    headings, rows = format_report.cells(REPORT)
    assert dict(zip(headings, rows[0], strict=True)) == {
        "format": "int8", "takes": "text", "MB": "25.8", "ms, 1 row": "1.2 / 2.0", "ms, 8 rows": "4.0 / 812",
        "accuracy": "0.9500", "change": "-0.0025", "same": "99.8%", "within": "1.2e-02",
    }  # fmt: skip
    assert rows[1][5:8] == ["2.0000", "+0.5000", "-"]
    assert rows[2] == ["onnx", "tokens", *["-"] * 7]


def test_markdown():
    text = format_report.markdown(REPORT)
    assert "| int8 | text | 25.8 | 1.2 / 2.0 | 4.0 / 812 | 0.9500 | -0.0025 | 99.8% | 1.2e-02 |\n" in text
    assert "1,200 rows of the test split" in text
    assert "## What is lost\n\n- int8: Two decimals.\n- onnx: The tokenizer." in text
    assert "## Not kept\n\n- onnx: It cannot be converted: X." in text
    assert "2 CPUs; tensorflow 2.21.0." in text
