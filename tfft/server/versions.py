"""The versions of a model: which are served, from the folder in which they come and go.

A new version is loaded and warmed before the one it replaces is retired, and a
retired one is kept until the requests that run on it are answered.
"""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tfft.server.servable import Servable
from tfft.server.status import Code, RequestError, invalid

_log = logging.getLogger("tfft")


class State(Enum):
    """Where a version is in its life, with the numbers of TensorFlow Serving's ModelVersionStatus."""

    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass
class Version:
    """One version.

    Attributes:
        number: Its number, the name of its folder.
        state: Where it is in its life.
        failure: Why it could not be loaded; None where it could.
    """

    number: int
    state: State = State.LOADING
    failure: RequestError | None = None
    servable: Servable | None = None
    requests: int = 0
    stamp: frozenset[tuple[str, int, int]] = frozenset()


class Versions:
    """The versions of one model.

    All methods are called on one event loop.

    Args:
        name: Of the model.
        find: Gives the folders of the versions there are now, by number.
        load: Loads and warms a version, in a thread.
        newest: How many of the newest are served; None serves all.
        labels: Version numbers by label.
    """

    def __init__(
        self,
        name: str,
        find: Callable[[], Mapping[int, Path]],
        load: Callable[[int, Path], Servable],
        *,
        newest: int | None,
        labels: Mapping[str, int],
    ) -> None:
        self.name = name
        self._find, self._load, self._newest, self._labels = find, load, newest, labels
        self._versions: dict[int, Version] = {}
        self._stopping = False

    async def refresh(self) -> None:
        """Look at the folder once: load what is new, then retire what is not wanted any more."""
        try:
            folders = await asyncio.to_thread(self._find)
        except OSError as error:
            _log.warning("The folder of the versions cannot be read, so those loaded stay: %s", error)
            return
        wanted = sorted(folders, reverse=True)[: self._newest]
        for number in wanted:
            await self._bring(number, folders[number])
        # Where no wanted version can be loaded, the old ones go on: better an old answer than none.
        if not wanted or any(self._is_available(number) for number in wanted):
            for version in [*self._versions.values()]:
                if version.number not in wanted and version.state is State.AVAILABLE:
                    self._retire(version)
        ended = [version for version in self._versions.values() if version.state is State.END]
        for version in ended:
            if version.number not in folders:
                del self._versions[version.number]
        if ended:
            await asyncio.to_thread(gc.collect)  # what TensorFlow loads lies in reference cycles

    async def watch(self, seconds: float) -> None:
        """Look at the folder again and again, with a pause between."""
        while True:
            await asyncio.sleep(seconds)
            await self.refresh()

    def stop(self) -> None:
        """Say of the versions that they are being unloaded; requests that are there still get them."""
        self._stopping = True

    @contextlib.contextmanager
    def lease(self, name: str, number: int | None = None, label: str = "") -> Iterator[Servable]:
        """Yield a version that stays loaded as long as the block runs.

        Args:
            name: Of the model, as the client gave it.
            number: A version; None takes that of the label, or the newest.
            label: A label; empty if there is none.

        Raises:
            RequestError: No such model, version or label is served.
        """
        version, servable = self._choose(name, number, label)
        version.requests += 1
        try:
            yield servable
        finally:
            version.requests -= 1
            self._end_if_idle(version)

    def states(self, name: str, number: int | None = None, label: str = "") -> list[Version]:
        """Return the versions of the model, or the one that is named, the newest first.

        Raises:
            RequestError: There is none.
        """
        self._check_name(name)
        if label:
            number = self._of_label(label)
        found = [v for v in self._versions.values() if number is None or v.number == number]
        if not found:
            what = "any version" if number is None else f"version {number}"
            raise RequestError(Code.NOT_FOUND, f"Could not find {what} of model {name}.")
        shown = sorted(found, key=lambda version: version.number, reverse=True)
        if self._stopping:
            return [Version(v.number, max(v.state, State.UNLOADING, key=_age), v.failure) for v in shown]
        return shown

    def _choose(self, name: str, number: int | None, label: str) -> tuple[Version, Servable]:
        self._check_name(name)
        if number is not None and label:
            raise invalid("Give either a version or a label.")
        if label:
            number = self._of_label(label)
        available = {v.number: v for v in self._versions.values() if v.state is State.AVAILABLE}
        chosen = max(available, default=None) if number is None else number
        version = available.get(chosen) if chosen is not None else None
        if version is None or version.servable is None:
            what = "any version" if number is None else f"version {number}"
            raise RequestError(Code.NOT_FOUND, f"The server does not serve {what} of model {name}.")
        return version, version.servable

    def _check_name(self, name: str) -> None:
        if not name:
            raise invalid("The request names no model.")
        if name != self.name:
            raise RequestError(Code.NOT_FOUND, f"There is no model {name!r}; this server has {self.name!r}.")

    def _of_label(self, label: str) -> int:
        if label not in self._labels:
            raise invalid(
                f"There is no label {label!r}; there is {', '.join(sorted(self._labels)) or 'none'}."
            )
        return self._labels[label]

    def _is_available(self, number: int) -> bool:
        version = self._versions.get(number)
        return version is not None and version.state is State.AVAILABLE

    async def _bring(self, number: int, folder: Path) -> None:
        """Load a version that is not there; one that failed is tried again when its files are others."""
        known = self._versions.get(number)
        if known is not None and known.state is not State.END:
            return
        stamp = await asyncio.to_thread(_stamp, folder)
        if known is not None and known.failure is not None and known.stamp == stamp:
            return
        version = self._versions[number] = Version(number, stamp=stamp)
        try:
            version.servable = await asyncio.to_thread(self._load, number, folder)
        except Exception as error:  # a folder can be wrong in every way; the others go on
            _log.warning("Version %d cannot be loaded: %s: %s", number, type(error).__name__, error)
            version.state = State.END
            told = str(error).replace(str(folder), str(number))  # clients need not know where it lies
            version.failure = RequestError(Code.UNKNOWN, f"{type(error).__name__}: {told}")
        else:
            version.state = State.AVAILABLE
            _log.info("Version %d of %s is being served.", number, self.name)

    def _retire(self, version: Version) -> None:
        version.state = State.UNLOADING
        _log.info("Version %d of %s is being retired.", version.number, self.name)
        self._end_if_idle(version)

    def _end_if_idle(self, version: Version) -> None:
        if version.state is State.UNLOADING and not version.requests:
            version.state, version.servable = State.END, None


def _stamp(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Return what tells files from those that stood there before: name, time and size of each."""
    found = set()
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # files may go while they are counted
            told = path.stat()
            found.add((str(path.relative_to(folder)), told.st_mtime_ns, told.st_size))
    return frozenset(found)


def _age(state: State) -> int:
    return state.value
