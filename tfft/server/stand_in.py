"""Start the stand-in, and end it without losing a request."""

import asyncio
import contextlib
import functools
import logging
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from tfft.errors import RunError
from tfft.server import folders, warmup
from tfft.server.execution import Execution
from tfft.server.grpc_service import Grpc
from tfft.server.metrics import Metrics
from tfft.server.requests import Requests
from tfft.server.rest import Rest
from tfft.server.servable import Servable
from tfft.server.settings import Settings
from tfft.server.status import RequestError
from tfft.server.versions import State, Versions

_log = logging.getLogger("tfft")


def run(settings: Settings, started: Callable[[int, int], None]) -> None:
    """Serve until SIGINT or SIGTERM; requests that are there then are answered. A second signal ends at once.

    Args:
        settings: What to serve.
        started: Called with the REST and the gRPC port once requests are taken.

    Raises:
        RunError: There is nothing to serve, or an address is taken.
    """

    async def until_signal() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()

        def hear(number: int) -> None:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, hear, number)
        await serve(settings, started, stop)

    asyncio.run(until_signal())


async def serve(settings: Settings, started: Callable[[int, int], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set; arguments and errors as of `run`."""
    model = Versions(
        settings.name,
        functools.partial(folders.find, settings.export),
        functools.partial(_load, most_bytes=settings.limits.request_bytes),
        newest=settings.newest,
        labels=settings.labels,
    )
    async with contextlib.AsyncExitStack() as ending:
        # Bound first, for a model takes long to load, and listened at last: no client waits for it.
        listener = ending.enter_context(_bind(settings.host, settings.rest_port))
        await model.refresh()
        _check(settings, model)
        execution = Execution(settings.limits, settings.batching)
        ending.push_async_callback(execution.close)
        requests = Requests(model, execution, settings.limits, Metrics(settings.name))
        rest, grpc = Rest(requests), Grpc(requests)
        try:
            grpc_port = grpc.bind(f"{_bracketed(settings.host)}:{settings.grpc_port}")
        except RuntimeError as error:
            raise _taken("--grpc-port", settings.host, settings.grpc_port) from error
        ending.push_async_callback(_stop, rest, grpc)
        await grpc.start()
        await rest.start(listener)
        watching = asyncio.create_task(model.watch(settings.poll_seconds))
        stopped = asyncio.create_task(stop.wait())
        ending.callback(watching.cancel)
        ending.callback(stopped.cancel)
        ending.callback(model.stop)
        started(listener.getsockname()[1], grpc_port)
        await asyncio.wait({watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():  # it has no end but a defect
            watching.result()
        _log.info("Stopping: requests that are there are answered, no more are taken.")


def _load(version: int, folder: Path, *, most_bytes: int) -> Servable:
    servable = Servable(version, folder)
    if replayed := warmup.replay(servable, folder, most_bytes):
        _log.info("Version %d is warm: %d requests replayed.", version, replayed)
    return servable


async def _stop(rest: Rest, grpc: Grpc) -> None:
    await asyncio.gather(rest.stop(), grpc.stop())


def _check(settings: Settings, model: Versions) -> None:
    """Refuse to serve nothing."""
    try:
        found = model.states(settings.name)
    except RequestError as error:
        raise RunError(folders.nothing_in(settings.export)) from error
    if not any(version.state is State.AVAILABLE for version in found):
        reason = found[0].failure
        raise RunError(f"{settings.export}: version {found[0].number} cannot be loaded: {reason}")


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _taken("--rest-port", host, port) from error
    return listener


def _taken(option: str, host: str, port: int) -> RunError:
    return RunError(
        f"{host}:{port} cannot be listened at: it is taken, or not of this machine. Choose another with "
        f"{option} or --host."
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
