"""Tests of tfft/cli/convert.py."""

import pytest
from click.testing import CliRunner

from tests.test_format_report import REPORT
from tfft import cli, conversion


@pytest.fixture
def asked(monkeypatch):
    """What the command hands on."""
    found = []

    def run(directory, names, *, rows):
        found.append((str(directory), names, rows))
        return REPORT

    monkeypatch.setattr(conversion, "run", run)
    return found


def test_the_table_and_what_was_not_kept(asked):
    done = CliRunner().invoke(
        cli.tfft, ["convert", "run", "--format", "int8", "--format", "onnx", "--rows", "9"]
    )
    assert asked == [("run", ("int8", "onnx"), 9)]
    assert done.exit_code == 1
    assert all(part in done.stdout for part in ("int8", "25.8", "0.9500", "int8: f"))
    assert done.stderr.splitlines()[-1] == "Not kept: onnx. It cannot be converted: X."


def test_all_is_well(asked, monkeypatch):
    from dataclasses import replace

    report = replace(REPORT, outcomes=REPORT.outcomes[:1])
    monkeypatch.setattr(conversion, "run", lambda *_, **__: report)
    assert CliRunner().invoke(cli.tfft, ["convert", "run"]).exit_code == 0


def test_no_such_format(asked):
    done = CliRunner().invoke(cli.tfft, ["convert", "run", "--format", "int4"])
    assert done.exit_code == 2
    assert "'int4' is not one of 'bfloat16', 'int8', 'litert', 'litert_int8', 'onnx'" in done.stderr
    assert not asked


def test_no_run_ends_with_2(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("sys.argv", ["tfft", "convert", str(tmp_path), "--format", "int8"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "is not a run folder" in capsys.readouterr().err
