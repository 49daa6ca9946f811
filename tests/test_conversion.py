"""Tests of tfft/conversion.py."""

import importlib.util
import json
import shutil
from dataclasses import replace

import pytest

from tfft import clean_process, conversion, finished, format_figures, plugins, run_folder, verify
from tfft.errors import RunError, SettingError
from tfft.format_figures import Figures

QUICK = {"_SECONDS": 0, "_CALLS": 2, "_DISTINCT": 2}


@pytest.fixture(scope="module")
def converted(trained, tmp_path_factory):
    """A copy of the run's folder, and what came of two formats, one of each kind."""
    directory = tmp_path_factory.mktemp("converted") / "run"
    shutil.copytree(trained.directory, directory)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUICK.items():
            patch.setattr(format_figures, name, value)
        return directory, conversion.run(directory, ["bfloat16", "litert"])


@pytest.fixture(scope="module")
def kept(converted):
    """The model, and the golden requests as `litert` keeps them."""
    directory, _ = converted
    path = directory / "formats" / "litert" / "1" / "golden_requests.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    rows, answers = [line["text"] for line in lines], [line["outputs"] for line in lines]
    return finished.restore(directory), conversion._Golden(rows, lines, answers)


def test_formats_are_kept_and_measured(converted, trained):
    directory, report = converted
    assert [outcome.name for outcome in report.outcomes] == ["float32", "bfloat16", "litert"]
    assert [outcome.takes for outcome in report.outcomes] == ["text", "text", "tokens"]
    assert (report.split, report.rows, report.figure) == ("test", 20, "accuracy")
    float32, bfloat16, litert = report.outcomes
    assert float32.folder == str(trained.export)
    assert float32.figures.right == pytest.approx(trained.figures["test"]["accuracy"])
    assert bfloat16.folder == str(directory / "formats" / "bfloat16" / "1")
    assert litert.folder == str(directory / "formats" / "litert" / "1")
    assert litert.difference <= 1e-5 < bfloat16.difference <= 0.05
    assert all(outcome.problem is None and outcome.figures.same == 1 for outcome in report.outcomes)
    assert sorted(path.name for path in (directory / "formats").iterdir()) == ["bfloat16", "litert"]


def test_the_report_is_in_the_folder(converted):
    directory, report = converted
    told = run_folder.read_json(directory / "evaluation" / "formats.json")
    assert [outcome["name"] for outcome in told["outcomes"]] == ["float32", "bfloat16", "litert"]
    assert told["outcomes"][1]["figures"]["size"] == report.outcomes[1].figures.size
    assert "| litert | tokens |" in (directory / "evaluation" / "formats.md").read_text()


def test_a_saved_model_is_whole_and_says_what_it_is(converted):
    directory, _ = converted
    version, checks = verify.run(directory / "formats" / "bfloat16")
    assert [check.name for check in checks if not check.is_passed] == []
    assert "- Format: bfloat16; the run's evaluation/formats.md tells its figures" in (
        version / "assets.extra" / "model_card.md"
    ).read_text(encoding="utf-8")


def test_what_a_client_needs_lies_beside_a_file(converted, kept):
    folder = converted[0] / "formats" / "litert" / "1"
    assert sorted(path.name for path in folder.iterdir()) == [
        "golden_requests.jsonl", "labels.json", "model.tflite", "tokens.json", "vocabulary.txt",
    ]  # fmt: skip
    assert json.loads((folder / "labels.json").read_text()) == ["bad", "good"]
    tokens = json.loads((folder / "tokens.json").read_text())
    assert (tokens["files"], tokens["preprocessor"]["sequence_length"]) == (["vocabulary.txt"], 16)
    _, golden = kept
    assert golden.requests[0]["signature_name"] == "tokens"
    assert golden.rows[0].keys() == {"text"}
    assert len(golden.rows) > 50


def test_a_second_one_is_the_next_version(converted, kept):
    form = plugins.load("formats", "litert")()
    measure = Figures(1, {}, 1.0, 0.0, 1.0)
    version, difference, agreement, figures = conversion._write(
        "litert", form, *kept, converted[0], lambda *_: measure
    )
    assert figures is measure
    assert (version.name, agreement) == ("2", 1)
    assert difference == 0  # from what it answered before
    shutil.rmtree(version)


def test_what_answers_otherwise_is_not_kept(converted, kept):
    form = replace(plugins.load("formats", "litert")(), tolerance=-1.0)
    with pytest.raises(RunError, match="numbers differ from float32's by up to 0"):
        conversion._write("elsewhere", form, *kept, converted[0], lambda *_: None)
    assert sorted(path.name for path in (converted[0] / "formats").iterdir()) == ["bfloat16", "litert"]


def test_what_cannot_be_measured_is_not_kept(converted, kept):
    def measure(ask, loaded):
        raise ValueError("two rows are one too many")

    form = plugins.load("formats", "litert")()
    with pytest.raises(RunError, match="cannot be measured: ValueError: two rows are one too many"):
        conversion._write("elsewhere", form, *kept, converted[0], measure)
    assert sorted(path.name for path in (converted[0] / "formats").iterdir()) == ["bfloat16", "litert"]


def test_one_that_is_not_kept_does_not_keep_the_others(converted, kept, monkeypatch, tmp_path):
    directory = tmp_path / "run"
    shutil.copytree(converted[0], directory)
    for name, value in QUICK.items():
        monkeypatch.setattr(format_figures, name, value)
    monkeypatch.setattr(conversion, "_golden", lambda *_: kept[1])
    load = plugins.load

    def without_onnx(family, name):
        found = load(family, name)
        if name != "onnx" or family != "formats":
            return found

        def write(function, variables, path):
            path.write_text("half")
            raise RunError("It has a part that ONNX has not.")

        return lambda: replace(found(), write=write)

    monkeypatch.setattr(plugins, "load", without_onnx)
    report = conversion.run(directory, ["onnx", "litert"])
    assert [outcome.problem for outcome in report.outcomes] == [
        None,
        "It has a part that ONNX has not.",
        None,
    ]
    assert not (directory / "formats" / "onnx").exists()
    assert (directory / "formats" / "litert" / "2").is_dir()


def test_a_missing_package_is_told_before_anything_is_done(trained, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if "onnx" in name else find(name))
    with pytest.raises(SettingError) as caught:
        conversion.run(trained.directory)
    assert str(caught.value) == (
        "--format: needs what is not installed: onnx, onnxruntime, tf2onnx, got 'onnx'. Install it: "
        "pip install 'tfft[formats]'. Or name the formats that you want."
    )
    assert not (trained.directory / "formats").exists()


def test_what_is_no_run(tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        conversion.run(tmp_path)


def test_a_run_without_an_export(trained, tmp_path):
    shutil.copytree(trained.directory, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "export")
    (tmp_path / "run" / "exported.json").unlink()
    with pytest.raises(RunError, match=r"has no export to compare with\. Write one: tfft export"):
        conversion.run(tmp_path / "run")


def test_an_export_of_other_weights(converted, monkeypatch):
    directory, _ = converted
    asked = []

    def answers(version, requests):
        asked.extend(requests)
        return [{"label": ["x"], "score": [0.5]} for _ in requests]

    monkeypatch.setattr(clean_process, "answers", answers)
    with pytest.raises(RunError, match="does not answer as the weights of"):
        conversion.run(directory, ["litert"])
    # Each alone and, last, several together.
    assert {len(request["inputs"]["token_ids"]) for request in asked[:-1]} == {1}
    masks = asked[-1]["inputs"]["padding_mask"]
    assert len(masks) == 5
    assert len({sum(row) for row in masks}) > 1


FORM = replace(plugins.load("formats", "bfloat16")(), tolerance=0.1, agreement=0.5)


def answer(label, *probabilities):
    return {"label": [label], "score": [max(probabilities)], "probabilities": [[*probabilities]]}


def test_judging():
    expected = [answer("a", 0.9, 0.1), answer("a", 0.52, 0.48)]
    found = [answer("a", 0.85, 0.15), answer("b", 0.49, 0.51)]
    difference, agreement = conversion._judge(FORM, expected, found, found)
    assert (difference, agreement) == (pytest.approx(0.05), 0.5)


def test_a_score_in_deviations_is_wider_than_a_probability():
    expected = [answer("a", 0.9, 0.1) | {"ood_score": [0.5]}]
    found = [answer("a", 0.9, 0.1) | {"ood_score": [0.1]}]
    difference, agreement = conversion._judge(FORM, expected, found, found)
    assert (difference, agreement) == (pytest.approx(0.08), 1.0)
    too_far = [answer("a", 0.9, 0.1) | {"ood_score": [-0.1]}]
    with pytest.raises(RunError, match=r"by up to 1.20e-01 \(allowed 0.1\)"):
        conversion._judge(FORM, expected, too_far, too_far)


@pytest.mark.parametrize(
    ("changes", "found", "again", "problem"),
    [
        ({}, [answer("a", 0.7, 0.3)], None, r"by up to 2.00e-01 \(allowed 0.1\)"),
        ({}, [answer("a", float("nan"), 0.1)], None, "by up to nan"),
        ({}, [answer("b", 0.2, 0.8)], None, "by up to 7.00e-01"),
        ({}, ["ValueError: no"], None, "refuses a golden request: ValueError: no"),
        ({}, [answer("a", 0.8, 0.1, 0.1)], None, "other outputs, or other shapes"),
        ({}, [{"label": ["a"]}], None, "other outputs, or other shapes"),
        ({}, [answer("a", 0.9, 0.1)], [answer("a", 0.9, 0.100001)], "answered otherwise when asked again"),
        ({"agreement": 1.0}, [answer("b", 0.89, 0.11)], None, r"1 of 1 golden requests get other texts .*0%"),
    ],
)  # fmt: skip
def test_what_is_refused(changes, found, again, problem):
    with pytest.raises(RunError, match=problem):
        conversion._judge(replace(FORM, **changes), [answer("a", 0.9, 0.1)], found, again or found)
