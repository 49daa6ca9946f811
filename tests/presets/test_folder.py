"""Tests of tfft/presets/folder.py, and of which place takes which spelling."""

from pathlib import Path

import pytest

from tfft import plugins
from tfft.errors import PresetError
from tfft.presets import folder


def places(preset: str) -> list[str]:
    """Return the names of all places that take a spelling; `classifier` asks them in this order."""
    return [name for name in plugins.names("presets") if plugins.module("presets", name).accepts(preset)]


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("/models/bert", ["folder"]),
        ("./bert", ["folder"]),
        ("../bert", ["folder"]),
        ("~/bert", ["folder"]),
        ("~nobody-here/bert", ["folder"]),
        ("here/inside", ["folder"]),
        ("here", ["folder", "hub"]),  # an existing folder goes before a preset of that name
        ("bert_base_en_uncased", ["hub"]),
        ("bert_tiny_en_uncasd", ["hub"]),
        ("kaggle://keras/bert/keras/bert_tiny_en_uncased", ["hub"]),
        ("hf://google-bert/bert-base-uncased", ["hub"]),
        ("package:toy==1.0", ["package"]),
        ("package:toy", ["package"]),
        ("package:", ["package"]),
        ("google-bert/bert-base-uncased", []),
        ("bert-base-uncased", []),
        ("https://example.org/bert", []),
        ("x" * 5000 + "/y", []),
        ("a\0b", []),
        ("", []),
    ],
)
def test_a_spelling_means_one_place(tmp_path, monkeypatch, preset, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here" / "inside").mkdir(parents=True)
    assert places(preset) == expected


def test_a_file_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").touch()
    assert places("here.txt") == []


def test_the_folder_itself_is_returned_after_it_was_verified(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "bert").mkdir()
    seen = []
    assert folder.folder("~/bert", None, seen.append) == tmp_path / "bert"
    assert folder.folder(str(tmp_path / "bert"), None, seen.append) == tmp_path / "bert"
    assert seen == [tmp_path / "bert"] * 2


def test_what_verify_refuses_is_refused(tmp_path):
    def refuse(path: Path) -> None:
        raise PresetError(f"{path} is not good.")

    with pytest.raises(PresetError, match="is not good"):
        folder.folder(str(tmp_path), None, refuse)


@pytest.mark.parametrize("preset", ["./none", "~nobody-here/bert"])
def test_a_missing_folder_names_the_other_ways(tmp_path, monkeypatch, preset):
    monkeypatch.chdir(tmp_path)
    seen = []
    with pytest.raises(PresetError) as caught:
        folder.folder(preset, None, seen.append)
    assert str(caught.value) == (
        f"backbone.preset: no such folder: {Path(preset)}. Correct the path, or name a KerasHub preset "
        "(bert_base_en_uncased), a hub handle (kaggle://…, hf://…) or package:NAME==VERSION."
    )
    assert seen == []
