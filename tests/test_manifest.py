"""Tests of tfft/manifest.py."""

import hashlib
import json

import pytest

from tfft import manifest
from tfft.errors import RunError


def test_the_manifest_of_an_export_is_whole(trained):
    found = json.loads((trained.export / "assets.extra" / "manifest.json").read_text(encoding="utf-8"))
    on_disk = {p.relative_to(trained.export).as_posix() for p in trained.export.rglob("*") if p.is_file()}
    assert found["files"].keys() == on_disk - {"assets.extra/manifest.json"}
    assert {
        "saved_model.pb", "assets.extra/labels.json", "assets.extra/golden_requests.jsonl",
        "assets.extra/model_card.md", "assets.extra/parity.json", "assets.extra/tf_serving_warmup_requests",
    } <= found["files"].keys()  # fmt: skip
    graph = (trained.export / "saved_model.pb").read_bytes()
    assert found["files"]["saved_model.pb"] == {
        "bytes": len(graph),
        "sha256": hashlib.sha256(graph).hexdigest(),
    }
    assert found["signatures"]["embed"] == {
        "inputs": {"text": {"dtype": "string", "shape": [None]}},
        "outputs": {"embedding": {"dtype": "float32", "shape": [None, 8]}},
    }
    assert found["signatures"]["metadata"]["inputs"] == {}


def test_it_tells_what_the_export_came_from(trained):
    found = manifest.read(trained.export)
    assert found["config"] == (trained.directory / "config.yaml").read_text(encoding="utf-8")
    data = json.loads((trained.directory / "data.json").read_text(encoding="utf-8"))
    assert found["data"]["train"] == {"rows": 80, "sha256": data["train"]["sha256"]}
    assert found["figures"] == {
        split: json.loads((trained.directory / "evaluation" / f"{split}.json").read_text(encoding="utf-8"))
        for split in ("validation", "test")
    }
    assert found["figures"]["test"]["accuracy_95_low"] < found["figures"]["test"]["accuracy"]
    assert found["labels"] == ["bad", "good"]
    assert json.loads((trained.export / "assets.extra" / "labels.json").read_text()) == ["bad", "good"]
    assert {"tfft", "tensorflow", "tensorflow-text", "keras"} <= found["packages"].keys()


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(RunError, match=r"has no assets\.extra/manifest\.json: it is no export of tfft"):
        manifest.read(tmp_path)
    (tmp_path / "assets.extra").mkdir()
    for content in ("{", "{}", "[]", '{"files": 1, "signatures": {}}'):
        (tmp_path / manifest.FILE).write_text(content)
        with pytest.raises(RunError, match=r"manifest\.json cannot be read: \w+Error"):
            manifest.read(tmp_path)
    with pytest.raises(RunError, match=r"saved_model\.pb cannot be read: FileNotFoundError"):
        manifest.graph(tmp_path)
    for content in (b"\xff\xff", b""):
        (tmp_path / "saved_model.pb").write_bytes(content)
        with pytest.raises(RunError, match=r"saved_model\.pb cannot be read"):
            manifest.graph(tmp_path)
