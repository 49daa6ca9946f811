"""Tests of tfft/cli/verify.py."""

import pytest
from click.testing import CliRunner

from tfft import cli, verify
from tfft.errors import RunError
from tfft.verify import Check

GOOD, BAD = Check("files", True, "9 files"), Check("answers", False, "numbers differ")


def test_a_good_export(monkeypatch, tmp_path):
    monkeypatch.setattr(verify, "run", lambda where: (where / "1", [GOOD]))
    done = CliRunner().invoke(cli.tfft, ["verify", str(tmp_path)])
    assert done.exit_code == 0
    assert str(tmp_path / "1") in done.stdout
    assert all(part in done.stdout for part in ("files", "passed", "9 files"))


def test_a_bad_export_ends_with_1_and_names_what_failed(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(verify, "run", lambda where: (where, [GOOD, BAD]))
    monkeypatch.setattr("sys.argv", ["tfft", "verify", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert "FAILED" in out
    assert "numbers differ" in out
    assert err.splitlines()[-1] == "Failed: answers"


def test_no_export_ends_with_2(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("sys.argv", ["tfft", "verify", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == RunError.exit_code == 2
    assert "is no export and has none" in capsys.readouterr().err
