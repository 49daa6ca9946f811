"""Where the versions of an export lie."""

import os
from collections.abc import Mapping
from pathlib import Path

FILES = ("saved_model.pb", "saved_model.pbtxt")
"""The file that makes a folder a SavedModel: one of these."""


def find(export: Path) -> Mapping[int, Path]:
    """Return the folders of an export's versions by number; a folder that is still being filled is none.

    Args:
        export: The folder of numbered versions, or one version.

    Raises:
        OSError: The folder cannot be read.
    """
    if (number := single(export)) is not None:
        return {number: export}
    return {
        int(entry.name): Path(entry.path)
        for entry in os.scandir(export)
        if _is_number(entry.name) and _is_saved_model(Path(entry.path))
    }


def single(export: Path) -> int | None:
    """Return the number of an export that is one version, 1 if its name is none; None if it has versions."""
    if not _is_saved_model(export):
        return None
    name = export.resolve().name
    return int(name) if _is_number(name) else 1


def nothing_in(export: Path) -> str:
    """Return the message about an export without versions."""
    return (
        f"{export} holds no SavedModel and no folders 1, 2, … of one. Name the folder of an export's "
        "versions, such as RUN/export, or one of them."
    )


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and int(name) < 2**63


def _is_saved_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in FILES)
