"""A local folder in KerasHub or Hugging Face format."""

import os
from collections.abc import Callable
from pathlib import Path

from tfft.errors import PresetError


def accepts(preset: str) -> bool:
    """Return whether `preset` is a path: an existing folder, or written as one."""
    return os.path.isdir(os.path.expanduser(preset)) or preset.startswith(("/", "./", "../", "~"))


def folder(preset: str, sha256: str | None, verify: Callable[[Path], None], /) -> Path:
    """Return the folder itself.

    Raises:
        PresetError: The folder is missing, or `verify` refuses it.
    """
    path = Path(os.path.expanduser(preset))
    if not path.is_dir():
        raise PresetError(
            f"backbone.preset: no such folder: {path}. Correct the path, or name a KerasHub preset "
            "(bert_base_en_uncased), a hub handle (kaggle://…, hf://…) or package:NAME==VERSION."
        )
    verify(path)
    return path
