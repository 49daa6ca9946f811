"""Tests of tfft/cli/predict.py, on a model that is already trained."""

import gzip
import io
import json
import sys

import pytest

from tfft import cli


@pytest.fixture
def predict(monkeypatch, capsys):
    def call(*arguments, stdin=None):
        monkeypatch.setattr(sys, "argv", ["tfft", "predict", *map(str, arguments)])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return call


@pytest.mark.parametrize("packed", [False, True])
def test_a_column_of_another_name_in_a_file_that_may_be_packed(predict, trained, tmp_path, packed):
    content = "id,review\n1,a great film\n2,awful\n"
    path = tmp_path / ("rows.csv.gz" if packed else "rows.csv")
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    for column in ("review", "text=review"):
        code, output, _ = predict(trained.export, "--input", path, "--column", column)
        assert code == 0
        rows = [json.loads(line) for line in output.splitlines()]
        assert [(row["text"], row["label"]) for row in rows] == [("a great film", "good"), ("awful", "bad")]


def test_the_format_of_a_file_can_be_told(predict, trained, tmp_path):
    (tmp_path / "rows.data").write_text("text\tother\na great film\tx\n")
    code, output, _ = predict(
        trained.export, "--input", tmp_path / "rows.data", "--input-format", "tsv", "--format", "csv"
    )
    assert code == 0
    header, row = output.splitlines()
    assert header == "text,label,score"
    assert row.startswith("a great film,good,0.")


def test_a_column_that_the_model_does_not_read_is_told(predict, trained, tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\nx,y\n")
    code, output, errors = predict(trained.export, "--input", tmp_path / "rows.csv", "--column", "text_b=b")
    assert (code, output) == (2, "")
    assert "--column text_b=b: this model reads text, as in text=COLUMN." in errors


def test_standard_input_may_be_delimited(predict, trained):
    code, output, _ = predict(
        trained.export,
        "--input",
        "-",
        "--input-format",
        "csv",
        stdin='text,other\n"a great film",x\nawful,y\n',
    )
    assert code == 0
    rows = [json.loads(line) for line in output.splitlines()]
    assert [(row["text"], row["label"]) for row in rows] == [("a great film", "good"), ("awful", "bad")]
