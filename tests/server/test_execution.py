"""Tests of tfft/server/execution.py, on a model whose calls are counted."""

import asyncio
import threading

import numpy as np
import pytest
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tfft.server.execution import Execution
from tfft.server.settings import Batching, Limits
from tfft.server.status import Code, invalid

WAIT = Batching(rows=4, seconds=0.2)


class Doubling:
    """Doubles `x`; keeps the sizes of the calls."""

    def __init__(self, *, inputs=(-1,), outputs=(-1,)):
        signature = SignatureDef()
        for name, shape, side in (("x", inputs, signature.inputs), ("y", outputs, signature.outputs)):
            side[name].SetInParent()
            for size in shape:
                side[name].tensor_shape.dim.add(size=size)
        self.signatures = {"s": signature}
        self.calls = []

    def run(self, signature, inputs):
        self.calls.append(len(inputs["x"]))
        if 13 in inputs["x"]:
            raise invalid("unlucky")
        return {"y": inputs["x"] * 2}


def asked(model, *columns, batching=WAIT, limits=None):
    """Return what comes of concurrent calls, errors too."""

    async def story():
        execution = Execution(limits or Limits(), batching)
        calls = [execution.run(model, "s", {"x": np.array(column)}) for column in columns]
        found = await asyncio.gather(*calls, return_exceptions=True)
        await execution.close()
        return found

    return [f if isinstance(f, BaseException) else f["y"].tolist() for f in asyncio.run(story())]


def test_calls_are_joined_and_each_gets_its_own_rows():
    model = Doubling()
    assert asked(model, [1], [2, 3], [4]) == [[2], [4, 6], [8]]
    assert model.calls == [4]


def test_without_batching_each_call_runs_alone():
    model = Doubling()
    assert asked(model, [1], [2, 3], batching=None) == [[2], [4, 6]]
    assert sorted(model.calls) == [1, 2]


def test_a_batch_that_is_not_full_runs_when_its_time_is_over():
    model = Doubling()
    assert asked(model, [1], [2], batching=Batching(rows=100, seconds=0.05)) == [[2], [4]]
    assert model.calls == [2]


def test_no_batch_has_more_rows_than_it_may():
    model = Doubling()
    assert asked(model, [1, 2, 3], [4, 5], [6, 7]) == [[2, 4, 6], [8, 10], [12, 14]]
    assert sorted(model.calls) == [3, 4]
    assert asked(model, [1] * 9) == [[2] * 9]  # one that is larger by itself runs whole
    assert model.calls[-1] == 9


def test_calls_of_other_shapes_are_not_joined():
    model = Doubling(inputs=(-1, -1), outputs=(-1, -1))
    assert asked(model, [[1, 2]], [[3]], [[4]]) == [[[2, 4]], [[6]], [[8]]]
    assert sorted(model.calls) == [1, 2]


@pytest.mark.parametrize("shapes", [{"inputs": (2,)}, {"outputs": (2,)}, {"outputs": ()}])
def test_signatures_whose_rows_are_not_free_are_not_joined(shapes):
    model = Doubling(**shapes)
    assert asked(model, [1, 2], [3, 4]) == [[2, 4], [6, 8]]
    assert model.calls == [2, 2]


def test_one_call_that_fails_does_not_take_the_others_along():
    model = Doubling()
    first, failed, last = asked(model, [1], [13], [2, 3])
    assert (first, last) == ([2], [4, 6])
    assert str(failed) == "unlucky"
    assert model.calls[0] == 4
    assert sorted(model.calls[1:]) == [1, 1, 2]


def test_outputs_without_a_row_for_each_row_are_not_cut():
    class Sum(Doubling):
        def run(self, signature, inputs):
            self.calls.append(len(inputs["x"]))
            return {"y": np.array([inputs["x"].sum()])}

    model = Sum()
    assert asked(model, [1, 2], [3, 4]) == [[3], [7]]
    assert model.calls == [4, 2, 2]


def test_no_more_calls_run_or_wait_than_may():
    ran, is_free = [], threading.Event()

    class Held(Doubling):
        def run(self, signature, inputs):
            ran.append(threading.current_thread())
            assert is_free.wait(60)
            return super().run(signature, inputs)

    async def story():
        execution, model = Execution(Limits(threads=2, queue=3), None), Held()
        calls = [asyncio.create_task(execution.run(model, "s", {"x": np.array([n])})) for n in range(5)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        refused = [call for call in calls if call.done()]
        assert [call.exception().code for call in refused] == [Code.UNAVAILABLE] * 2
        is_free.set()
        done = await asyncio.gather(*(call for call in calls if call not in refused))
        # The places are free again.
        done.append(await execution.run(model, "s", {"x": np.array([9])}))
        await execution.close()
        return [found["y"].tolist() for found in done]

    assert asyncio.run(story()) == [[0], [2], [4], [18]]
    assert len({*ran}) <= 2


def test_a_full_queue_refuses_a_whole_batch():
    is_free = threading.Event()

    class Held(Doubling):
        def run(self, signature, inputs):
            assert is_free.wait(60)
            return super().run(signature, inputs)

    async def story():
        execution = Execution(Limits(threads=1, queue=1), Batching(rows=3, seconds=0.01))
        columns = [[1, 2, 3], [4], [5]]  # one that is a batch of its own, and two that are joined
        first, *others = (
            asyncio.create_task(execution.run(model, "s", {"x": np.array(column)})) for column in columns
        )
        refused = await asyncio.gather(*others, return_exceptions=True)
        assert [error.code for error in refused] == [Code.UNAVAILABLE] * 2
        is_free.set()
        answered = await first
        await execution.close()
        return answered["y"].tolist()

    model = Held()
    assert asyncio.run(story()) == [2, 4, 6]
    assert model.calls == [3]


def test_a_call_whose_client_is_gone_is_left_out():
    model = Doubling()

    async def story():
        execution = Execution(Limits(), WAIT)
        stays, goes = (asyncio.create_task(execution.run(model, "s", {"x": np.array([n])})) for n in (1, 2))
        await asyncio.sleep(0)
        goes.cancel()
        found = await stays
        await execution.close()
        return found["y"].tolist()

    assert asyncio.run(story()) == [2]
    assert model.calls == [1]
