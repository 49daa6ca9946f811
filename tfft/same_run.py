"""Whether a run that goes on is the run that it was: its files, its weights, its libraries."""

import logging
from pathlib import Path

from tfft import fingerprint, run_folder
from tfft.classifier import Classifier
from tfft.config import Config
from tfft.errors import DataError, PresetError

_log = logging.getLogger("tfft")


def check_files(settings: Config, directory: Path) -> None:
    """Record the hashes of the files that augmentations read; of a run that goes on, compare them.

    Raises:
        DataError: One has changed.
    """
    record = directory / "augmentations.json"
    paths = [
        path
        for chosen in settings.augmentations
        for value in chosen.arguments().values()
        for path in (value if isinstance(value, list) else [value])
        if isinstance(path, Path)
    ]
    found = {str(path): fingerprint.of_files(path) for path in paths}
    if record.exists():
        before = run_folder.read_json(record)
        for path in [path for path, digest in found.items() if before.get(path) != digest]:
            raise DataError(f"augmentations: {path} has changed since the run. Bring the old file back.")
    if found:
        run_folder.write_json(record, found)


def check_preset(model: Classifier, directory: Path) -> None:
    """Compare the pretrained weights with those that a run was begun with.

    Raises:
        PresetError: They have changed.
    """
    if not (directory / run_folder.DESCRIPTION).exists():
        return
    before = run_folder.read_json(directory / run_folder.DESCRIPTION)["preset"]
    if before != model.description["preset"]:
        raise PresetError(
            f"backbone.preset: the weights of {before['name']} have changed since the run. Bring the old "
            "ones back."
        )


def tell_versions(directory: Path) -> None:
    """Warn of packages that have another version than when the run was begun."""
    before = run_folder.read_json(directory / "environment.json")["packages"]
    now = run_folder.environment()["packages"]
    for package in sorted(before.keys() | now.keys()):
        if before.get(package) != now.get(package):
            _log.warning(
                f"Warning: the run was begun with {package} {before.get(package)}, and goes on with "
                f"{now.get(package)}: the weights may not be what they would have been"
            )
