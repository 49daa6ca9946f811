"""The folder that keeps all of a run: made new, filled whole file by whole file.

config.yaml        the resolved config
environment.json   versions, platform, git state
data.json          path, hash and row count of every split, bad rows
augmentations.json hashes of the files that augmentations read, if there are any
lengths.json       tokens of the training rows, and what is cut off them, in all and of each label
layers.json        the table of layers, parameters and learning rates
model/             description.json, best.weights.h5, proof_rows.json, and the tokenizer's files:
                   vocabulary.txt, or vocab.json and merges.txt, or vocabulary.spm
history.csv        one line an epoch
evaluation/        figures and wrong rows of each split; formats.json, formats.md of the formats
formats/           numbered versions of the model in other formats, each in a folder of its name
tensorboard/       event files, if the config asks for them
export/            numbered SavedModels
models.config, batching_parameters.txt, monitoring.config
                   for TensorFlow Serving, unless the SavedModels are elsewhere
saves/             what a training that was cut off goes on from; gone when the run has ended
exported.json      the folder of each SavedModel, by the hash of the weights that it has
status.json        training, finished, interrupted or failed; and whether the training is done
log.txt            what was said

A cross-validation keeps fold-1, fold-2, …, each such a folder without an export, beside its own config.yaml,
environment.json, data.json (the training rows, and the rows of each fold), status.json, log.txt, and
evaluation/pooled.json and pooled-wrong.csv, which are of all folds together.
"""

import contextlib
import fcntl
import importlib.metadata
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfft.errors import LostWorkerError, RunError, TfftError

DESCRIPTION = Path("model") / "description.json"
PROOF_ROWS = Path("model") / "proof_rows.json"
WEIGHTS = Path("model") / "best.weights.h5"
SAVES = Path("saves")
EXPORTED = Path("exported.json")
_PACKAGES = (
    "tfft", "tensorflow", "tensorflow-text", "keras", "keras-hub", "numpy", "pyarrow", "pydantic",
    "safetensors", "scikit-learn", "scipy",
)  # fmt: skip


@contextlib.contextmanager
def new(directory: Path, config: str) -> Iterator[Path]:
    """Make the folder of a run; it goes again if the run fails before anything was learned or saved.

    Where a worker was lost, or SIGTERM came, it stays.

    Everything logged to `tfft` inside the block is kept in `log.txt`.

    Args:
        directory: Of the run.
        config: Text of `config.yaml`, which is there as soon as the folder is.

    Raises:
        RunError: The folder exists.
    """
    with _begun(directory, config) as logger:
        try:
            (directory / WEIGHTS).parent.mkdir()
            yield directory
        except BaseException as error:
            is_empty = not (directory / WEIGHTS).exists() and not (directory / SAVES).exists()
            # A cluster that starts its workers again goes on with a folder that any of them has seen.
            if is_empty and not isinstance(error, (LostWorkerError, SystemExit)):
                shutil.rmtree(directory)
            else:
                _tell_the_end(directory, error, logger)
            raise


@contextlib.contextmanager
def resumed(directory: Path) -> Iterator[Path]:
    """Take up the folder of a run that was cut off; it stays, however the block ends.

    Raises:
        RunError: Another process writes to it, or it has ended.
    """
    with _locked(directory):
        if is_finished(directory):  # while this process waited for the lock
            raise RunError(f"{directory} has ended meanwhile: there is nothing to go on with.")
        with _ending_well(directory) as logger:
            try:
                (directory / WEIGHTS).parent.mkdir(exist_ok=True)
                yield directory
            except BaseException as error:
                _tell_the_end(directory, error, logger)
                raise


def is_finished(directory: Path) -> bool:
    """Return whether a run has ended well.

    Raises:
        RunError: It is no run.
    """
    _check_is_run(directory)
    return _status(directory).get("status") == "finished"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder for a worker that is not the chief, which goes with all that it writes there."""
    with tempfile.TemporaryDirectory(prefix="tfft-worker-") as name:
        (Path(name) / WEIGHTS).parent.mkdir()
        yield Path(name)


def tell_trained(directory: Path) -> None:
    """Note that the training is done, and what is left can be made from what it kept."""
    write_json(directory / "status.json", {**read_json(directory / "status.json"), "trained": True})


def is_trained(directory: Path) -> bool:
    """Return whether `tell_trained` was called."""
    return _status(directory).get("trained", False)


def _status(directory: Path) -> dict[str, Any]:
    path = directory / "status.json"
    return read_json(path) if path.exists() else {}


def _tell_the_end(directory: Path, error: BaseException, logger: logging.Logger) -> None:
    from_outside = isinstance(error, (KeyboardInterrupt, SystemExit, LostWorkerError))
    status = "interrupted" if from_outside else "failed"
    if (directory / WEIGHTS).exists():
        logger.info(f"The best weights so far are kept: tfft evaluate {directory}")
    # What the user must put right would only come again.
    is_fault = isinstance(error, TfftError) and not isinstance(error, LostWorkerError)
    if any((directory / SAVES).glob("step-*")) and not is_fault:
        logger.info(f"Go on where it stopped: tfft train --resume {directory}")
    with contextlib.suppress(OSError):  # a full disk is told by the error itself
        ended = {"status": status, "reason": str(error)}
        write_json(directory / "status.json", {**_status(directory), **ended})


@contextlib.contextmanager
def several(directory: Path, config: str) -> Iterator[Path]:
    """Make the folder of a cross-validation; it goes again unless the whole of it ends well.

    Everything logged to `tfft` inside the block is kept in `log.txt`.

    Raises:
        RunError: The folder exists.
    """
    with _begun(directory, config) as logger:
        try:
            yield directory
        except BaseException:
            shutil.rmtree(directory)
            logger.info(f"Nothing is kept of a cross-validation that did not end: {directory} is gone again")
            raise


@contextlib.contextmanager
def fold(directory: Path, config: str) -> Iterator[Path]:
    """Make the folder of a run inside that of `several`, which answers for what goes wrong."""
    with _begun(directory, config):
        (directory / WEIGHTS).parent.mkdir()
        yield directory


@contextlib.contextmanager
def _begun(directory: Path, config: str) -> Iterator[logging.Logger]:
    """Make a folder that keeps what is logged, and that tells when the block has ended well."""
    _make(directory, config)
    with _locked(directory), _ending_well(directory) as logger:
        yield logger


@contextlib.contextmanager
def _ending_well(directory: Path) -> Iterator[logging.Logger]:
    """Keep what is logged, and tell when the block has ended well; then no save is needed any more."""
    with _logged(directory) as logger:
        trained = {"trained": True} if is_trained(directory) else {}
        write_json(directory / "status.json", {"status": "training", **trained})
        yield logger
        write_json(directory / "status.json", {"status": "finished"})
        shutil.rmtree(directory / SAVES, ignore_errors=True)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other processes from writing to a folder; the system frees it when this one dies.

    Raises:
        RunError: Another one writes to it.
    """
    with open(directory / ".lock", "a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise RunError(
                f"{directory} is being written to by process {stream.read().strip() or 'unknown'}. Wait "
                "for it to end, or end it."
            ) from None
        except OSError as error:  # some file systems know no locks
            logging.getLogger("tfft").warning(f"Warning: {directory} cannot be locked: {error}")
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def _make(directory: Path, config: str) -> None:
    """Make a folder that has its config and what it was begun with from its first moment on."""
    if directory.exists():
        raise RunError(
            f"run.directory: {directory} exists, and a run does not write over another. "
            "Choose a new folder, or remove this one."
        )
    try:
        making = directory.with_name(f".{directory.name}-{os.getpid()}")
        shutil.rmtree(
            making, ignore_errors=True
        )  # of a process that was killed here, whose number this one has
        making.mkdir(parents=True)
        try:
            write_json(making / "environment.json", environment())
            write_text(making / "config.yaml", config)
            making.rename(directory)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
    except OSError as error:
        raise RunError(f"run.directory: {directory} cannot be made: {error}. Choose another.") from error


@contextlib.contextmanager
def _logged(directory: Path) -> Iterator[logging.Logger]:
    """Keep what is logged to `tfft` in the folder's `log.txt`."""
    log = logging.FileHandler(directory / "log.txt", encoding="utf-8")
    log.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.getLogger("tfft")
    if logger.level == logging.NOTSET:  # called from Python, with no word on what to log
        logger.setLevel(logging.INFO)
    logger.addHandler(log)
    try:
        yield logger
    finally:
        logger.removeHandler(log)
        log.close()


def existing(directory: Path) -> Path:
    """Return a run's folder.

    Raises:
        RunError: It is no run, or one that has no weights yet.
    """
    directory = Path(directory)
    _check_is_run(directory)
    if not (directory / WEIGHTS).is_file():
        raise RunError(
            f"{directory} holds no weights: its first epoch has not ended. Wait for it, or train again."
        )
    return directory


def _check_is_run(directory: Path) -> None:
    if not (directory / "config.yaml").is_file():
        raise RunError(
            f"{directory} is not a run folder: it has no config.yaml. Name a folder that tfft train made."
        )
    if (directory / "fold-1").is_dir():
        raise RunError(
            f"{directory} is of a cross-validation. Name one of its folds, as in {directory}/fold-1."
        )


def environment() -> dict[str, Any]:
    """Return what a run depends on besides its config and data."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "packages": packages(),
        "git": _git(),
    }


def packages() -> dict[str, str]:
    """Return the versions of what is installed of the packages that a run depends on."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def write_text(path: Path, text: str) -> None:
    """Write a file that is, at any moment, either absent or whole."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that is, at any moment, either absent or whole."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def write_json(path: Path, content: object) -> None:
    """Write JSON that a person can read, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path):
    """Read a file that `write_json` wrote.

    Raises:
        RunError: It is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}. The run is damaged; train again.") from error


def _git() -> dict[str, object] | None:
    """Return commit and state of the current folder's repository, None outside of one."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "has_changes": bool(changed.strip())}
