"""Tests of tfft/learning_rates.py; the optimizers' arithmetic is tested in tests/optimizers."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfft import learning_rates, plugins
from tfft.errors import SettingError
from tfft.layer_groups import Group
from tfft.learning_rates import Schedule, Segment
from tfft.schedules import cosine, linear, slanted_triangular


def variable(path, shape=(1,)):
    values = np.random.default_rng(0).normal(size=shape)
    made = keras.Variable(values, dtype="float32", name=path.rsplit("/", 1)[-1])
    made._path = path
    return made


# The schedule


def rates(schedule, number):
    return np.array(schedule(np.arange(number)))


def test_warmup_then_linear_by_hand():
    # Peak 1, 2 steps of warmup, 6 in all: 1/2, 1, then progress 0, 1/4, 2/4, 3/4.
    schedule = Schedule([Segment(0, 6, 2, 1.0)], linear.build())
    np.testing.assert_allclose(rates(schedule, 7), [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0], rtol=1e-6)
    assert float(schedule(3)) == 0.75


def test_a_step_past_the_end_stays_at_the_end():
    schedule = Schedule([Segment(0, 4, 0, 1.0)], linear.build(end=0.5))
    np.testing.assert_allclose(rates(schedule, 8)[4:], 0.5)


def test_no_warmup_starts_at_the_peak():
    schedule = Schedule([Segment(0, 10, 0, 3e-5)], cosine.build())
    assert float(schedule(0)) == pytest.approx(3e-5)


def test_the_course_has_its_own_rise():
    # Ratio 5: from a fifth up, a half and all of the way.
    schedule = Schedule([Segment(0, 6, 2, 1.0)], slanted_triangular.build(ratio=5.0))
    np.testing.assert_allclose(rates(schedule, 6), [0.6, 1.0, 1.0, 0.8, 0.6, 0.4], rtol=1e-6)


def test_each_segment_starts_anew_at_its_own_peak():
    # 2 steps, then 4 at a tenth of the peak with a warmup, then 2.
    segments = [Segment(0, 2, 0, 1.0), Segment(2, 4, 2, 0.1), Segment(6, 2, 0, 0.5)]
    schedule = Schedule(segments, linear.build())
    np.testing.assert_allclose(
        rates(schedule, 9), [1.0, 0.5, 0.05, 0.1, 0.1, 0.05, 0.5, 0.25, 0.0], rtol=1e-6
    )


def test_the_rate_of_a_step_in_a_graph():
    schedule = Schedule([Segment(0, 2, 0, 1.0), Segment(2, 4, 2, 0.1)], linear.build())
    traced = tf.function(schedule)
    for step in range(6):
        found = traced(tf.constant(step, "int64"))
        assert found.dtype == "float32"
        assert found.shape == ()
        assert float(found) == pytest.approx(float(schedule(step)))


def constant_64(p):
    return 1.0


def straight_64(p):
    return p


def restarts_64(p):
    # A seventh, two and four of them; 0.8 of the height each time, above 0.1.
    cycle, start, length = next(c for c in ((2, 3, 4), (1, 1, 2), (0, 0, 1)) if 7 * p >= c[1] - 1e-9)
    return 0.1 + 0.9 * 0.8**cycle * (1 + np.cos(np.pi * (7 * p - start) / length)) / 2


# Every schedule with settings that show, and its fall and rise in float64.
COURSES = {
    "constant": ({}, constant_64, straight_64),
    "cosine": ({"end": 0.1}, lambda p: 0.1 + 0.9 * (1 + np.cos(np.pi * p)) / 2, straight_64),
    "cosine_restarts": ({"growth": 2.0, "restart_factor": 0.8, "end": 0.1}, restarts_64, straight_64),
    "inverse_sqrt": ({"timescale": 0.2}, lambda p: (0.2 / (0.2 + p)) ** 0.5, straight_64),
    "linear": ({"end": 0.1}, lambda p: 1 - 0.9 * p, straight_64),
    "one_cycle": (
        {"start_divisor": 4.0, "end_divisor": 20.0},
        lambda p: 0.05 + 0.95 * (1 + np.cos(np.pi * p)) / 2,
        lambda p: 0.25 + 0.75 * (1 - np.cos(np.pi * p)) / 2,
    ),
    "polynomial": ({"power": 1.5, "end": 0.1}, lambda p: 0.1 + 0.9 * (1 - p) ** 1.5, straight_64),
    "slanted_triangular": ({"ratio": 8.0}, lambda p: (8 - 7 * p) / 8, lambda p: (1 + 7 * p) / 8),
    "step": (
        {"milestones": [0.3, 0.6], "factor": 0.2},
        lambda p: 0.2 ** ((p > 0.3 - 1e-9) + (p > 0.6 - 1e-9)),
        straight_64,
    ),
}


@st.composite
def segments_of_a_run(draw):
    found, start = [], 0
    for _ in range(draw(st.integers(1, 3))):
        steps = draw(st.integers(1, 60))
        warmup = draw(st.integers(0, steps - 1))
        found.append(Segment(start, steps, warmup, draw(st.sampled_from([5e-5, 0.01, 3.0]))))
        start += steps
    return found


def test_every_schedule_is_written_anew():
    assert sorted(COURSES) == plugins.names("schedules")


@pytest.mark.parametrize("name", COURSES)
@settings(max_examples=30, deadline=None)
@given(segments=segments_of_a_run())
def test_every_rate_is_as_in_float64_and_above_zero_and_at_most_the_peak(name, segments):
    own, fall, rise = COURSES[name]
    schedule = Schedule(segments, plugins.load("schedules", name)(**own))
    found = rates(schedule, segments[-1].start + segments[-1].steps)
    for segment in segments:
        part = found[segment.start : segment.start + segment.steps]
        wanted = [
            rise((t + 1) / segment.warmup)
            if t < segment.warmup
            else fall((t - segment.warmup) / (segment.steps - segment.warmup))
            for t in range(segment.steps)
        ]
        np.testing.assert_allclose(part, segment.peak * np.array(wanted), rtol=2e-5)
        assert (part > 0).all()
        assert (part <= segment.peak * (1 + 1e-6)).all()
        assert (np.diff(part[: segment.warmup]) > 0).all()


@pytest.mark.parametrize("name", COURSES)
@settings(max_examples=30, deadline=None)
@given(warmup=st.integers(0, 20), rest=st.integers(1, 80))
def test_the_defaults_too_never_leave_a_step_without_a_rate(name, warmup, rest):
    schedule = Schedule([Segment(0, warmup + rest, warmup, 0.01)], plugins.load("schedules", name)())
    found = rates(schedule, warmup + rest)
    assert (found > 0).all()
    assert (found <= 0.01 * (1 + 1e-6)).all()


# Multipliers


class Layer(keras.layers.Layer):
    """A layer that holds the given variables."""

    def __init__(self, *variables):
        super().__init__()
        self.held = variables

    @property
    def weights(self):
        return list(self.held)


def model(*extra):
    """Return embeddings, two blocks, pooler and head, each with a kernel and a bias."""
    depths = {"embeddings": 0, "block 0": 1, "block 1": 2, "pooler": 3, "head": 3}
    return [
        Group(name, depth, [Layer(variable(f"{name}/kernel", (2, 2)), variable(f"{name}/bias"), *extra)])
        for name, depth in depths.items()
    ]


def factors(groups=None, **changes):
    usual = {"learning_rate": 0.1, "head_learning_rate": None, "layer_decay": 1.0, "rules": ()}
    groups = groups or model()
    usual["ever"] = {v.path for group in groups for v in group.variables}
    return learning_rates.multipliers(groups, **usual | changes)


def of_kernels(found):
    return {path.removesuffix("/kernel"): factor for path, factor in found.items() if path.endswith("kernel")}


def test_without_settings_all_learn_at_one_rate():
    found = factors()
    assert len(found) == 10
    assert set(found.values()) == {1.0}


def test_the_factor_falls_with_each_layer_below_the_head():
    # By hand for decay 1/2 and two blocks: head and pooler 1, blocks 1/2 and 1/4, embeddings 1/8.
    assert of_kernels(factors(layer_decay=0.5)) == {
        "embeddings": 0.125, "block 0": 0.25, "block 1": 0.5, "pooler": 1.0, "head": 1.0,
    }  # fmt: skip


def test_the_head_may_have_a_rate_of_its_own():
    found = of_kernels(factors(layer_decay=0.5, head_learning_rate=2.0))
    assert found["head"] == pytest.approx(20)
    assert (found["pooler"], found["block 1"]) == (1.0, 0.5)


def test_a_rule_takes_neither_decay_nor_the_heads_rate():
    found = factors(
        layer_decay=0.5,
        head_learning_rate=2.0,
        rules=[("name:block 1/bias", 0.4), ("blocks 0-1", 0.2), ("name:head*", 0.3)],
    )
    assert found == pytest.approx(
        {
            **{"embeddings/kernel": 0.125, "embeddings/bias": 0.125, "pooler/kernel": 1, "pooler/bias": 1},
            **{"block 0/kernel": 2, "block 0/bias": 2, "block 1/kernel": 2, "block 1/bias": 4},
            **{"head/kernel": 3, "head/bias": 3},
        }
    )


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            [("blocks 0-1", 0.2), ("block 1", 0.3)],
            "optimizer.rates.1.layers: must decide something, but a rule before it decides all that it "
            "matches, got 'block 1'. Move it up, or remove it.",
        ),
        (
            [("name:*gamma", 0.2)],
            "optimizer.rates.0.layers: must match at least one layer, got 'name:*gamma'. "
            "There are embeddings, block 0, block 1, pooler, head.",
        ),
        (
            [("pooler", 0.2), ("block 2", 0.2)],
            "optimizer.rates.1.layers: must name blocks that the model has, got 'block 2'. "
            "It has blocks 0-1.",
        ),
        (
            [("encoder", 0.2)],
            "optimizer.rates.0.layers: must be embeddings, block N, blocks N-M, pooler, head or "
            "name:PATTERN, got 'encoder'. This model has embeddings, block 0, block 1, pooler, head.",
        ),
    ],
)
def test_a_rule_that_decides_nothing_is_an_error(rules, message):
    with pytest.raises(SettingError) as caught:
        factors(rules=rules)
    assert str(caught.value) == message


def test_a_rule_for_what_never_trains_is_an_error():
    with pytest.raises(SettingError, match=r"rates\.0\.layers: must decide something"):
        factors(rules=[("embeddings", 0.2)], ever={"head/kernel"})


def test_two_variables_of_one_path_are_refused():
    with pytest.raises(ValueError, match="two variables have the path shared"):
        factors(model(variable("shared")))


# Decay


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [("kernel", (2, 2), True), ("embeddings", (9, 2), True), ("kernel", (4, 2, 2), True),
     ("gamma", (2,), False), ("bias", (2,), False), ("bias", (4, 8), False)],
)  # fmt: skip
def test_biases_do_not_decay_even_in_two_dimensions(name, shape, expected):
    assert learning_rates.decays(variable(name, shape)) is expected


def test_every_variable_of_a_backbone_decays_or_not_as_bert_has_it(tiny_preset):
    from tfft import backbone

    model, _ = backbone.load(tiny_preset, dropout=None)
    decaying = {v.path for v in model.weights if learning_rates.decays(v)}
    assert decaying == {v.path for v in model.weights if v.path.endswith(("kernel", "embeddings"))}
    assert len(decaying) == 3 + 2 * 6 + 1  # embeddings, two blocks, pooler


# The optimizer


def layerwise(*variables, rate=0.1):
    optimizer = learning_rates.layerwise(keras.optimizers.SGD)(rate)
    optimizer.build(list(variables))
    return optimizer


def test_the_class_is_named_after_its_base():
    assert type(layerwise(variable("v"))).__name__ == "LayerwiseSGD"


def test_each_variable_steps_at_its_multiple_of_the_rate():
    low, high = variable("low"), variable("high")
    before = low.numpy()  # that of both
    optimizer = layerwise(low, high)
    optimizer.enter([low, high], {"low": 0.5, "high": 2.0})
    optimizer.apply([tf.ones(1), tf.ones(1)], [low, high])
    np.testing.assert_allclose([before - low.numpy(), before - high.numpy()], [[0.05], [0.2]], rtol=1e-5)


def test_the_rate_that_is_shown_is_the_scaled_one():
    optimizer = layerwise(variable("v"))
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    optimizer.rate_scale.assign(0.25)
    assert float(optimizer.learning_rate) == pytest.approx(0.025)


def test_the_rate_is_known_before_there_are_variables():
    optimizer = learning_rates.layerwise(keras.optimizers.SGD)(0.1)
    assert float(optimizer.learning_rate) == pytest.approx(0.1)


def test_a_variable_without_a_rate_is_an_error():
    known, lost, gone = variable("known"), variable("lost"), variable("gone")
    optimizer = layerwise(known, lost, gone)
    with pytest.raises(ValueError, match=r"^no learning rate for lost, gone$"):
        optimizer.enter([known, lost, gone], {"known": 1.0})


def test_a_variable_that_was_not_there_at_the_start_is_an_error():
    known, late = variable("known"), variable("late")
    optimizer = layerwise(known)
    with pytest.raises(ValueError, match=r"Unknown variable: .*late"):
        optimizer.enter([known, late], {"known": 1.0, "late": 1.0})


def test_a_phase_that_is_refused_leaves_the_one_before_in_force():
    known = variable("known")
    before = known.numpy()
    optimizer = layerwise(known)
    optimizer.enter([known], {"known": 1.0})
    with pytest.raises(ValueError, match="no learning rate"):
        optimizer.enter([known, variable("lost")], {"known": 5.0})
    optimizer.apply([tf.ones(1)], [known])
    np.testing.assert_allclose(before - known.numpy(), [0.1], rtol=1e-5)


def idle(optimizer):
    return optimizer.idle.numpy().tolist()


def test_idle_steps_are_counted_over_phases_and_restarts():
    # a trains in steps 0-2 and 5, b in 3-5; the run is cut after step 4.
    a, b = variable("a"), variable("b")
    rates = {"a": 1.0, "b": 1.0}

    def train(optimizer, variables, steps):
        optimizer.enter(variables, rates)
        for _ in range(steps):
            optimizer.apply([tf.ones(1) for _ in variables], variables)

    first = layerwise(a, b)
    train(first, [a], 3)
    train(first, [b], 1)
    second = layerwise(a, b)
    for old, new in zip(first.variables, second.variables, strict=True):
        new.assign(old)
    train(second, [b], 1)
    # b waited for three steps; a waits since step 3, which counts once it trains again. The restart is no
    # change of phase, and leaves no trace.
    assert idle(second) == [0, 3]
    assert int(second.entered) == 3
    train(second, [a, b], 1)
    assert idle(second) == [2, 3]
    assert int(second.iterations) == 6


def test_a_token_that_stands_in_a_batch_twice_counts_with_its_sum():
    # Rows 0 and 0 of the gradient are 3 and -3: nothing in all, of norm 0, not of norm 18 ** 0.5.
    table = variable("embeddings", (2, 1))
    before = table.numpy()
    optimizer = learning_rates.layerwise(keras.optimizers.SGD)(0.1, global_clipnorm=1.0)
    optimizer.build([table])
    optimizer.enter([table], {"embeddings": 1.0})
    gradient = tf.IndexedSlices(tf.constant([[3.0], [-3.0], [0.5]]), tf.constant([0, 0, 1]), (2, 1))
    optimizer.apply([gradient], [table])
    np.testing.assert_allclose(before - table.numpy(), [[0.0], [0.05]], rtol=1e-5, atol=1e-7)


def test_a_step_in_a_graph_is_the_step_outside():
    def after_three_steps(in_place):
        own = variable("v", (2, 2))
        optimizer = learning_rates.layerwise(keras.optimizers.AdamW)(0.1, weight_decay=0.5)
        optimizer.build([own])
        optimizer.iterations.assign(2)  # two steps for which it was frozen
        optimizer.enter([own], {"v": 0.5})
        step = in_place(lambda: optimizer.apply([tf.ones((2, 2))], [own]))
        for _ in range(3):
            step()
        return own.numpy()

    np.testing.assert_allclose(after_three_steps(tf.function), after_three_steps(lambda f: f), rtol=1e-6)


def test_phases_under_a_strategy_that_mirrors_its_variables():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        a, b = variable("a"), variable("b")
        optimizer = layerwise(a, b)
    before = a.value.numpy()
    optimizer.enter([a], {"a": 2.0})
    strategy.run(lambda: optimizer.apply([tf.ones(1)], [a]))
    optimizer.enter([a, b], {"a": 1.0, "b": 1.0})
    np.testing.assert_allclose(before - a.value.numpy(), [0.2], rtol=1e-5)
    assert idle(optimizer) == [0, 1]


TWO_REPLICAS = """
import numpy as np, tensorflow as tf
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from tfft import learning_rates

def train(strategy):
    with strategy.scope():
        table = keras.Variable(np.ones((3, 2)), dtype="float32", name="table")
        kernel = keras.Variable(np.ones((3, 2)), dtype="float32", name="kernel")
        optimizer = learning_rates.layerwise(keras.optimizers.Adam)(0.1, epsilon=0.1, global_clipnorm=0.5)
        optimizer.build([table, kernel])
    optimizer.enter([table, kernel], {"table": 1.0, "kernel": 0.5})
    parts = [[[0, 1, 0], [2, 1, 0]], [[0, 0, 0], [1, 2, 0]]]  # rows 0 and 1 lie in both
    replicas = strategy.num_replicas_in_sync
    parts = parts if replicas == 2 else [sum(parts, [])]
    rows = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )
    def step(rows):
        with tf.GradientTape() as tape:
            lengths = tf.reduce_sum(tf.gather(table.value, rows), 1) @ tf.transpose(kernel.value)
            loss = tf.reduce_mean(lengths * [1.0, -3.0, 4.0]) / replicas
        gradients = tape.gradient(loss, [table.value, kernel.value])
        gradients = tf.distribute.get_replica_context().all_reduce("SUM", gradients)
        optimizer.apply(gradients, [table, kernel])
    for _ in range(3):
        strategy.run(step, (rows,))
    return [strategy.experimental_local_results(v.value)[-1].numpy() for v in (table, kernel)]

alone = train(tf.distribute.MirroredStrategy(["CPU:0"]))
together = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
for one, two in zip(alone, together):
    np.testing.assert_allclose(one, two, rtol=1e-5)
    assert (one != 1).all(), one
"""


def test_two_replicas_learn_as_one_does():
    # In a process of its own: the number of devices is settled when TensorFlow starts.
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
