"""Tests of tfft/cli/verify.py."""

import pytest
from click.testing import CliRunner

from tfft import cli, finished, verify
from tfft.errors import RunError
from tfft.serving import Grpc, Model, Rest, ServingError
from tfft.verify import Check

GOOD, BAD = Check("files", True, "9 files"), Check("answers", False, "numbers differ")


def test_a_good_export(monkeypatch, tmp_path):
    monkeypatch.setattr(verify, "run", lambda where, labelled: (where / "1", [GOOD]))
    done = CliRunner().invoke(cli.tfft, ["verify", str(tmp_path)])
    assert done.exit_code == 0
    assert str(tmp_path / "1") in done.stdout
    assert all(part in done.stdout for part in ("files", "passed", "9 files"))


def test_a_bad_export_ends_with_1_and_names_what_failed(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(verify, "run", lambda where, labelled: (where, [GOOD, BAD]))
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


def test_servers_are_asked_over_both_ways(monkeypatch, tmp_path):
    asked = []

    def live(where, client, model, labelled):
        asked.append((type(client), model))
        assert labelled is None
        return where / "1", [GOOD, BAD] if isinstance(client, Grpc) else [GOOD]

    monkeypatch.setattr(verify, "live", live)
    servers = ["--url", "http://127.0.0.1:1", "--grpc", "127.0.0.1:2", "--name", "m", "--label", "stable"]
    done = CliRunner().invoke(cli.tfft, ["verify", str(tmp_path), *servers])
    assert done.exit_code == 1
    assert asked == [(kind, Model("m", None, "stable")) for kind in (Rest, Grpc)]
    assert f"{tmp_path / '1'} over REST" in done.stdout
    assert done.stderr.splitlines()[-1] == "Failed: answers over gRPC"


def test_a_version_and_a_label_exclude_each_other(tmp_path):
    done = CliRunner().invoke(cli.tfft, ["verify", str(tmp_path), "--version", "1", "--label", "stable"])
    assert done.exit_code == 2
    assert "--version and --label exclude each other." in done.stderr


def test_the_rows_of_a_run_are_measured_too(monkeypatch, tmp_path):
    rows, seen = object(), []
    monkeypatch.setattr(finished, "labelled", lambda run: rows if run == tmp_path / "run" else None)
    monkeypatch.setattr(verify, "run", lambda *arguments: seen.append(arguments) or (tmp_path, [GOOD]))
    done = CliRunner().invoke(cli.tfft, ["verify", str(tmp_path), "--run", str(tmp_path / "run")])
    assert done.exit_code == 0
    assert seen == [(tmp_path, rows)]


def test_what_one_server_answered_is_told_although_another_is_gone(monkeypatch, tmp_path):
    def live(where, client, model, labelled):
        if isinstance(client, Grpc):
            raise ServingError("127.0.0.1:2 answers UNAVAILABLE")
        return where / "1", [GOOD]

    monkeypatch.setattr(verify, "live", live)
    servers = ["--url", "http://127.0.0.1:1", "--grpc", "127.0.0.1:2"]
    done = CliRunner().invoke(cli.tfft, ["verify", str(tmp_path), *servers])
    assert "9 files" in done.stdout
    assert isinstance(done.exception, ServingError)
