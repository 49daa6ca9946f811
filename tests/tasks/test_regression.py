"""Tests of tfft/tasks/regression.py and tfft/numbers.py."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tfft.errors import DataError, SettingError
from tfft.tasks import regression

TASK = regression.build()


def column(*texts):
    return pa.chunked_array([list(texts)], pa.string())


def test_numbers_are_learned_in_standard_deviations_and_answered_in_units_of_the_data():
    numbers = column("1", " 2.5e0 ", "-3", "+.5")
    facts = TASK.collect(numbers)
    values = np.array([1, 2.5, -3, 0.5])
    assert (facts.mean, facts.scale, facts.labels) == (values.mean(), values.std(), ())
    encoded = TASK.encode(numbers, facts, "data.train")
    assert encoded.dtype == np.float32
    np.testing.assert_allclose([encoded.mean(), encoded.std()], [0, 1], atol=1e-6)
    answer = TASK.outputs(facts, None).answer(tf.constant(encoded[:, None]))
    np.testing.assert_allclose(answer["score"], values, rtol=1e-6)


@pytest.mark.parametrize("bad", ["x", "1,5", "nan", "inf", "1e999", "0x1", "1_0"])
def test_what_is_no_number_is_told_with_its_row(bad):
    with pytest.raises(DataError) as caught:
        TASK.encode(column("1", bad, "2"), TASK.collect(column("1", "2")), "data.test")
    assert str(caught.value) == (
        f"data.test: row 2 has {bad!r} where a number is expected (1 such rows). Correct them, or check "
        "data.label_column."
    )


def test_one_number_alone_is_nothing_to_learn():
    with pytest.raises(
        DataError, match=r"data\.train: all rows have the number 2; there is nothing to learn"
    ):
        TASK.collect(column("2", "2.0"))


def test_the_metric_is_in_units_of_the_data_over_all_rows():
    facts = TASK.collect(column("0", "10", "20"))
    (metric,) = TASK.outputs(facts, None).metrics()
    for true, given in (([0.0, 1.0], [[0.5], [1.0]]), ([-1.0], [[1.0]])):
        metric.update_state(np.array(true)[:, None], given)
    assert float(metric.result()) == pytest.approx(facts.scale * np.sqrt((0.25 + 4) / 3), rel=1e-6)


def test_nothing_is_decided():
    with pytest.raises(SettingError, match="threshold: must not be set with a task that decides nothing"):
        TASK.check(None, None, None)


def test_the_report_is_in_units_of_the_data():
    facts = TASK.collect(column("0", "10", "20", "30"))
    true = TASK.encode(column("0", "10", "20", "30"), facts, "x")
    texts = pa.table({"text": ["a", "b", "c", "d"]})
    report = TASK.report((true + np.float32(0.1))[:, None], true, facts, None, texts, "test")
    assert report.figures["rmse"] == pytest.approx(0.1 * facts.scale, rel=1e-5)
    assert report.figures["pearson"] == pytest.approx(1)
    assert report.figures["rmse_of_the_mean"] == pytest.approx(facts.scale)


def test_the_call_regress_is_answered_by_the_score():
    from tfft.tasks import Facts

    outputs = TASK.outputs(Facts(mean=10.0, scale=2.0), None)
    found = outputs.of_examples["regress"](tf.constant([[0.5], [-1.0]]))
    assert {name: value.numpy().tolist() for name, value in found.items()} == {"outputs": [11.0, 8.0]}
