"""All that a training needs to go on as if nothing had happened, in one file for each moment that is kept.

A save is written under another name, forced to the disk and renamed, so that it is whole or not there
at all; and its name holds the hash of its bytes, so that a disk or a copy that damages it is found out,
and the save before it is taken. safetensors holds arrays and text, and no code.
"""

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from tfft import fingerprint
from tfft.errors import RunError

_NAME = re.compile(r"step-\d{10}-[0-9a-f]{32}\.safetensors")
_STEP = len("step-0000000000")
_WRITING = ".writing"


@dataclass(frozen=True)
class Save:
    """One moment of a training.

    Attributes:
        state: JSON values.
        arrays: By name.
        name: Of its file, once it has one, which tells it from all others.
    """

    state: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    name: str = ""


def write(folder: Path, step: int, save: Save, *, keep: int) -> Path:
    """Write a save, and remove all but the newest.

    Args:
        folder: Of the saves; made if it is not there.
        step: Steps that were taken, by which saves are ordered.
        save: What is kept.
        keep: Saves that stay, this one included.

    Returns:
        The file.

    Raises:
        OSError: It cannot be written; those before it are as they were.
    """
    folder.mkdir(exist_ok=True)
    temporary = folder / _WRITING
    try:
        arrays = {name: np.asarray(array, order="C") for name, array in save.arrays.items()}
        save_file(arrays, temporary, metadata={"state": json.dumps(save.state)})
        written = folder / f"step-{step:010d}-{fingerprint.of_files(temporary)[:32]}.safetensors"
        put(temporary, written)
    except SafetensorError as error:  # its own word for a full disk
        raise OSError(str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    older = [path for path in _newest_first(folder) if path.name[:_STEP] < written.name[:_STEP]]
    for path in {*_newest_first(folder)} - {written, *older[: keep - 1]}:
        path.unlink(missing_ok=True)  # also later ones, which were found damaged
    return written


def newest(folder: Path, say: Callable[[str], None]) -> Save | None:
    """Return the newest save that is not damaged, None where there is none.

    Args:
        folder: Of the saves.
        say: Called with a line for each damaged one.
    """
    for path in _newest_first(folder):
        if (problem := _problem(path)) is None:
            return _read(path)
        say(f"{path} is damaged ({problem}), and passed over")
    return None


def awaited(path: Path, seconds: float) -> Save:
    """Return a save that another machine has found to be whole.

    Args:
        path: Of the file.
        seconds: To wait for it, for a file system of the network may show it late.

    Raises:
        RunError: It is not there, or is damaged.
    """
    until = time.monotonic() + seconds
    while (problem := _problem(path)) is not None:
        if time.monotonic() > until:
            raise RunError(
                f"{path}, from which the chief goes on, cannot be read here: {problem}. run.directory must "
                "be on a file system that all workers share."
            )
        time.sleep(0.5)
    return _read(path)


def _read(path: Path) -> Save:
    with safe_open(path, framework="numpy") as stream:
        state = json.loads(stream.metadata()["state"])
        return Save(state, {name: stream.get_tensor(name) for name in stream.keys()}, path.name)  # noqa: SIM118


def put(temporary: Path, place: Path) -> None:
    """Give a file its name once it is on the disk, and force the name there, too."""
    with open(temporary, "rb+") as stream:
        os.fsync(stream.fileno())
    os.replace(temporary, place)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _problem(path: Path) -> str | None:
    try:
        digest = fingerprint.of_files(path)
    except OSError as error:
        return str(error)
    return None if digest[:32] in path.name else "its bytes are not those that were written"


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("step-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name, reverse=True)
