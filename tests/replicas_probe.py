"""Trains on two logical devices and on one, in a process of its own, and tells what came of it.

    python -m tests.replicas_probe PRESET FOLDER

The number of devices is settled when TensorFlow starts, so the process of the tests has one only. What it
prints last is JSON: a result for each of the tests in test_replicas.py.
"""

import contextlib
import json
import sys
from pathlib import Path

import tensorflow as tf

[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras  # noqa: E402
import numpy as np  # noqa: E402

from tests import test_learner  # noqa: E402
from tests.callbacks.toys import OUTPUTS  # noqa: E402
from tests.conftest import ragged_of  # noqa: E402
from tfft import dataset, fit, strategy  # noqa: E402
from tfft.learner import Learner  # noqa: E402
from tfft.learning_rates import layerwise  # noqa: E402
from tfft.losses import cross_entropy  # noqa: E402
from tfft.steps import Steps  # noqa: E402

# The last batch has one row, and so the second replica none of its own.
PLAN = [np.array(rows) for rows in ([0, 3, 1, 6], [2, 5], [4])]
VARIANTS = {
    "plain": {},
    "regularized micro-batches": {
        "micro": 1,
        "regularizers": [("l2_sp", {"alpha": 1.0, "beta": 0.5}), ("l1", {}), ("mixout", {})],
    },
    "compiled": {"compiles": True},
    "mixed_float16": {"precision": "mixed_float16"},
}


def steps_on(replicas, preset, **settings):
    """Take two epochs of steps, and validate; return weights, metrics of training and of validation."""
    with replicas.strategy.scope():
        learner = test_learner.make(preset, **settings)
    take = dataset.of_tokens(
        [ragged_of(test_learner.ROWS)], test_learner.pack, test_learner.LABELS, test_learner.WEIGHTS
    )
    parts = dataset.Parts(replicas.count, replicas.local)
    with replicas.strategy.scope(), keras.StatelessScope():
        inputs, labels, *_ = test_learner.batch()
        learner.compute_metrics(inputs, labels, learner(inputs))
    steps = Steps(learner, replicas.strategy)
    batches = dataset.pad_to_multiple(dataset.endless(take, lambda epoch: PLAN, parts), 8, 32)  # for XLA
    batches = iter(replicas.distribute(batches))
    for _ in range(2):
        learner.reset_metrics()
        for _ in PLAN:
            trained = steps.train(batches)
    learner.reset_metrics()
    held_out = dataset.of_tokens([ragged_of(test_learner.ROWS)], test_learner.pack, test_learner.LABELS)
    batches = iter(replicas.distribute(dataset.counted(held_out, PLAN, parts)))
    for _ in PLAN:
        measured = steps.test(batches)
    logs = [{name: float(value) for name, value in found.items()} for found in (trained, measured)]
    return [variable.numpy() for variable in learner.weights], *logs


def compare(alone, together, preset, settings):
    """Return the largest difference of weights and of metrics, and how far the weights went."""
    one, two = (steps_on(replicas, preset, **settings) for replicas in (alone, together))
    start = test_learner.make(preset).get_weights()
    return {
        "weights": max(float(np.abs(a - b).max()) for a, b in zip(one[0], two[0], strict=True)),
        "moved": max(float(np.abs(a - b).max()) for a, b in zip(start, one[0], strict=True)),
        "metrics": max(abs(one[n][name] - two[n][name]) for n in (1, 2) for name in one[n]),
    }


def overflow(replicas, preset):
    """Return what a step leaves whose scaled loss is too large for one of the replicas only."""
    with replicas.strategy.scope():
        learner = test_learner.make(preset, precision="mixed_float16")
    before = [variable.numpy() for variable in learner.weights]
    learner.optimizer.dynamic_scale.assign(1e38)
    take = dataset.of_tokens(
        [ragged_of(test_learner.ROWS)], test_learner.pack, test_learner.LABELS, test_learner.WEIGHTS
    )
    batches = dataset.endless(take, lambda epoch: [np.array([0])], dataset.Parts(2, (0, 1)))
    Steps(learner, replicas.strategy).train(iter(replicas.distribute(batches)))
    return {
        "moved": max(
            float(np.abs(v.numpy() - b).max()) for v, b in zip(learner.weights, before, strict=True)
        ),
        "scales": [
            float(value.numpy())
            for value in replicas.strategy.experimental_local_results(learner.optimizer.dynamic_scale.value)
        ],
        "steps": int(learner.optimizer.iterations.numpy()),
    }


class Cut(BaseException):
    """Stands in for the end of the process."""


class CutAt(keras.callbacks.Callback):
    """End the training after so many steps."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise Cut


def fit_on(replicas, folder, cut_at=None):
    """Train a layer behind dropout, or go on; return weights, states of generators and history."""
    keras.utils.set_random_seed(0)
    with replicas.strategy.scope():
        inputs = keras.Input([40])
        dropped = keras.layers.Dropout(0.5, seed=3)(inputs)
        learner = Learner(keras.Model(inputs, keras.layers.Dense(2)(dropped)))
        learner.learn_by(cross_entropy.build([1, 1]), [], None)
        learner.compile(
            layerwise(keras.optimizers.Adam)(0.05), OUTPUTS.loss, metrics=OUTPUTS.metrics(), jit_compile=False
        )
        learner.optimizer.build(learner.weights)
    rows = np.random.default_rng(0).normal(size=(22, 40)).astype("float32")
    ids = (rows[:, 0] > 0).astype("int32")
    parts = dataset.Parts(replicas.count, replicas.local)
    take = dataset.of_features(rows, ids, np.ones(22, "float32"))
    plan = dataset.in_order(np.zeros(22), batch_size=5)[0]
    rates = {v.path: 1.0 for v in learner.weights}
    folder.mkdir(exist_ok=True)
    fit.run(
        learner,
        lambda epoch, step: dataset.endless(take, lambda _: plan, parts, epoch, step),
        dataset.counted(dataset.of_features(rows, ids), plan, parts),
        replicas=replicas,
        epochs=2,
        steps_per_epoch=len(plan),
        phases=[(0, lambda: learner.optimizer.enter(learner.trainable_variables, rates))],
        monitor="val_loss",
        mode="min",
        whole=learner,
        weights=folder / "best.weights.h5",
        history=folder / "history.csv",
        callbacks=[] if cut_at is None else [CutAt(cut_at)],
        saving=fit.Saving(folder / "saves", steps=3, minutes=None, keep=2),
        say=lambda line: None,
    )
    history = (folder / "history.csv").read_text().splitlines()
    seconds = history[0].split(",").index("seconds")
    return (
        [v.numpy().tolist() for v in learner.weights],
        replicas.reader([v for v in learner.variables if "seed" in v.path])()[0].tolist(),
        [[value for at, value in enumerate(line.split(",")) if at != seconds] for line in history],
    )


def resumed(replicas, folder):
    """Return whether a training that is cut off in mid-epoch ends as one that is not, and the generators."""
    whole = fit_on(replicas, folder / "whole")
    try:
        fit_on(replicas, folder / "cut", cut_at=8)
    except Cut:
        again = fit_on(replicas, folder / "cut")
    return {"alike": again == whole, "states": whole[1]}


def other_number(together, folder):
    """Return what a resume on another number of replicas says."""
    with contextlib.suppress(Cut):
        fit_on(together, folder / "other", cut_at=4)
    try:
        fit_on(strategy.ALONE, folder / "other")
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def by_keras(replicas):
    """Return what Keras's own `fit` says to a boolean input."""
    with replicas.strategy.scope():
        inputs = {"x": keras.Input([3]), "mask": keras.Input([3], dtype="bool")}
        hidden = inputs["x"] * keras.ops.cast(inputs["mask"], "float32")
        model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
        model.compile("sgd", "mse")
    data = {"x": np.ones((4, 3), "float32"), "mask": np.ones((4, 3), bool)}
    try:
        model.fit(data, np.ones((4, 1)), batch_size=4, verbose=0)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def main():
    """Try everything."""
    preset, folder = map(Path, sys.argv[1:])
    together = strategy.make("mirrored", lambda line: None)
    results = {
        name: compare(strategy.ALONE, together, preset, settings) for name, settings in VARIANTS.items()
    }
    results["overflow"] = overflow(together, preset)
    results["resumed"] = resumed(together, folder)
    results["other number"] = other_number(together, folder)
    results["by Keras"] = by_keras(together)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
