"""Tests of tfft/golden.py."""

import json

import pytest

from tfft import golden
from tfft.errors import RunError


@pytest.fixture
def version(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    return tmp_path


def test_what_is_written_is_read(version):
    texts = ["naïve café", "👩‍👩‍👧", "", "a\u2028b\x85c\nd\re", 'null\x00 "quoted"']
    answered = [
        ({"signature_name": "serving_default", "inputs": {"text": [text]}}, {"score": [0.1], "label": ["é"]})
        for text in texts
    ]
    golden.write(version, answered)
    assert golden.read(version) == answered


def test_a_line_is_the_body_of_a_request_to_the_server(version):
    golden.write(version, [({"signature_name": "s", "inputs": {"text": ["x"]}}, {"score": [0.5]})])
    assert (version / "assets.extra" / "golden_requests.jsonl").read_text(encoding="utf-8") == (
        '{"signature_name": "s", "inputs": {"text": ["x"]}, "outputs": {"score": [0.5]}}\n'
    )


@pytest.mark.parametrize("content", [None, "{", '{"inputs": {}}\n', "[1]\n"])
def test_a_damaged_file_is_told(version, content):
    if content is not None:
        (version / golden.FILE).write_text(content)
    with pytest.raises(RunError, match=r"golden_requests\.jsonl cannot be read: .*Export the run again"):
        golden.read(version)


def test_the_requests_of_an_export_are_of_many_kinds(trained):
    pairs = golden.read(trained.export)
    names = [request["signature_name"] for request, _ in pairs]
    assert len(names) == 24 + 120 + 3 * 4  # hard texts, all rows, and some by each other signature
    assert {*names} == {"serving_default", "classify", "tokens", "embed"}
    texts = [pair[0]["inputs"]["text"][0] for pair in pairs if pair[0]["signature_name"] == "serving_default"]
    assert "" in texts
    assert max(map(len, texts)) >= 3000
    for part in ("é", "👍", "我", "Привет"):
        assert any(part in text for text in texts), part
    kept = json.loads((trained.directory / "model" / "proof_rows.json").read_text(encoding="utf-8"))
    assert {row["text"] for row in kept[:60]} <= {*texts}
