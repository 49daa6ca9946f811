"""Tests of tfft/verify.py and tfft/clean_process.py."""

import itertools
import json
import shutil
from dataclasses import replace

import pytest
import tensorflow as tf

from tests.server import toys
from tfft import clean_process, finished, golden, manifest, plugins, verify, warmup
from tfft.errors import RunError
from tfft.serving import Grpc, Model, Rest, ServingError

NAMES = ["files", "signatures", "operations", "answers", "determinism", "warm-up"]


@pytest.fixture
def version(trained, tmp_path):
    return shutil.copytree(trained.export, tmp_path / "1")


@pytest.fixture
def answered(monkeypatch):
    """Stand in for the clean process, which takes seconds, by what it should answer."""

    def answers(version, requests):
        right = [outputs for _, outputs in golden.read(version)]
        return [*right, *right, *({} for _ in requests[2 * len(right) :])]

    monkeypatch.setattr(clean_process, "answers", answers)


def failed(version):
    return {check.name: check.found for check in verify.run(version)[1] if not check.is_passed}


def test_an_export_passes(trained):
    version, checks = verify.run(trained.export.parent)  # by the folder of the versions
    assert version == trained.export
    assert [(check.name, check.is_passed) for check in checks] == [(name, True) for name in NAMES]


def test_an_export_that_was_changed_in_many_ways(version):
    path = version / "assets.extra" / "golden_requests.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:3]]
    lines[0]["outputs"]["label"] = ["neither"]
    lines[1]["outputs"]["score"][0] += 1e-3
    lines[2]["signature_name"] = "nothing"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    warmup.write(version, "x", [("serving_default", {"text": tf.constant(["a"])}), ("gone", {})])
    (version / "assets.extra" / "labels.json").unlink()
    (version / "more").touch()
    found = failed(version)
    assert found.keys() == {"files", "answers", "warm-up"}
    assert "assets.extra/golden_requests.jsonl has changed (" in found["files"]
    assert "assets.extra/labels.json is missing; " in found["files"]
    assert "more is not in the manifest" in found["files"]
    assert (
        "up to 1.00e-03 (allowed 1e-05), and these texts differ: label, and 1 requests were refused"
        in (found["answers"])
    )
    assert "gone" in found["warm-up"]


def test_an_export_that_does_not_load(version, labelled):
    (version / "variables" / "variables.index").unlink()
    found = {check.name: check.found for check in verify.run(version, labelled)[1] if not check.is_passed}
    assert found.keys() == {"files", "answers", "figure"}
    assert found["answers"].startswith("The export cannot be loaded in a clean process:")
    assert found["figure"] == found["answers"]


def test_signatures_are_those_of_the_manifest(version, answered):
    kept = json.loads((version / manifest.FILE).read_text(encoding="utf-8"))
    kept["signatures"]["serving_default"]["inputs"]["text"]["dtype"] = "int32"
    kept["signatures"]["other"] = kept["signatures"].pop("embed")
    (version / manifest.FILE).write_text(json.dumps(kept), encoding="utf-8")
    assert failed(version) == {
        "signatures": "other is missing; embed is not in the manifest; serving_default takes or gives other "
        "tensors"
    }


def test_an_answer_that_changes_is_told(version, monkeypatch):
    times = iter(range(1000))
    monkeypatch.setattr(
        clean_process, "answers", lambda _, requests: [{"score": [next(times)]} for _ in requests]
    )
    found = failed(version)
    count = len(golden.read(version))
    assert found["determinism"] == f"{count} of {count} requests are answered otherwise when asked again"


def test_an_operation_that_a_server_lacks(version, answered, monkeypatch):
    monkeypatch.setattr(verify.operations, "foreign", lambda graph: ["PyFunc"])
    assert failed(version) == {"operations": "neither TensorFlow nor TensorFlow Text has PyFunc"}


def test_where_there_is_nothing_to_check(tmp_path):
    with pytest.raises(RunError, match="is no export and has none"):
        verify.run(tmp_path)
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "saved_model.pb").touch()
    with pytest.raises(RunError, match=r"3 has no assets\.extra/manifest\.json"):
        verify.run(tmp_path)


@pytest.fixture(scope="module")
def server(trained):
    """A stand-in that serves the export."""
    with toys.running(trained.export.parent) as running:
        yield running


@pytest.fixture(params=["REST", "gRPC"])
def client(request, server):
    """Each of both clients."""
    if request.param == "REST":
        return Rest(f"http://127.0.0.1:{server.rest_port}")
    return Grpc(f"127.0.0.1:{server.grpc_port}")


def failed_live(version, client, model):
    _, checks = verify.live(version, client, model)
    return {check.name: check.found for check in checks if not check.is_passed}


def test_a_server_passes(trained, client):
    version, checks = verify.live(trained.export.parent, client, Model())
    assert version == trained.export
    assert [(check.name, check.is_passed) for check in checks] == [
        (name, True) for name in ("signatures", "answers", "determinism")
    ]
    assert len(golden.read(version)) > 24
    assert checks[1].found.startswith(f"{len(golden.read(version))} requests, numbers within ")


def test_a_server_of_another_model(version, client):
    path = version / "assets.extra" / "golden_requests.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:2]]
    lines[0]["outputs"]["score"][0] += 1e-3
    lines[1]["signature_name"] = "other"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    kept = json.loads((version / manifest.FILE).read_text(encoding="utf-8"))
    kept["signatures"]["serving_default"]["inputs"]["text"]["dtype"] = "int32"
    kept["signatures"]["other"] = kept["signatures"].pop("embed")
    (version / manifest.FILE).write_text(json.dumps(kept), encoding="utf-8")
    found = failed_live(version, client, Model())
    assert found.keys() == {"signatures", "answers"}
    assert found["signatures"].startswith("The model has no signature 'other'; it has classify, embed, ")
    assert found["signatures"].endswith("; serving_default takes or gives other tensors")
    assert "1.00e-03 (allowed 1e-05)" in found["answers"]
    assert found["answers"].endswith("1 requests were refused, the first by There is no signature other")


def test_a_server_that_answers_otherwise_each_time(trained, client, monkeypatch):
    answer, calls = client.answer, itertools.count()

    def moody(*request):
        return answer(*request) | ({"score": [0.5]} if next(calls) == 1 else {})

    monkeypatch.setattr(client, "answer", moody)
    count = len(golden.read(trained.export))
    assert failed_live(trained.export, client, Model()).keys() == {"answers", "determinism"}
    assert next(calls) == 2 * count


def test_the_version_asked_is_that_of_the_folder_unless_another_is_named(trained, client, tmp_path):
    copy = shutil.copytree(trained.export, tmp_path / "7")
    with pytest.raises(ServingError, match="does not serve version 7"):
        verify.live(copy, client, Model())
    assert not failed_live(copy, client, Model(version=1))


def test_a_server_that_is_not_there(trained):
    with pytest.raises(ServingError, match="cannot be reached"):
        verify.live(trained.export, Rest("http://127.0.0.1:1"), Model())


@pytest.fixture(scope="module")
def labelled(trained):
    return finished.labelled(trained.directory)


def test_the_accuracy_is_measured_again(trained, client, labelled):
    assert labelled.split == "test"
    *_, check = verify.live(trained.export, client, Model(), labelled)[1]
    accuracy = trained.figures["test"]["accuracy"]
    assert (check.name, check.is_passed) == ("accuracy", True)
    assert check.found == f"{accuracy:.4f} on 20 test rows, {accuracy:.4f} reported"


def test_an_accuracy_that_was_never_reached(version, labelled, answered, monkeypatch):
    golden_answers = clean_process.answers
    kept = json.loads((version / manifest.FILE).read_text(encoding="utf-8"))

    def answers(version, requests):
        if len(requests) == 1:  # the test rows in one batch: all good
            return [{"label": ["good"] * 20}]
        return golden_answers(version, requests)

    monkeypatch.setattr(clean_process, "answers", answers)
    (found,) = [check for check in verify.run(version, labelled)[1] if not check.is_passed]
    reported = kept["figures"]["test"]["accuracy"]
    assert (found.name, found.found) == ("accuracy", f"0.5000 on 20 test rows, {reported:.4f} reported")
    monkeypatch.setattr(clean_process, "answers", lambda *_: ["refused"] * 600)
    assert verify.run(version, labelled)[1][-1].found.startswith("refused; refused")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"data": {}}, "the test rows are not those that the export was measured on"),
        ({"figures": {}}, "the export reports no figures of the test rows"),
    ],
)
def test_an_export_of_other_rows_or_without_figures(version, labelled, answered, change, found):
    kept = json.loads((version / manifest.FILE).read_text(encoding="utf-8"))
    (version / manifest.FILE).write_text(json.dumps(kept | change), encoding="utf-8")
    assert verify.run(version, labelled)[1][-1] == verify.Check("figure", False, found)


def test_a_mean_error_must_be_the_same_by_more_than_a_row(version, labelled, answered):
    kept = json.loads((version / manifest.FILE).read_text(encoding="utf-8"))
    for reported, is_right in ((0.05, True), (0.0501, False), (0.0, False)):
        figures = {"figures": {"test": {"mae": reported}}}
        (version / manifest.FILE).write_text(json.dumps(kept | figures), encoding="utf-8")
        measured = replace(labelled, columns={}, judge=lambda _: ("mae", 0.05))
        check = verify._measured(
            kept | figures, replace(measured, columns=labelled.columns), lambda r: [{}] * len(r)
        )
        assert check[0].is_passed == is_right


def test_answers_that_cannot_be_laid_beside_rows(trained, monkeypatch):
    monkeypatch.setattr(finished, "task_of", lambda _: plugins.load("tasks", "token_classification")())
    with pytest.raises(RunError, match="cannot be laid beside its rows"):
        finished.labelled(trained.directory)
