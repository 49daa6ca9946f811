"""Tests of tfft/cache.py."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from tfft import cache
from tfft.errors import DataError, SettingError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TFFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TFFT_CACHE_GB", raising=False)
    return tmp_path / "cache"


def writer(content, calls=None):
    def write(folder):
        (folder / "a.bin").write_bytes(content)
        if calls is not None:
            calls.append(content)

    return write


def test_an_entry_is_written_once(folder):
    calls = []
    for _ in range(2):
        place = cache.entry("tokens", "k", writer(b"12345", calls))
    assert place == folder / "tokens" / "k"
    assert (place / "a.bin").read_bytes() == b"12345"
    assert calls == [b"12345"]
    assert json.loads((place / "sizes.json").read_text()) == {"a.bin": 5}


@pytest.mark.parametrize("damage", ["cut", "lost", "unlisted"])
def test_a_damaged_entry_is_written_again(damage):
    place = cache.entry("tokens", "k", writer(b"12345"))
    if damage == "cut":
        (place / "a.bin").write_bytes(b"123")
    else:
        (place / ("a.bin" if damage == "lost" else "sizes.json")).unlink()
    assert cache.entry("tokens", "k", writer(b"12345")) == place
    assert (place / "a.bin").read_bytes() == b"12345"


def test_what_fails_or_is_cut_off_leaves_nothing_under_the_name(folder):
    def broken(place):
        (place / "a.bin").write_bytes(b"1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("tokens", "k", broken)
    assert list((folder / "tokens").iterdir()) == []


def test_another_writer_was_first(folder):
    def late(place):
        cache.entry("tokens", "k", writer(b"12345"))
        writer(b"12345")(place)

    assert (cache.entry("tokens", "k", late) / "a.bin").read_bytes() == b"12345"
    assert [path.name for path in (folder / "tokens").iterdir()] == ["k"]


def _race(barrier, content):
    barrier.wait()
    cache.entry("tokens", "k", writer(content))


def test_processes_that_write_at_once_keep_one_whole_entry(folder):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    writers = [context.Process(target=_race, args=(barrier, b"x" * 100_000)) for _ in range(4)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert [process.exitcode for process in writers] == [0] * 4
    assert [path.name for path in (folder / "tokens").iterdir()] == ["k"]
    assert (folder / "tokens" / "k" / "a.bin").read_bytes() == b"x" * 100_000


def test_the_longest_unused_goes_when_room_is_short(folder, monkeypatch):
    for number, key in enumerate(("a", "b", "c")):
        place = cache.entry("tokens", key, writer(b"x" * 1000))
        os.utime(place, (number, number))
    cache.entry("tokens", "a", writer(b""))  # used again
    monkeypatch.setenv("TFFT_CACHE_GB", "3.2e-6")  # of three entries, each with its list of sizes
    cache.entry("tokens", "d", writer(b"x" * 1000))
    assert sorted(path.name for path in (folder / "tokens").iterdir()) == ["a", "c", "d"]


def test_the_entry_that_is_asked_for_stays_however_large(folder, monkeypatch):
    monkeypatch.setenv("TFFT_CACHE_GB", "0")
    assert (cache.entry("tokens", "k", writer(b"x" * 1000)) / "a.bin").stat().st_size == 1000


def test_what_was_begun_long_ago_is_cleared_away(folder):
    old, young = (folder / "tokens" / f".writing-{name}" for name in ("old", "young"))
    for place in (old, young):
        place.mkdir(parents=True)
    os.utime(old, (0, 0))
    cache.entry("tokens", "k", writer(b"1"))
    assert sorted(path.name for path in (folder / "tokens").iterdir()) == [".writing-young", "k"]


def test_a_limit_that_is_no_number_is_told(monkeypatch):
    monkeypatch.setenv("TFFT_CACHE_GB", "much")
    with pytest.raises(
        SettingError, match=r"TFFT_CACHE_GB: must be a number of gigabytes, got 'much'\. Unset it\."
    ):
        cache.entry("tokens", "k", writer(b"1"))


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TFFT_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"The cache .*file cannot be written: .* set TFFT_CACHE to a folder"):
        cache.entry("tokens", "k", writer(b"1"))


def test_the_cache_has_a_default(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("TFFT_CACHE", raising=False)
    assert cache.folder() == Path("/home/someone/.cache/tfft")
    monkeypatch.setenv("TFFT_CACHE", "")
    assert cache.folder() == Path("/home/someone/.cache/tfft")
    monkeypatch.setenv("TFFT_CACHE", "~/elsewhere")
    assert cache.folder() == Path("/home/someone/elsewhere")
