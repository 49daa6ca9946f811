"""The folder that keeps what can be fetched or computed again, shared by all runs of a user.

`TFFT_CACHE` names it, else it is `~/.cache/tfft`. What is computed from data is kept until
it takes more room than `TFFT_CACHE_GB` gigabytes (20), and goes again, the longest unused first.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tfft.errors import DataError, SettingError

_SIZES = "sizes.json"
_STALE = 24 * 3600  # seconds after which what was begun is no longer being written
_GIGABYTES = "20"


def folder() -> Path:
    """Return the folder, which may not exist yet."""
    return Path(os.environ.get("TFFT_CACHE") or "~/.cache/tfft").expanduser()


def entry(kind: str, key: str, write: Callable[[Path], None]) -> Path:
    """Return the folder of an entry, written at its first use.

    It appears under its name only when it is whole, and two who write it at once keep one of the
    two. An entry whose files have lost their sizes is written again.

    Args:
        kind: Folder of entries of one kind.
        key: Name of the entry, which tells all that its content depends on.
        write: Fills a folder.

    Raises:
        DataError: The disk is full or cannot be written.
    """
    place = folder() / kind / key
    if _is_whole(place):
        os.utime(place)  # what is used last goes last
        return place
    with telling():
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=".writing-"))
        try:
            write(temporary)
            sizes = {file.name: file.stat().st_size for file in temporary.iterdir()}
            (temporary / _SIZES).write_text(json.dumps(sizes))
            if place.exists() and not _is_whole(place):
                shutil.rmtree(place)
            # Where another process was first, what it put there is the same.
            with contextlib.suppress(OSError):
                temporary.rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _evict(place)
    return place


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Tell what to do when the cache cannot be written.

    Raises:
        DataError: In place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"The cache {folder()} cannot be written: {error}. Make room there, or set TFFT_CACHE to a "
            "folder that can be written."
        ) from error


def _is_whole(place: Path) -> bool:
    try:
        sizes = json.loads((place / _SIZES).read_text())
        return all((place / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def _evict(kept: Path) -> None:
    """Remove the longest unused entries of the same kind until the rest fits, but never `kept`."""
    written = os.environ.get("TFFT_CACHE_GB") or _GIGABYTES
    try:
        room = float(written) * 1e9
    except ValueError:
        raise SettingError(
            "TFFT_CACHE_GB", written, "must be a number of gigabytes", fix="Unset it."
        ) from None
    entries = []
    for place in kept.parent.iterdir():
        # Another process may remove it at the same time.
        with contextlib.suppress(OSError):
            used = place.stat().st_mtime
            if place.name.startswith("."):
                if time.time() - used > _STALE:
                    shutil.rmtree(place, ignore_errors=True)
            elif place != kept:
                entries.append((used, sum(file.stat().st_size for file in place.iterdir()), place))
    room -= sum(file.stat().st_size for file in kept.iterdir())
    for _, size, place in sorted(entries, reverse=True):
        room -= size
        if room < 0:
            shutil.rmtree(place, ignore_errors=True)
