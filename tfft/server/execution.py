"""Run calls on a bounded number of threads, alone or joined with others along dimension 0."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from tfft.server import signatures
from tfft.server.servable import Servable
from tfft.server.settings import Batching, Limits
from tfft.server.status import Code, RequestError

Arrays = Mapping[str, np.ndarray]


@dataclass
class _Joined:
    """One call in a batch, and who waits for it."""

    inputs: Arrays
    rows: int
    outputs: "asyncio.Future[Arrays]"


@dataclass
class _Batch:
    """Calls of one signature whose rows are alike."""

    servable: Servable
    signature: str
    calls: list[_Joined] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None

    @property
    def rows(self) -> int:
        return sum(call.rows for call in self.calls)


class Execution:
    """Runs calls.

    Calls are joined only where every input and output of the signature leaves
    dimension 0 free, and all other dimensions are equal. A batch that fails is run
    again call by call, so that none suffers from another's values.

    Args:
        limits: `threads` and `queue` of them.
        batching: None runs each call alone.
    """

    def __init__(self, limits: Limits, batching: Batching | None) -> None:
        self._batching = batching
        self._threads = ThreadPoolExecutor(limits.threads, "serve-model")
        self._places = threading.BoundedSemaphore(limits.queue)
        self._open: dict[tuple, _Batch] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, servable: Servable, signature: str, inputs: Arrays) -> Arrays:
        """Return the outputs of a signature for checked inputs.

        Raises:
            RequestError: The graph refuses the values, or too many calls wait.
        """
        rows = _rows(inputs)
        if (
            self._batching is None
            or not 0 < rows < self._batching.rows
            or not signatures.can_be_joined(servable.signatures[signature])
        ):
            return await self._run(servable, signature, inputs)
        shapes = tuple(sorted((name, array.shape[1:]) for name, array in inputs.items()))
        key = (servable, signature, shapes)
        batch = self._open.get(key)
        if batch is not None and batch.rows + rows > self._batching.rows:
            self._close(key)
            batch = None
        if batch is None:
            batch = self._open[key] = _Batch(servable, signature)
            loop = asyncio.get_running_loop()
            batch.timer = loop.call_later(self._batching.seconds, self._close, key)
        call = _Joined(inputs, rows, asyncio.get_running_loop().create_future())
        batch.calls.append(call)
        if batch.rows == self._batching.rows:
            self._close(key)
        return await call.outputs

    async def close(self) -> None:
        """Let what runs come to its end, and give the threads back."""
        for key in [*self._open]:
            self._close(key)
        await asyncio.gather(*self._running)
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _close(self, key: tuple) -> None:
        """Take no more calls into a batch, and run it."""
        batch = self._open.pop(key)
        if batch.timer is not None:
            batch.timer.cancel()
        # Those whose clients are gone ask for nothing any more.
        batch.calls = [call for call in batch.calls if not call.outputs.done()]
        if batch.calls:
            task = asyncio.get_running_loop().create_task(self._answer(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _answer(self, batch: _Batch) -> None:
        joined = {
            name: np.concatenate([call.inputs[name] for call in batch.calls])
            for name in batch.calls[0].inputs
        }
        try:
            outputs = await self._run(batch.servable, batch.signature, joined)
            parts = _split(outputs, [call.rows for call in batch.calls])
        except RequestError as error:
            if error.code is Code.UNAVAILABLE:
                for call in batch.calls:
                    _settle(call, error)
                return
            parts = None
        if parts is not None:
            for call, part in zip(batch.calls, parts, strict=True):
                _settle(call, part)
            return
        await asyncio.gather(*(self._answer_alone(batch, call) for call in batch.calls))

    async def _answer_alone(self, batch: _Batch, call: _Joined) -> None:
        try:
            _settle(call, await self._run(batch.servable, batch.signature, call.inputs))
        except RequestError as error:
            _settle(call, error)

    async def _run(self, servable: Servable, signature: str, inputs: Arrays) -> Arrays:
        if not self._places.acquire(blocking=False):
            raise RequestError(Code.UNAVAILABLE, "Too many calls wait for the model. Try again later.")
        work: Future[Arrays] = self._threads.submit(servable.run, signature, inputs)
        # A call whose client is gone keeps its place until its thread is done with it.
        work.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(work)


def _rows(inputs: Arrays) -> int:
    """Return the size of dimension 0 if all inputs have the same, else 0."""
    sizes = {array.shape[0] if array.ndim else 0 for array in inputs.values()}
    return sizes.pop() if len(sizes) == 1 else 0


def _split(outputs: Arrays, rows: Sequence[int]) -> list[Arrays] | None:
    """Return each call's share; None where an output does not have a row for each row of the inputs."""
    if _rows(outputs) != sum(rows):
        return None
    ends = np.cumsum(rows)
    return [
        {name: array[end - size : end] for name, array in outputs.items()}
        for size, end in zip(rows, ends, strict=True)
    ]


def _settle(call: _Joined, result: Arrays | RequestError) -> None:
    if call.outputs.done():  # its client is gone
        return
    if isinstance(result, RequestError):
        call.outputs.set_exception(result)
    else:
        call.outputs.set_result(result)
