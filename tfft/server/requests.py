"""What every request goes through, from wherever it comes: a version, the calls, the time, the count."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tfft.server.calls import Call
from tfft.server.execution import Execution
from tfft.server.metrics import Metrics
from tfft.server.settings import Limits
from tfft.server.status import Code, RequestError
from tfft.server.versions import Versions

Answer = TypeVar("Answer")

Reading = Callable[[Mapping[str, SignatureDef]], Sequence[Call[Answer]]]
"""Makes calls of a request, given the signatures of a version."""

_log = logging.getLogger("tfft")


@dataclass(frozen=True)
class Target:
    """Whom a request is for.

    Attributes:
        name: Of the model.
        version: Its number; None takes that of the label, or the newest.
        label: Of a version; empty if there is none.
    """

    name: str
    version: int | None = None
    label: str = ""


class Requests:
    """Answers requests.

    Attributes:
        versions: Of the model.
        limits: Bounds on requests.
        metrics: Where they are counted.
    """

    def __init__(self, versions: Versions, execution: Execution, limits: Limits, metrics: Metrics) -> None:
        self.versions, self.limits, self.metrics = versions, limits, metrics
        self._execution = execution

    async def answer(
        self,
        target: Target,
        method: str,
        entrypoint: str,
        read: Reading[Answer],
    ) -> tuple[int, list[Answer]]:
        """Return the version that answered, and its answers.

        Args:
            target: Whom the request is for.
            method: Its name, for the count.
            entrypoint: `REST` or `GRPC`, for the count.
            read: Makes calls of the request.

        Raises:
            RequestError: It cannot be answered.
        """
        started, code = time.perf_counter(), Code.OK
        try:
            return await self._in_time(target, read)
        except RequestError as error:
            code = error.code
            raise
        except asyncio.CancelledError:
            code = Code.CANCELLED
            raise
        finally:
            if target.name == self.versions.name:  # names that clients make up must not fill the memory
                self.metrics.record(method, entrypoint, code, time.perf_counter() - started)

    async def _in_time(self, target: Target, read: Reading[Answer]) -> tuple[int, list[Answer]]:
        try:
            return await asyncio.wait_for(self._answer(target, read), self.limits.seconds)
        except asyncio.TimeoutError as error:
            message = f"The request took longer than {self.limits.seconds:g} seconds."
            raise RequestError(Code.DEADLINE_EXCEEDED, message) from error
        except RequestError:
            raise
        except Exception as error:  # a defect costs one answer, not the server; the log has it whole
            _log.exception("A request failed.")
            raise RequestError(Code.INTERNAL, "The server failed; its log tells why.") from error

    async def _answer(self, target: Target, read: Reading[Answer]) -> tuple[int, list[Answer]]:
        with self.versions.lease(target.name, target.version, target.label) as servable:
            # Large requests are read and written beside the event loop, which hears the others.
            calls = await asyncio.to_thread(read, servable.signatures)
            outputs = await asyncio.gather(
                *(self._execution.run(servable, call.signature, call.inputs) for call in calls)
            )
            answers = await asyncio.to_thread(
                lambda: [call.answer(found) for call, found in zip(calls, outputs, strict=True)]
            )
            return servable.version, answers
