"""Tests of tfft/learning_rates.py, with AdamW written anew in float64 NumPy."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfft import learning_rates
from tfft.learning_rates import WarmupThenDecay
from tfft.schedules import constant, cosine, linear


def variable(name, shape, path=None, seed=0):
    values = np.random.default_rng(seed).normal(size=shape)
    made = keras.Variable(values, dtype="float32", name=name)
    made._path = path or name
    return made


def test_warmup_then_linear_by_hand():
    # Peak 1, 2 steps of warmup, 6 in all: 1/2, 1, then progress 0, 1/4, 2/4, 3/4.
    schedule = WarmupThenDecay(1.0, 2, 6, linear.factor)
    rates = [float(schedule(step)) for step in range(7)]
    np.testing.assert_allclose(rates, [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0], rtol=1e-6)


def test_no_warmup_starts_at_the_peak():
    assert float(WarmupThenDecay(3e-5, 0, 10, cosine.factor)(0)) == pytest.approx(3e-5)


@given(
    warmup=st.integers(0, 20),
    rest=st.integers(1, 50),
    factor=st.sampled_from([constant.factor, linear.factor, cosine.factor]),
)
def test_the_rate_rises_then_never_rises_again_and_is_always_positive(warmup, rest, factor):
    schedule = WarmupThenDecay(0.01, warmup, warmup + rest, factor)
    rates = np.array([float(schedule(step)) for step in range(warmup + rest)])
    assert (rates > 0).all()
    assert (rates <= 0.01 * (1 + 1e-6)).all()
    assert (np.diff(rates[:warmup]) > 0).all()
    assert (np.diff(rates[warmup:]) <= 1e-9).all()


def test_the_factor_falls_with_each_layer_below_the_head():
    # By hand for decay 1/2 and two blocks: head 1, blocks 1/2 and 1/4, embeddings 1/8.
    parts = [(depth, [variable(f"v{depth}", (1,))]) for depth in range(3)]
    head = [variable("head", (1,))]
    found = learning_rates.multipliers(parts, layer_decay=0.5, top=3, head_factor=1.0, head=head)
    assert found == {"v0": 0.125, "v1": 0.25, "v2": 0.5, "head": 1.0}


def test_the_head_may_have_a_factor_of_its_own():
    head = [variable("head", (1,))]
    found = learning_rates.multipliers([], layer_decay=0.5, top=3, head_factor=20.0, head=head)
    assert found == {"head": 20.0}


def test_two_variables_of_one_path_are_refused():
    with pytest.raises(ValueError, match="two variables have the path v"):
        learning_rates.multipliers(
            [(0, [variable("v", (1,)), variable("v", (1,))])],
            layer_decay=1.0, top=1, head_factor=1.0, head=[],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [("kernel", (2, 2), True), ("embeddings", (9, 2), True), ("gamma", (2,), False),
     ("bias", (2,), False), ("bias", (4, 8), False)],
)  # fmt: skip
def test_biases_do_not_decay_even_in_two_dimensions(name, shape, expected):
    assert learning_rates.decays(variable(name, shape)) is expected


def test_every_variable_of_a_backbone_decays_or_not_as_bert_has_it(tiny_preset):
    from tfft import backbone

    model, _ = backbone.load(tiny_preset, dropout=None)
    decaying = {v.path.split("/", 1)[1] for v in model.weights if learning_rates.decays(v)}
    assert not [path for path in decaying if path.endswith(("bias", "gamma", "beta"))]
    kernels = [v for v in model.weights if v.path.endswith(("kernel", "embeddings"))]
    assert len(decaying & {v.path.split("/", 1)[1] for v in kernels}) == len(
        {v.path.split("/", 1)[1] for v in kernels}
    )


def test_ten_steps_equal_adamw_in_float64():
    shapes = {"a/kernel": (3, 2), "b/bias": (2,), "c/kernel": (2, 4)}
    factors = {"a/kernel": 0.25, "b/bias": 0.5, "c/kernel": 1.0}
    variables = [
        variable(path.split("/")[1], shape, path, seed) for seed, (path, shape) in enumerate(shapes.items())
    ]
    rate, decay, beta_1, beta_2, epsilon, clip = 0.05, 0.1, 0.9, 0.999, 1e-6, 1.0
    schedule = WarmupThenDecay(rate, 3, 10, linear.factor)
    optimizer = learning_rates.layerwise(factors, keras.optimizers.AdamW)(
        schedule, weight_decay=decay, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, global_clipnorm=clip
    )
    optimizer.build(variables)
    weights = [np.array(v, dtype=np.float64) for v in variables]
    means = [np.zeros_like(w) for w in weights]
    squares = [np.zeros_like(w) for w in weights]
    dice = np.random.default_rng(9)
    for step in range(1, 11):
        gradients = [dice.normal(scale=2.0, size=w.shape) for w in weights]
        optimizer.apply([np.asarray(g, "float32") for g in gradients])
        norm = np.sqrt(sum((g**2).sum() for g in gradients))  # over all variables together
        t = step - 1
        now = rate * ((t + 1) / 3 if t < 3 else 1 - (t - 3) / 7)
        for i, path in enumerate(shapes):
            gradient = gradients[i] * min(1.0, clip / norm)
            means[i] = beta_1 * means[i] + (1 - beta_1) * gradient
            squares[i] = beta_2 * squares[i] + (1 - beta_2) * gradient**2
            mean, square = means[i] / (1 - beta_1**step), squares[i] / (1 - beta_2**step)
            if path.endswith("kernel"):
                weights[i] -= now * factors[path] * decay * weights[i]
            # Keras adds epsilon before the bias correction of the second moment.
            correction = np.sqrt(1 - beta_2**step)
            weights[i] -= now * factors[path] * mean / (np.sqrt(square) + epsilon / correction)
    for found, wanted in zip(variables, weights, strict=True):
        np.testing.assert_allclose(np.array(found), wanted, rtol=2e-5, atol=1e-6)


def test_a_variable_without_a_rate_is_an_error():
    optimizer = learning_rates.layerwise({}, keras.optimizers.AdamW)(0.1)
    with pytest.raises(ValueError, match="no learning rate for lost"):
        optimizer.build([variable("lost", (1,))])
