"""Tests of tfft/server/versions.py and folders.py, with versions that are loaded by hand."""

import asyncio
import threading

import pytest

from tfft.server import folders
from tfft.server.status import Code, RequestError
from tfft.server.versions import State, Versions


class Loaded:
    """Stands for what is loaded."""

    def __init__(self, number):
        self.version = number


@pytest.fixture
def base(tmp_path):
    """A folder in which `add` and `remove` make versions come and go."""
    return tmp_path


def add(base, number, content="whole"):
    (base / str(number)).mkdir(exist_ok=True)
    (base / str(number) / "saved_model.pb").write_text(content)


def remove(base, number):
    (base / str(number) / "saved_model.pb").unlink()
    (base / str(number)).rmdir()


def load(number, folder):
    if (content := (folder / "saved_model.pb").read_text()) != "whole":
        raise ValueError(f"{folder} is {content}")
    return Loaded(number)


def versions(base, *, newest=1, labels=(), load=load):
    return Versions("m", lambda: folders.find(base), load, newest=newest, labels=dict(labels))


def states(found):
    return {version.number: version.state.name for version in found.states("m")}


def test_the_newest_is_served_and_the_one_before_retired(base):
    async def story():
        found = versions(base)
        add(base, 1)
        await found.refresh()
        assert states(found) == {1: "AVAILABLE"}
        add(base, 10)
        add(base, 9)
        await found.refresh()
        assert states(found) == {10: "AVAILABLE", 1: "END"}
        with found.lease("m") as servable:
            assert servable.version == 10
        remove(base, 10)
        await found.refresh()
        assert states(found) == {9: "AVAILABLE", 1: "END"}

    asyncio.run(story())


@pytest.mark.parametrize(("newest", "expected"), [(1, [7]), (2, [7, 5]), (None, [7, 5, 3])])
def test_how_many_are_served(base, newest, expected):
    async def story():
        found = versions(base, newest=newest)
        for number in (3, 5, 7):
            add(base, number)
        await found.refresh()
        assert [v.number for v in found.states("m") if v.state is State.AVAILABLE] == expected

    asyncio.run(story())


def test_the_old_one_answers_until_the_new_one_is_loaded(base):
    """The load of version 2 waits for a request on version 1."""
    asked = threading.Event()

    def slow(number, folder):
        if number == 2:
            assert asked.wait(60)
        return load(number, folder)

    async def story():
        found = versions(base, load=slow)
        add(base, 1)
        await found.refresh()
        add(base, 2)
        refreshing = asyncio.create_task(found.refresh())
        while states(found) != {2: "LOADING", 1: "AVAILABLE"}:
            await asyncio.sleep(0)
        with found.lease("m") as servable:
            assert servable.version == 1
            asked.set()
            await refreshing
            # The request that is there keeps it; a new one gets the new version.
            assert states(found) == {2: "AVAILABLE", 1: "UNLOADING"}
            with found.lease("m") as other:
                assert other.version == 2
            with pytest.raises(RequestError, match="does not serve version 1"), found.lease("m", 1):
                pass
        assert states(found) == {2: "AVAILABLE", 1: "END"}

    asyncio.run(story())


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_and_is_tried_again_when_it_changes(base):
    loads = []

    def counted(number, folder):
        loads.append(number)
        return load(number, folder)

    async def story():
        found = versions(base, load=counted)
        add(base, 1)
        await found.refresh()
        add(base, 2, "half")
        for _ in range(3):
            await found.refresh()
        assert loads == [1, 2]
        assert states(found) == {2: "END", 1: "AVAILABLE"}
        failure = found.states("m", 2)[0].failure
        assert (failure.code, failure.message) == (Code.UNKNOWN, "ValueError: 2 is half")
        add(base, 2, "whole")
        await found.refresh()
        assert loads == [1, 2, 2]
        assert states(found) == {2: "AVAILABLE", 1: "END"}

    asyncio.run(story())


def test_a_folder_without_versions_is_served_no_more_and_one_that_cannot_be_read_stays(base):
    async def story():
        found = versions(base)
        add(base, 1)
        await found.refresh()
        aside = base.with_name("aside")
        base.rename(aside)
        await found.refresh()
        assert states(found) == {1: "AVAILABLE"}
        aside.rename(base)
        remove(base, 1)
        await found.refresh()
        with pytest.raises(RequestError) as caught:
            found.states("m")
        assert caught.value.code is Code.NOT_FOUND
        add(base, 1)
        await found.refresh()
        assert states(found) == {1: "AVAILABLE"}

    asyncio.run(story())


def test_labels(base):
    async def story():
        found = versions(base, newest=None, labels={"stable": 1, "canary": 3})
        add(base, 1)
        add(base, 2)
        await found.refresh()
        with found.lease("m", label="stable") as servable:
            assert servable.version == 1
        for wrong, code in (("canary", Code.NOT_FOUND), ("beta", Code.INVALID_ARGUMENT)):
            with pytest.raises(RequestError) as caught, found.lease("m", label=wrong):
                pass
            assert caught.value.code is code
        with pytest.raises(RequestError, match="either a version or a label"):
            found.lease("m", 1, "stable").__enter__()
        add(base, 3)
        await found.refresh()
        with found.lease("m", label="canary") as servable:
            assert servable.version == 3

    asyncio.run(story())


def test_when_it_stops_it_is_not_ready_but_still_answers(base):
    async def story():
        found = versions(base)
        add(base, 1)
        await found.refresh()
        found.stop()
        assert states(found) == {1: "UNLOADING"}
        with found.lease("m") as servable:
            assert servable.version == 1

    asyncio.run(story())


def test_what_is_a_version(tmp_path):
    for name in ("1", "02", "writing-3", "4", "v5", "٦", "99999999999999999999"):
        (tmp_path / name).mkdir()
        if name != "4":  # still being copied
            (tmp_path / name / "saved_model.pb").touch()
    assert {n: path.name for n, path in folders.find(tmp_path).items()} == {1: "1", 2: "02"}
    assert folders.single(tmp_path) is None
    assert folders.find(tmp_path / "02") == {2: tmp_path / "02"}
    assert folders.find(tmp_path / "v5") == {1: tmp_path / "v5"}
