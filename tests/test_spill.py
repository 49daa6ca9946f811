"""Tests of tfft/spill.py."""

import gc

import numpy as np
import pyarrow as pa
import pytest

from tfft import spill

SCHEMA = pa.schema({"text": pa.string(), "labels": pa.list_(pa.string())})


def batch(*rows):
    return pa.RecordBatch.from_pylist([{"text": text, "labels": labels} for text, labels in rows], SCHEMA)


def test_a_table_holds_all_rows_of_all_batches(tmp_path):
    made = spill.table(
        SCHEMA, iter([batch(("é", ["a"]), ("", [])), batch(("b", ["x", "y"]))]), tmp_path / "n"
    )
    gc.collect()
    assert made.to_pylist() == [
        {"text": "é", "labels": ["a"]}, {"text": "", "labels": []}, {"text": "b", "labels": ["x", "y"]},
    ]  # fmt: skip
    assert list((tmp_path / "n").iterdir()) == []


def test_a_table_is_not_in_memory(tmp_path):
    before = pa.total_allocated_bytes()
    made = spill.table(SCHEMA, (batch(("x" * 100_000, [])) for _ in range(100)), tmp_path)
    assert made.num_rows == 100
    assert made.nbytes >= 10_000_000
    assert pa.total_allocated_bytes() - before < 1_000_000


def test_what_fails_leaves_no_file(tmp_path):
    def broken():
        yield batch(("a", []))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        spill.table(SCHEMA, broken(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_batches_give_an_empty_table(tmp_path):
    assert spill.table(SCHEMA, [], tmp_path).num_rows == 0


@pytest.mark.parametrize("shape", [(3, 2), (0, 2), (5,)])
def test_an_array_is_zero_and_can_be_written(tmp_path, shape):
    made = spill.array(shape, np.dtype("float32"), tmp_path / "n")
    assert (made.shape, made.dtype, made.sum()) == (shape, np.float32, 0)
    made[...] = 1
    gc.collect()
    assert made.sum() == np.prod(shape)
    assert not (tmp_path / "n").exists() or list((tmp_path / "n").iterdir()) == []
