"""Tests of tfft/strategy.py: where a training runs. How it does: test_replicas.py and test_workers.py."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tfft import strategy
from tfft.errors import LostWorkerError, RunError, SettingError
from tfft.strategy import Replicas

FOUR = ["a:1", "b:1", "c:1", "d:1"]
TWO = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": %s}'


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)


def tell(monkeypatch, cluster, job, number):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": job, "index": number}}))


@pytest.mark.parametrize("name", ["auto", "one_device"])
def test_one_device_is_tensorflows_default(name):
    found = strategy.make(name, lambda line: None)
    assert (found.count, found.workers, found.worker, [*found.local]) == (1, 1, 0, [0])
    assert found.is_chief
    assert found.strategy is tf.distribute.get_strategy()
    assert strategy.place(name) == (0, 1)


def test_mirrored_on_one_cpu_has_one_replica():
    said = []
    assert strategy.make("mirrored", said.append).count == 1
    assert said == ["Strategy mirrored: 1 replicas"]


@pytest.mark.parametrize(
    ("cluster", "job", "number", "wanted"),
    [
        ({"worker": FOUR}, "worker", 0, (0, 4)),
        ({"worker": FOUR}, "worker", 3, (3, 4)),
        ({"chief": ["x:1"], "worker": FOUR}, "chief", 0, (0, 5)),
        ({"chief": ["x:1"], "worker": FOUR}, "worker", 0, (1, 5)),
        ({"worker": ["a:1"]}, "worker", 0, (0, 1)),
        ({}, "worker", 0, (0, 1)),
    ],
)
def test_tf_config_tells_who_is_the_chief(monkeypatch, cluster, job, number, wanted):
    tell(monkeypatch, cluster, job, number)
    assert strategy.place("auto") == wanted
    assert strategy.place("multi_worker") == wanted
    assert strategy.place("one_device") == (0, 1)


def test_an_operator_may_tell_more(monkeypatch):
    told = {"cluster": {"worker": FOUR}, "task": {"type": "worker", "index": 1}, "environment": "cloud"}
    monkeypatch.setenv("TF_CONFIG", json.dumps(told))
    assert strategy.place("auto") == (1, 4)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "must be JSON"),
        ("[]", "must be a JSON object"),
        ('{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}}', "must list the addresses of its cluster"),
        ('{"cluster": {"worker": "a:1"}}', "must list the addresses of its cluster"),
        ('{"cluster": ["a:1"]}', "must list the addresses of its cluster"),
        (TWO % "null", "must name a task of its cluster"),
        (TWO % '{"type": "worker", "index": 2}', "must name a task of its cluster"),
        (TWO % '{"type": "chief", "index": 0}', "must name a task of its cluster"),
        (TWO % '{"type": "worker", "index": "0"}', "must name a task of its cluster"),
    ],
)  # fmt: skip
def test_what_tf_config_has_wrong_is_told(monkeypatch, text, problem):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(SettingError, match=f"TF_CONFIG: {problem}"):
        strategy.make("auto", lambda line: None)


def test_several_workers_must_be_told_of():
    with pytest.raises(SettingError, match="strategy: needs to be told of the workers"):
        strategy.make("multi_worker", lambda line: None)


def test_without_a_tpu_there_is_none():
    with pytest.raises(SettingError, match=r"strategy: needs a TPU \("):
        strategy.make("tpu", lambda line: None)


def slurm(monkeypatch, nodes, node, local, number, tasks):
    """Tell what srun tells a task: Slurm counts tasks in the order of its list of nodes."""
    each = tasks // len(nodes.split(","))
    told = {
        "PROCID": number,
        "STEP_NUM_TASKS": tasks,
        "STEP_NODELIST": nodes,
        "STEP_TASKS_PER_NODE": f"{each}(x9)",
        "LOCALID": local,
    }
    for name, value in told.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    monkeypatch.setenv("SLURMD_NODENAME", node)


def test_each_task_of_slurm_has_the_place_of_its_own_address(monkeypatch):
    # As text n10 comes before n8, and Slurm counts them the other way around.
    found = {}
    for number, node in enumerate(["n8", "n9", "n10"]):
        for local in (0, 1):
            slurm(monkeypatch, "n8,n9,n10", node, local, 2 * number + local, 6)
            cluster = strategy._cluster({**strategy.os.environ})
            addresses = [cluster.cluster_spec().task_address("worker", n) for n in range(6)]
            assert addresses[cluster.task_id] == f"{node}:{8888 + local}"
            assert cluster.num_accelerators() == {"GPU": 0}
            found[strategy.place("auto")] = (node, local)
    assert sorted(found) == [(number, 6) for number in range(6)]


def test_a_task_that_slurm_does_not_tell_of_is_refused(monkeypatch):
    slurm(monkeypatch, "n1,n2", "n3", 0, 0, 2)
    with pytest.raises(SettingError, match="must be one of the tasks that Slurm tells of, n1:8888, n2:8888"):
        strategy.place("auto")


class Two(Replicas):
    """The second of two workers, of which the chief sends what it is given."""

    def _gather(self, values):
        chiefs = self.chief.pop(0)
        return np.stack([np.asarray(chiefs, np.float32), values])


def second(*chief):
    made = Two(tf.distribute.get_strategy(), workers=2, worker=1)
    object.__setattr__(made, "chief", list(chief))
    return made


def test_workers_agree_on_the_largest_of_each():
    assert second([0, 2, 1]).agree([1, 0, 0]) == [1, 2, 1]
    assert strategy.ALONE.agree([3, 0]) == [3, 0]


def test_workers_are_told_the_chiefs_text():
    text = "/a/rún 🤖"
    sent = list(text.encode())
    assert second([len(sent)], sent).told("") == text
    assert strategy.ALONE.told(text) == text
    assert second([0]).told("mine") == ""  # and nothing is gathered, of which TensorFlow dies


def test_what_differs_between_workers_is_refused():
    sent = list(b"one")
    second([3], sent, [0]).check_same("the data", "one")
    with pytest.raises(
        RunError, match="The data must be the same for all workers, and this worker has another"
    ):
        second([3], sent, [0]).check_same("the data", "two")
    with pytest.raises(RunError, match="and another worker has not this one"):
        second([3], sent, [1]).check_same("the data", "one")


def test_a_worker_that_is_gone_is_told_of():
    gone = tf.errors.UnavailableError(None, None, "Connection reset by peer")
    with pytest.raises(LostWorkerError, match="Another worker is gone"), second().noticing_loss():
        raise gone
    assert LostWorkerError.exit_code == 143
    with pytest.raises(tf.errors.UnavailableError), strategy.ALONE.noticing_loss():
        raise gone
    with pytest.raises(tf.errors.InvalidArgumentError), second().noticing_loss():
        raise tf.errors.InvalidArgumentError(None, None, "a defect of its own")
