"""SIGINT and SIGTERM, heard where the work can be put down."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

TERMINATED = 128 + signal.SIGTERM
"""Exit code of a process that was told to end, as a shell has it."""


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], BaseException | None]]:
    """Let both signals wait until the block looks for them; the second one does not wait.

    Yields:
        Gives the exception that the signal stands for, None as long as there was none:
        KeyboardInterrupt, or SystemExit with `TERMINATED`.
    """
    heard: list[BaseException] = []

    def hear(number: int, _: FrameType | None) -> None:
        error = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(TERMINATED)
        if heard:
            raise error
        heard.append(error)

    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other may set handlers
        before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: heard[0] if heard else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def terminable() -> None:
    """Make SIGTERM end the program as an exception, so that what it was writing is cleaned up."""

    def end(*_: object) -> None:
        raise SystemExit(TERMINATED)

    signal.signal(signal.SIGTERM, end)
