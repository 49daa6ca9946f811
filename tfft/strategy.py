"""Where the training runs: on one device, on all of a machine's, or in several processes.

All of it is data-parallel and synchronous: each replica holds the whole model and takes its part of
every batch; gradients are summed over all of them, and all make the same step.

A worker is a process of the cluster, with as many replicas as it has devices. Worker 0 is the chief,
which alone writes. What one of them alone can know, such as a signal or the time, must become known to
all before any acts on it, or the others would wait for ever for what it no longer does.
"""

import contextlib
import functools
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfft.errors import LostWorkerError, RunError, SettingError

_KEY = "strategy"
_SLURM_PORT = 8888  # the first; each job has others, for two may share a node
# A peer that is gone shows as one of these, in whatever the process does with the others next.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


@dataclass(frozen=True)
class Replicas:
    """All copies of the model that train together, and those of this process.

    Attributes:
        strategy: That of TensorFlow; its default one for one device.
        workers: Processes that train together.
        worker: Number of this one, from 0.
    """

    strategy: tf.distribute.Strategy
    workers: int
    worker: int

    @property
    def count(self) -> int:
        """Replicas of all workers."""
        return self.strategy.num_replicas_in_sync

    @property
    def local(self) -> range:
        """Numbers of this worker's replicas, from 0 over all workers."""
        each = self.count // self.workers
        return range(self.worker * each, (self.worker + 1) * each)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes."""
        return self.worker == 0

    def distribute(self, parts: tf.data.Dataset) -> Any:
        """Give each replica of this worker the next part in turn.

        Args:
            parts: One element for each of the worker's replicas, in their order, again and again.

        Returns:
            What is iterated over.
        """
        if self.count == 1:
            return parts
        return self.strategy.distribute_datasets_from_function(lambda _: parts)

    def agree(self, numbers: Sequence[int]) -> list[int]:
        """Return the largest of what the workers have at each place, small integers; all must ask."""
        if self.workers == 1:
            return [*numbers]
        return self._gather(np.asarray(numbers, np.float32)).max(axis=0).astype(int).tolist()

    def meet(self) -> None:
        """Wait until all workers are here, for however long; signals are heard meanwhile."""
        if self.workers > 1:
            _waiting(lambda: self.agree([0]))

    def told(self, text: str) -> str:
        """Return the chief's text; all must ask."""
        if self.workers == 1:
            return text
        # Byte by byte, which float32, in which workers tell each other all they do, holds exactly.
        own = np.frombuffer(text.encode(), np.uint8)
        length = self.agree([len(own) if self.is_chief else 0])[0]
        if not length:  # TensorFlow crashes where nothing is gathered
            return ""
        sent = np.zeros(length, np.float32)
        if self.is_chief:
            sent[:] = own
        return self._gather(sent)[0].astype(np.uint8).tobytes().decode()

    def check_same(self, what: str, text: str) -> None:
        """Make sure that all workers have the same; all must ask.

        Args:
            what: Names it, for the error, as in `the config`.
            text: Some kilobytes at most; a hash of anything long.

        Raises:
            RunError: Some worker has another than the chief.
        """
        unlike = int(self.told(text) != text)
        if self.agree([unlike])[0]:
            who = "this worker has another" if unlike else "another worker has not this one"
            raise RunError(
                f"{what[0].upper()}{what[1:]} must be the same for all workers, and {who}. Give each of them "
                "the same files, the same config and the same versions."
            )

    def reader(self, variables: Sequence[Any]) -> Callable[[], list[np.ndarray]]:
        """Return what reads variables that each replica has for itself, `[replicas, …]`; all must ask."""
        if self.count == 1:
            return lambda: [np.asarray(variable)[np.newaxis] for variable in variables]

        def own() -> list[tf.Tensor]:
            replica = tf.distribute.get_replica_context()
            return [replica.all_gather(tf.convert_to_tensor(v)[tf.newaxis], axis=0) for v in variables]

        read = self._on_each(own)
        return lambda: [self.strategy.experimental_local_results(found)[0].numpy() for found in read()]

    def assign(self, variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
        """Give each replica its own again, as a `reader` returned it."""

        def own() -> None:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            for variable, value in zip(variables, values, strict=True):
                variable.assign(tf.gather(tf.constant(value), replica))

        self._on_each(own)()

    def part_random_states(self, states: Sequence[Any]) -> None:
        """Let each replica draw its own random numbers, for all begin with the same state.

        Args:
            states: Those of Keras's seed generators, int64 `[2]`: a seed and a count.
        """
        if self.count == 1:
            return

        def own() -> None:
            replica = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int64)
            for state in states:
                # Counts of a run stay far below the distance of two replicas.
                state.assign(state + tf.stack([tf.zeros_like(replica), replica * 2**40]))

        self._on_each(own)()

    @contextlib.contextmanager
    def noticing_loss(self) -> Iterator[None]:
        """Tell of a lost worker as of that.

        Raises:
            LostWorkerError: Another worker is gone.
        """
        try:
            yield
        except tf.errors.OpError as error:
            if self.workers == 1 or not (isinstance(error, _LOST) or "ops is aborted" in error.message):
                raise
            raise _lost(error) from error

    def _on_each(self, own: Callable[[], Any]) -> Callable[[], Any]:
        """Return what calls it once in each replica, in a graph: several replicas are slow without."""
        return tf.function(lambda: self.strategy.run(own), autograph=False)

    def _gather(self, values: np.ndarray) -> np.ndarray:
        """Return the values of all workers, float32 `[workers, N]`, from `[N]` of each."""
        found = self.strategy.experimental_local_results(self._gathering(tf.constant(values)))[0].numpy()
        return found[:: self.count // self.workers]

    @functools.cached_property
    def _gathering(self) -> Callable[[tf.Tensor], Any]:
        def own(values: tf.Tensor) -> tf.Tensor:
            return tf.distribute.get_replica_context().all_gather(values[tf.newaxis], axis=0)

        return tf.function(
            lambda values: self.strategy.run(own, (values,)),
            input_signature=[tf.TensorSpec([None], tf.float32)],
            autograph=False,
        )


def _lost(error: tf.errors.OpError) -> LostWorkerError:
    reason = error.message.strip().splitlines()[-1] if error.message.strip() else type(error).__name__
    return LostWorkerError(
        f"Another worker is gone, and without it this one cannot go on ({reason}). What was saved is there: "
        "start all workers again with tfft train --resume."
    )


ALONE = Replicas(tf.distribute.get_strategy(), workers=1, worker=0)
"""One device and one process."""


def make(name: str, say: Callable[[str], None]) -> Replicas:
    """Return where the training runs; with several workers, once all of them are there.

    To be called before anything is computed, for a cluster must be set up first.

    Args:
        name: `auto` for several workers where `TF_CONFIG` or Slurm names them, else all GPUs, else one
            device; or `one_device`, `mirrored`, `multi_worker`, `tpu`.
        say: Called with a line of text.

    Raises:
        SettingError: The surroundings are not those that the strategy needs.
    """
    cluster = _cluster(os.environ) if name in ("auto", "multi_worker") else None
    if name == "auto":
        several_gpus = len(tf.config.list_physical_devices("GPU")) > 1
        name = "multi_worker" if cluster else "mirrored" if several_gpus else "one_device"
    if name == "multi_worker":
        return _multi_worker(cluster, say)
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        strategy: Any = tf.distribute.MirroredStrategy([device.name for device in devices])
        say(f"Strategy mirrored: {strategy.num_replicas_in_sync} replicas")
        return Replicas(strategy, workers=1, worker=0)
    if name == "tpu":
        return Replicas(_tpu(), workers=1, worker=0)
    return ALONE


def place(name: str) -> tuple[int, int]:
    """Return the number of this worker, from 0 for the chief, and how many there are; nothing is set up.

    Args:
        name: As for `make`.
    """
    cluster = _cluster(os.environ) if name in ("auto", "multi_worker") else None
    if cluster is None:
        return 0, 1
    tasks = _tasks(cluster)
    return tasks.index((cluster.task_type, cluster.task_id)), len(tasks)


def _tasks(cluster: Any) -> list[tuple[str, int]]:
    """Return the tasks of a cluster as TensorFlow counts them, the chief first."""
    spec = cluster.cluster_spec()
    return [(job, n) for job in ("chief", "worker") if job in spec.jobs for n in range(spec.num_tasks(job))]


def _multi_worker(cluster: tf.distribute.cluster_resolver.ClusterResolver | None, say: Any) -> Replicas:
    if cluster is None:
        raise SettingError(
            _KEY,
            "multi_worker",
            "needs to be told of the workers, by TF_CONFIG or by Slurm's srun",
            fix="Start it by tfft launch, srun or an operator that sets TF_CONFIG, or take another strategy.",
        )
    tasks = _tasks(cluster)
    worker = tasks.index((cluster.task_type, cluster.task_id))
    addresses = [cluster.cluster_spec().task_address(*task) for task in tasks]
    say(f"Worker {worker + 1} of {len(tasks)}; waiting for the others: {', '.join(addresses)}")
    try:
        strategy = _waiting(lambda: tf.distribute.MultiWorkerMirroredStrategy(cluster))
    except tf.errors.OpError as error:
        raise _lost(error) from error
    say(f"Strategy multi_worker: {strategy.num_replicas_in_sync} replicas in {len(tasks)} workers")
    return Replicas(strategy, workers=len(tasks), worker=worker)


def _waiting(build: Callable[[], Any]) -> Any:
    """Build it in a thread, for a signal is not heard while TensorFlow waits for the others."""
    found: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(build())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
    if failed:
        raise failed[0]
    return found[0]


def _cluster(environment: Mapping[str, str]) -> tf.distribute.cluster_resolver.ClusterResolver | None:
    """Return the cluster that the environment tells of, None where it tells of none."""
    if environment.get("TF_CONFIG"):
        return _of_tf_config(environment["TF_CONFIG"])
    if int(environment.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        return _of_slurm(environment)
    return None


def _of_tf_config(text: str) -> tf.distribute.cluster_resolver.ClusterResolver | None:
    def wrong(problem: str) -> SettingError:
        return SettingError(
            "TF_CONFIG",
            text,
            problem,
            fix='It looks like {"cluster": {"worker": ["a:2222", "b:2222"]}, '
            '"task": {"type": "worker", "index": 0}}.',
        )

    try:
        told = json.loads(text)
    except json.JSONDecodeError as error:
        raise wrong(f"must be JSON ({error})") from None
    if not isinstance(told, dict):
        raise wrong("must be a JSON object")
    cluster = told.get("cluster") or {}
    if not cluster:
        return None
    is_lists = isinstance(cluster, dict) and all(
        isinstance(found, list) and all(isinstance(address, str) for address in found)
        for found in cluster.values()
    )
    if not is_lists or not set(cluster) <= {"chief", "worker"}:
        raise wrong("must list the addresses of its cluster under worker, and that of a chief under chief")
    task = told.get("task")
    job, number = (task.get("type"), task.get("index")) if isinstance(task, dict) else (None, None)
    if not isinstance(number, int) or not 0 <= number < len(cluster.get(job, ())):
        raise wrong("must name a task of its cluster")
    if sum(map(len, cluster.values())) == 1:
        return None  # nobody to train with
    return tf.distribute.cluster_resolver.TFConfigClusterResolver()


def _of_slurm(environment: Mapping[str, str]) -> tf.distribute.cluster_resolver.ClusterResolver:
    # TensorFlow's resolver sorts the nodes by name as text, and counts tasks as Slurm does, in another
    # order; so a task finds itself by its address. And it knows no machine without GPUs, but for ones that
    # it is told to have as many as tasks.
    tasks = int(environment["SLURM_STEP_NUM_TASKS"])
    port = _SLURM_PORT + int(environment.get("SLURM_JOB_ID", "0")) % 10_000
    spec = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=port, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
    ).cluster_spec()
    own = f"{environment['SLURMD_NODENAME']}:{port + int(environment['SLURM_LOCALID'])}"
    addresses = [spec.task_address("worker", number) for number in range(spec.num_tasks("worker"))]
    if own not in addresses:
        raise SettingError(
            _KEY,
            own,
            f"must be one of the tasks that Slurm tells of, {', '.join(addresses)}",
            fix="Start tfft train with srun, each node with the same number of tasks.",
        )
    gpus = len(tf.config.list_physical_devices("GPU"))
    nodes = {address.rpartition(":")[0] for address in addresses}
    if gpus and tasks > len(nodes) and "SLURM_GPUS_PER_TASK" not in environment:
        raise SettingError(
            _KEY,
            f"{tasks} tasks",
            "must not share the GPUs of a node",
            fix="Ask for one task a node, which drives all of its GPUs, or set --gpus-per-task.",
        )
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec,
        task_type="worker",
        task_id=addresses.index(own),
        num_accelerators={"GPU": gpus},
        rpc_layer="grpc",
    )


def _tpu() -> tf.distribute.Strategy:
    try:
        cluster = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
    except (ValueError, tf.errors.OpError) as error:
        raise SettingError(
            _KEY, "tpu", f"needs a TPU ({error})", fix="Run it where there is one, or take another strategy."
        ) from error
    return tf.distribute.TPUStrategy(cluster)
