"""Tests of tfft/saves.py."""

import os
import random
import shutil
import threading

import numpy as np
import pytest

from tfft import saves
from tfft.errors import RunError
from tfft.saves import Save

ARRAYS = {
    "weights": np.arange(6, dtype="float32").reshape(2, 3),
    "active": np.array([True, False]),
    "seed": np.array([1, 2**32 - 1], "uint32"),
    "steps": np.array(2**40, "int64"),
    "transposed": np.arange(6, dtype="float32").reshape(2, 3).T,
    "none": np.zeros([0, 2], "float32"),
}
STATE = {"epoch": 1, "value": 0.1, "best": None, "name": "Ünï"}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def kept(folder):
    said = []
    return saves.newest(folder, said.append), said


def test_what_is_written_is_read_again_bit_by_bit(tmp_path):
    folder = tmp_path / "saves"
    saves.write(folder, 7, Save(STATE, ARRAYS), keep=2)
    found, said = kept(folder)
    assert said == []
    assert found.state == STATE
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert (found.arrays[name].dtype, found.arrays[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found.arrays[name], array)


def test_no_save_is_none(tmp_path):
    assert kept(tmp_path / "none") == (None, [])
    (tmp_path / ".writing").write_bytes(b"half")
    assert kept(tmp_path) == (None, [])


def test_the_newest_are_kept_by_their_step(tmp_path):
    for step in (8, 9, 10, 100):
        saves.write(tmp_path, step, Save({"step": step}, ARRAYS), keep=2)
    assert [name[:15] for name in names(tmp_path)] == ["step-0000000010", "step-0000000100"]
    assert kept(tmp_path)[0].state == {"step": 100}


def test_a_save_of_an_earlier_step_is_followed_by_no_later_one(tmp_path):
    # As after a resume from the save before a damaged one.
    for step in (10, 20):
        saves.write(tmp_path, step, Save({"step": step}, ARRAYS), keep=2)
    saves.write(tmp_path, 15, Save({"step": 15}, ARRAYS), keep=2)
    assert [name[:15] for name in names(tmp_path)] == ["step-0000000010", "step-0000000015"]


def test_a_step_that_is_saved_again_has_one_save(tmp_path):
    for value in (1, 2):
        saves.write(tmp_path, 10, Save({"value": value}, ARRAYS), keep=3)
    assert len(names(tmp_path)) == 1
    assert kept(tmp_path)[0].state == {"value": 2}


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_save_is_told_and_the_one_before_is_taken(tmp_path, seed):
    first = saves.write(tmp_path, 1, Save({"step": 1}, ARRAYS), keep=2)
    second = saves.write(tmp_path, 2, Save({"step": 2}, ARRAYS), keep=2)
    dice = random.Random(seed)
    content = bytearray(second.read_bytes())
    if seed % 2:
        del content[dice.randrange(len(content)) :]
    else:
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    second.write_bytes(content)
    found, said = kept(tmp_path)
    assert found.state == {"step": 1}
    assert said == [f"{second} is damaged (its bytes are not those that were written), and passed over"]
    first.write_bytes(b"")
    assert kept(tmp_path)[0] is None


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    saves.write(tmp_path, 1, Save(STATE, ARRAYS), keep=1)
    before = names(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        saves.write(tmp_path, 2, Save(STATE, ARRAYS), keep=1)
    assert names(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_an_error_of_the_system(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"file"):
        saves.write(tmp_path / "file", 1, Save(STATE, ARRAYS), keep=1)


def test_what_another_machine_wrote_is_waited_for(tmp_path):
    written = saves.write(tmp_path / "saves", 3, saves.Save({"epoch": 1}, {"a": np.ones(2)}), keep=1)
    found = saves.awaited(written, 0)
    assert (found.state, found.name) == ({"epoch": 1}, written.name)
    late = tmp_path / "late" / written.name
    late.parent.mkdir()
    threading.Timer(0.2, lambda: shutil.copyfile(written, late)).start()
    np.testing.assert_array_equal(saves.awaited(late, 60).arrays["a"], [1, 1])
    with pytest.raises(RunError, match="must be on a file system that all workers share"):
        saves.awaited(tmp_path / written.name, 0)
