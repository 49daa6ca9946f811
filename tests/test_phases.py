"""Tests of tfft/phases.py and of what a change of phase does to weights, slots and rates."""

import keras
import numpy as np
import pytest

from tests.callbacks.toys import counted
from tfft import fit, freezing, learning_rates, phases, plugins
from tfft.errors import SettingError
from tfft.layer_groups import Group
from tfft.learner import Learner
from tfft.learning_rates import Schedule, Segment
from tfft.schedules import Course
from tfft.strategy import ALONE
from tfft.unfreezing import Stage

NAMES = ("embeddings", "block 0", "block 1", "head")


@pytest.fixture
def model():
    return make()


def make():
    """Four dense layers in a row that stand for embeddings, two blocks and the head."""
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input([3])
    for name in NAMES[:-1]:
        x = keras.layers.Dropout(0.2)(keras.layers.Dense(3, "tanh", name=name.replace(" ", "_"))(x))
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(x))


def groups(model):
    return [Group(name, depth, [model.get_layer(name.replace(" ", "_"))]) for depth, name in enumerate(NAMES)]


def plan(groups, stages, rules=(), **changes):
    settings = {
        "steps_per_epoch": 10, "total_steps": 40, "warmup": 0.1, "learning_rate": 0.1,
        "head_learning_rate": None, "layer_decay": 1.0, "rates": [],
    }  # fmt: skip
    base = freezing.decide(groups[:-1], rules)
    return phases.plan(groups, stages, base, **(settings | changes))


def training(phase):
    return {path.split("/")[0] for path, trains in phase.trains.items() if trains}


def test_without_stages_one_phase_and_one_segment(model):
    found, segments = plan(groups(model), [Stage(None)], (("block 0", False),))
    assert [training(phase) for phase in found] == [{"embeddings", "block_1", "head"}]
    assert segments == [Segment(0, 40, 4, 0.1)]


@pytest.mark.parametrize(
    ("length", "start"),
    [
        ("7 steps", 7),
        ("1 step", 1),
        ("1 epoch", 10),
        ("1.5 epochs", 15),
        ("20 %", 8),
        ("12.5%", 5),
        ("0.01 epochs", 1),
    ],
)
def test_lengths(model, length, start):
    found, _ = plan(groups(model), [Stage(length, ["embeddings"]), Stage(None)])
    assert [phase.start for phase in found] == [0, start]


def test_a_run_too_short_for_its_stages(model):
    with pytest.raises(SettingError, match=r"would start at step 40 of 40, .*Raise training\.epochs"):
        plan(groups(model), [Stage("4 epochs", ["embeddings"]), Stage(None)])


def test_a_stage_that_trains_nothing(model):
    with pytest.raises(SettingError, match="must leave something to train from step 1 on"):
        plan(groups(model), [Stage(None, NAMES)])


def test_stages_without_anything_to_thaw(model):
    with pytest.raises(SettingError, match="has nothing to thaw, for freeze leaves nothing of the backbone"):
        plan(groups(model), [Stage("1 epoch", ["block 0"]), Stage(None)], freezing.NAMED["all"])


def test_lp_ft_has_a_schedule_for_the_head_and_one_for_all(model):
    stages = plugins.load("unfreezing", "lp_ft")(NAMES, 0.1, probe="1 epoch", probe_learning_rate=0.5)
    found, segments = plan(groups(model), stages, head_learning_rate=0.2)
    assert [training(phase) for phase in found] == [{"head"}, {"embeddings", "block_0", "block_1", "head"}]
    assert segments == [Segment(0, 10, 1, 0.5), Segment(10, 30, 3, 0.1)]
    # The head probes at 0.5 and is fine-tuned at 0.2: factors on the peak in force.
    assert found[0].multiplier_of["head/kernel"] == 1.0
    assert found[1].multiplier_of["head/kernel"] == 2.0
    assert found[1].multiplier_of["embeddings/kernel"] == 1.0


def test_gradual_thaws_from_the_top(model):
    stages = plugins.load("unfreezing", "gradual")(NAMES, 0.1, every="5 steps")
    found, segments = plan(groups(model), stages, layer_decay=0.5)
    assert [(phase.start, training(phase)) for phase in found] == [
        (0, {"head"}),
        (5, {"head", "block_1"}),
        (10, {"head", "block_1", "block_0"}),
        (15, {"head", "block_1", "block_0", "embeddings"}),
    ]
    assert segments == [Segment(0, 40, 4, 0.1)]  # one schedule runs through
    assert found[-1].multiplier_of["embeddings/kernel"] == 0.125


def test_gradual_by_twos(model):
    stages = plugins.load("unfreezing", "gradual")(NAMES, 0.1, every="5 steps", groups_at_once=2)
    assert [training(phase) for phase in plan(groups(model), stages)[0]] == [
        {"head"}, {"head", "block_1", "block_0"}, {"head", "block_1", "block_0", "embeddings"},
    ]  # fmt: skip


def test_chain_thaw_trains_one_group_at_a_time_then_all(model):
    stages = plugins.load("unfreezing", "chain_thaw")(NAMES, 0.1, each="5 steps")
    assert [training(phase) for phase in plan(groups(model), stages)[0]] == [
        {"head"}, {"embeddings"}, {"block_0"}, {"block_1"}, {"head", "embeddings", "block_0", "block_1"},
    ]  # fmt: skip


def test_what_the_config_freezes_stays_frozen_in_every_stage(model):
    stages = plugins.load("unfreezing", "gradual")(NAMES, 0.1, every="5 steps")
    found, _ = plan(groups(model), stages, (("embeddings", False),))
    assert not any("embeddings" in training(phase) for phase in found)


@pytest.mark.parametrize(
    ("stages", "key", "message"),
    [
        (
            [{"length": "1 epoch"}, {"length": "1 epoch"}],
            "unfreezing.stages.1.length",
            "every stage but the last",
        ),
        ([{}, {}], "unfreezing.stages.0.length", "must be set for every stage but the last"),
        (
            [{"length": "1 epoch", "frozen": ["block 7"]}, {}],
            "unfreezing.stages.0.frozen",
            "They are embeddings,",
        ),
    ],
)
def test_written_stages_that_do_not_fit(stages, key, message):
    from tfft.unfreezing.stages import Written, build

    with pytest.raises(SettingError, match=message) as caught:
        build(NAMES, 0.1, stages=[Written(**stage) for stage in stages])
    assert caught.value.key == key


class Recorder(keras.callbacks.Callback):
    """Keep weights, optimizer state and rate after every step."""

    def on_train_begin(self, logs=None):
        self.weights, self.slots, self.rates = [self._weights()], [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self._weights())
        self.slots.append({v.path: np.array(v) for v in self.model.optimizer.variables})

    def _weights(self):
        return {v.path: np.array(v) for v in self.model.weights}


def train(model, stages, tmp_path, rules=(), weight_decay=0.1):
    """Run 4 epochs of 10 steps; return the recorder and the optimizer."""
    layers = groups(model)
    found, segments = plan(layers, stages, rules)
    ever = {path for phase in found for path, trains in phase.trains.items() if trains}
    schedule = Schedule(segments, Course(lambda progress: 1.0 - progress))
    optimizer = learning_rates.layerwise(keras.optimizers.AdamW)(schedule, weight_decay=weight_decay)
    learner = Learner(model)
    learner.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,
    )
    learner.learn_by(plugins.load("losses", "cross_entropy")([1, 1]), [], None)
    optimizer.build([v for v in learner.weights if v.path in ever])

    def enter(phase):
        freezing.apply(layers, phase.trains)
        optimizer.enter(learner.trainable_variables, phase.multiplier_of)

    rows = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    ids = (rows[:, 0] > 0).astype("int32")
    weights = np.ones((10, 4), "float32")
    data = counted(rows.reshape(10, 4, 3), ids.reshape(10, 4), weights).repeat()
    check = counted(rows.reshape(5, 8, 3), ids.reshape(5, 8))
    recorder = Recorder()
    fit.run(
        learner, lambda epoch, step: data.skip(10 * epoch + step), check, replicas=ALONE, epochs=4,
        steps_per_epoch=10, phases=[(phase.start, lambda phase=phase: enter(phase)) for phase in found],
        monitor="val_loss", mode="min", whole=model, weights=tmp_path / "best.weights.h5",
        history=tmp_path / "history.csv", callbacks=[recorder], saving=None, say=lambda line: None,
    )  # fmt: skip
    return recorder, optimizer


def test_what_is_frozen_does_not_move_by_one_bit_and_what_thaws_does(model, tmp_path):
    stages = plugins.load("unfreezing", "gradual")(NAMES, 0.1, every="5 steps")
    recorder, _ = train(model, stages, tmp_path)
    for name, thaw in (("head", 0), ("block_1", 5), ("block_0", 10), ("embeddings", 15)):
        kernels = [weights[f"{name}/kernel"] for weights in recorder.weights]
        for before in range(thaw):
            assert np.array_equal(kernels[before], kernels[before + 1]), (name, before)
        assert not np.array_equal(kernels[thaw], kernels[thaw + 1]), name


def test_slots_step_count_and_schedule_survive_a_change_of_phase(model, tmp_path):
    stages = plugins.load("unfreezing", "gradual")(NAMES, 0.1, every="5 steps")
    recorder, _ = train(model, stages, tmp_path)
    # One schedule over 40 steps: 4 of warmup, then a line down.
    wanted = [0.1 * ((t + 1) / 4 if t < 4 else 1 - (t - 4) / 36) for t in range(40)]
    np.testing.assert_allclose(recorder.rates, wanted, rtol=1e-5)
    counts = [slots[next(p for p in slots if p.endswith("iteration"))] for slots in recorder.slots]
    assert counts == list(range(1, 41))
    # Both of Adam's running means go on: the gradient that the first one tells explains the second.
    for change in (5, 10, 15):
        (old, new), (old_square, new_square) = (
            [
                next(v for p, v in recorder.slots[t].items() if p.endswith(f"head_kernel_{slot}"))
                for t in (change - 1, change)
            ]
            for slot in ("momentum", "velocity")
        )
        gradient = (new - 0.9 * old) / 0.1
        np.testing.assert_allclose(new_square, 0.999 * old_square + 0.001 * gradient**2, rtol=1e-3)
        assert np.abs(old).min() > 0


def test_a_change_that_changes_nothing_changes_not_one_bit(tmp_path):
    one, _ = train(make(), [Stage(None, ["block 0"])], tmp_path)
    two, _ = train(make(), [Stage("13 steps", ["block 0"]), Stage(None, ["block 0"])], tmp_path)
    assert one.rates == two.rates
    assert all(np.array_equal(one.weights[-1][path], two.weights[-1][path]) for path in one.weights[-1])
    assert not np.array_equal(one.weights[-1]["head/kernel"], one.weights[0]["head/kernel"])


def test_what_thaws_gets_adams_bias_correction_from_its_own_first_step(model, tmp_path):
    # Adam's first step is the rate times the sign of the gradient; with the step count of the run it
    # would be about three times that, for the two running means are not yet of one age.
    recorder, _ = train(model, [Stage("20 steps", ["block 1"]), Stage(None)], tmp_path, weight_decay=0.0)
    moved = recorder.weights[21]["block_1/kernel"] - recorder.weights[20]["block_1/kernel"]
    np.testing.assert_allclose(np.abs(moved), recorder.rates[20], rtol=1e-3)


def test_dropout_of_a_group_comes_back_when_it_thaws(model):
    dropout = keras.layers.Dropout(0.3)
    group = Group("block 0", 1, [model.get_layer("block_0"), dropout])
    paths = [v.path for v in group.variables]
    freezing.apply([group], dict.fromkeys(paths, False))
    assert dropout.rate == 0.0
    freezing.apply([group], dict.fromkeys(paths, True))
    assert dropout.rate == 0.3
    assert all(v.trainable for v in group.variables)
