"""The REST interface, https://www.tensorflow.org/tfx/serving/api_rest, over HTTP/1.1."""

import asyncio
import contextlib
import functools
import json
import logging
import re
import socket
from typing import Any, cast
from urllib.parse import unquote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from google.protobuf.json_format import MessageToDict

from tfft.server import json_calls, json_values, model_info
from tfft.server.requests import Requests, Target
from tfft.server.status import Code, RequestError, invalid

METRICS = "/monitoring/prometheus/metrics"

_log = logging.getLogger("tfft.http")
# A client that does not speak HTTP must not fill the log.
_log.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))

_MODEL = r"(?i:/v1/models/)([^/:]+)(?i:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICTION = re.compile(_MODEL + "(?i::(classify|regress|predict))")
_INFORMATION = re.compile(_MODEL + "(?i:/(metadata))?")
_METHODS = {
    "classify": ("Classify", json_calls.classify),
    "regress": ("Regress", json_calls.regress),
    "predict": ("Predict", json_calls.predict),
}


class Rest:
    """Hears REST requests on a socket.

    Args:
        requests: What answers them.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        limits = requests.limits
        self._server = _BoundedServer(
            self._respond,
            most=limits.connections,
            request_factory=self._request,
            keepalive_timeout=limits.seconds,
            # For the rest of a request that is refused; a client that still sends does not hear otherwise.
            lingering_time=min(limits.seconds, 10.0),
            access_log=None,
            logger=_log,
        )
        self._runner = web.ServerRunner(self._server, shutdown_timeout=1.0)
        self._active = 0
        self._is_stopping = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def start(self, listener: socket.socket) -> None:
        """Take connections."""
        await self._runner.setup()
        await web.SockSite(self._runner, listener, backlog=self._requests.limits.connections).start()

    async def stop(self) -> None:
        """Take no more connections, and wait for the requests that are there."""
        self._is_stopping = True
        for site in self._runner.sites:
            await site.stop()
        await asyncio.sleep(0.1)  # connections that were just taken bring their request
        # The runner's own end would let the rest of a body that is still being sent fall.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._is_idle.wait(), 2 * self._requests.limits.seconds)
        await self._runner.cleanup()

    def _request(self, message, payload, protocol, writer, task) -> web.BaseRequest:
        loop, most = asyncio.get_running_loop(), self._requests.limits.request_bytes
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=most)

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        self._active += 1
        self._is_idle.clear()
        try:
            response = await self._response(request)
        finally:
            self._active -= 1
            if not self._active:
                self._is_idle.set()
        response.headers["Server"] = "tfft"  # without the versions of what it is made of
        if self._is_stopping:
            response.force_close()
        return response

    async def _response(self, request: web.BaseRequest) -> web.Response:
        try:
            return await self._answer(request)
        except RequestError as error:
            return _error(error.code.http, error.message)
        except web.HTTPRequestEntityTooLarge:
            most = self._requests.limits.request_bytes
            return _error(413, f"The request is larger than {most} bytes.", {"Connection": "close"})
        except asyncio.TimeoutError:
            return _error(408, "The request did not arrive in time.", {"Connection": "close"})

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        path = request.rel_url.raw_path
        if path == METRICS:
            if request.method != "GET":
                return _not_allowed(request, "GET")
            return web.Response(text=self._requests.metrics.page())
        if found := _PREDICTION.fullmatch(path):
            if request.method != "POST":
                return _not_allowed(request, "POST")
            name, version, label, method = found.groups()
            return await self._predict(request, _target(name, version, label), method.lower())
        if found := _INFORMATION.fullmatch(path):
            if request.method != "GET":
                return _not_allowed(request, "GET")
            name, version, label, metadata = found.groups()
            target = _target(name, version, label)
            return self._status(target) if metadata is None else self._metadata(target)
        if path.lower().startswith("/v1/"):
            raise invalid(f"Malformed request: {request.method} {path}")
        raise RequestError(Code.NOT_FOUND, f"There is nothing at {path}.")

    async def _predict(self, request: web.BaseRequest, target: Target, method: str) -> web.Response:
        body = await self._body(request)
        name, read = _METHODS[method]

        def calls(known):
            return [read(known, json_values.parse(body, self._requests.limits.depth))]

        _, answers = await self._requests.answer(target, name, "REST", calls)
        return web.Response(text=answers[0], content_type="application/json")

    def _status(self, target: Target) -> web.Response:
        return _json(200, _as_dict(model_info.status(self._requests.versions, target)))

    def _metadata(self, target: Target) -> web.Response:
        told = model_info.metadata(self._requests.versions, target)
        signatures = model_info.SignatureDefMap()
        told.metadata[model_info.SIGNATURES].Unpack(signatures)
        return _json(
            200,
            {
                "model_spec": _as_dict(told.model_spec),
                "metadata": {model_info.SIGNATURES: _as_dict(signatures)},
            },
        )

    async def _body(self, request: web.BaseRequest) -> bytes:
        limits = self._requests.limits
        if (request.content_length or 0) > limits.request_bytes:
            raise web.HTTPRequestEntityTooLarge(limits.request_bytes, request.content_length or 0)
        try:
            if request.headers.get("Expect", "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return await asyncio.wait_for(request.read(), limits.seconds)
        except (web.RequestPayloadError, ConnectionError) as error:
            raise invalid("The body of the request is damaged or incomplete.") from error


class _BoundedServer(web.Server):
    """Turns connections away while there are too many.

    Args:
        handler: Answers a request.
        most: Connections at one time.
        settings: As of `web.Server`.
    """

    def __init__(self, handler, *, most: int, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self._most = most

    def __call__(self):
        return super().__call__() if len(self.connections) < self._most else _Refusal()


class _Refusal(asyncio.Protocol):
    """Says that there are too many connections, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        body = json.dumps({"error": "Too many connections. Try again later."})
        head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
        sending = cast(asyncio.Transport, transport)
        sending.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        with contextlib.suppress(OSError):  # the client may be gone already
            sending.write_eof()
        # Where a request is on its way, hanging up at once would take the answer back.
        asyncio.get_running_loop().call_later(1.0, sending.close)


def _target(name: str, version: str | None, label: str | None) -> Target:
    if version is not None and int(version[:20]) >= 2**63:
        raise invalid(f"There can be no version {version[:20]}.")
    return Target(unquote(name), None if version is None else int(version), unquote(label or ""))


_as_dict = functools.partial(
    MessageToDict, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
)


def _json(status: int, found: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(found, status=status, headers=headers)


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return _json(status, {"error": message}, headers)


def _not_allowed(request: web.BaseRequest, method: str) -> web.Response:
    message = f"Malformed request: {request.method} {request.rel_url.raw_path} takes {method}."
    return _error(405, message, {"Allow": method})
