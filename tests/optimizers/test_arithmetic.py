"""Every optimizer against its arithmetic, written anew in float64 NumPy.

Each function below is the update of one variable, from the paper in the form that Keras gives
it; all that the optimizers share (schedule, clipping, decay, phases) stands once, in `wanted`.
"""

import keras
import numpy as np
import tensorflow as tf

from tests.optimizers import each
from tfft import learning_rates, plugins
from tfft.learning_rates import Schedule, Segment
from tfft.schedules import linear

EMBEDDINGS = "backbone/token_embedding/embeddings"
QUERY = "backbone/attention/query/kernel"
QUERY_BIAS = "backbone/attention/query/bias"
INNER = "backbone/inner/kernel"
LOGITS = "head/logits/kernel"
BIAS = "head/logits/bias"
SHAPES = {
    EMBEDDINGS: (5, 3),
    QUERY: (3, 2, 2),
    QUERY_BIAS: (2, 2),
    INNER: (3, 4),
    LOGITS: (4, 2),
    BIAS: (2,),
}
FACTORS = {EMBEDDINGS: 0.25, QUERY: 0.5, QUERY_BIAS: 0.5, INNER: 0.7, LOGITS: 2.0, BIAS: 2.0}
DECAYING = {EMBEDDINGS, QUERY, INNER, LOGITS}
ALL = frozenset(SHAPES)
STEPS, WARMUP, PEAK, CLIP = 12, 3, 0.05, 2.0


def adam(memory, path, gradient, weight, rate, step, *, beta_1, beta_2, epsilon):
    mean = memory["mean"] = beta_1 * memory.get("mean", 0) + (1 - beta_1) * gradient
    square = memory["square"] = beta_2 * memory.get("square", 0) + (1 - beta_2) * gradient**2
    # Kingma & Ba's form of section 2: epsilon joins the root before the bias correction.
    size = rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    return weight - size * mean / (np.sqrt(square) + epsilon)


def sgd(memory, path, gradient, weight, rate, step, *, momentum, nesterov):
    velocity = memory["velocity"] = momentum * memory.get("velocity", 0) - rate * gradient
    return weight + (momentum * velocity - rate * gradient if nesterov else velocity)


def rmsprop(memory, path, gradient, weight, rate, step, *, rho, momentum, epsilon):
    square = memory["square"] = rho * memory.get("square", 0) + (1 - rho) * gradient**2
    update = rate * gradient / np.sqrt(square + epsilon)  # Keras's epsilon: inside the root
    velocity = memory["velocity"] = momentum * memory.get("velocity", 0) + update
    return weight - velocity


def adafactor(
    memory, path, gradient, weight, rate, step, *, beta_2_decay, epsilon_1, epsilon_2, clip_threshold
):
    def size(x):
        return np.sqrt(np.mean(x**2))

    keep = 1 - step**beta_2_decay
    square = gradient**2 + epsilon_1
    if gradient.ndim == 1:
        second = memory["second"] = keep * memory.get("second", 0) + (1 - keep) * square
    else:
        rows = memory["rows"] = keep * memory.get("rows", 0) + (1 - keep) * square.mean(-1)
        columns = memory["columns"] = keep * memory.get("columns", 0) + (1 - keep) * square.mean(-2)
        second = (rows / rows.mean(-1, keepdims=True))[..., :, None] * columns[..., None, :]
    update = gradient / np.sqrt(second)
    update /= max(1, size(update) / clip_threshold)
    # Keras's cap: the rate is never above one over the root of the steps.
    return weight - max(epsilon_2, size(weight)) * min(rate, step**-0.5) * update


def lamb(memory, path, gradient, weight, rate, step, *, beta_1, beta_2, epsilon):
    mean = memory["mean"] = beta_1 * memory.get("mean", 0) + (1 - beta_1) * gradient
    square = memory["square"] = beta_2 * memory.get("square", 0) + (1 - beta_2) * gradient**2
    update = mean / (1 - beta_1**step) / (np.sqrt(square / (1 - beta_2**step)) + epsilon)
    return weight - rate * np.linalg.norm(weight) / np.linalg.norm(update) * update


def lion(memory, path, gradient, weight, rate, step, *, beta_1, beta_2):
    before = memory.get("mean", 0)
    memory["mean"] = beta_2 * before + (1 - beta_2) * gradient
    return weight - rate * np.sign(beta_1 * before + (1 - beta_1) * gradient)


def muon(
    memory, path, gradient, weight, rate, step,
    *, momentum, nesterov, newton_schulz_steps, beta_1, beta_2, epsilon,
):  # fmt: skip
    if path != INNER:
        return adam(memory, path, gradient, weight, rate, step, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
    velocity = memory["velocity"] = momentum * memory.get("velocity", 0) + gradient
    x = gradient + momentum * velocity if nesterov else velocity
    x = x / np.linalg.norm(x)
    for _ in range(newton_schulz_steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return weight - rate * 0.2 * np.sqrt(max(x.shape)) * x


# Numbers that are large enough to show: with epsilon 1e-6 nobody would see where it is added.
ADAM = {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.01}
CASES = {
    "adam": (adam, ADAM),
    "adamw": (adam, {**ADAM, "weight_decay": 0.3}),
    "sgd": (sgd, {"momentum": 0.8, "nesterov": False, "weight_decay": 0.3}),
    "sgd, nesterov": (sgd, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.3}),
    "sgd, plain": (sgd, {"momentum": 0.0, "nesterov": False, "weight_decay": 0.3}),
    "rmsprop": (rmsprop, {"rho": 0.8, "momentum": 0.0, "epsilon": 0.01, "weight_decay": 0.3}),
    "rmsprop, momentum": (rmsprop, {"rho": 0.8, "momentum": 0.7, "epsilon": 0.01, "weight_decay": 0.3}),
    "adafactor": (
        adafactor,
        {
            "beta_2_decay": -0.7, "epsilon_1": 0.01, "epsilon_2": 0.5, "clip_threshold": 0.9,
            "weight_decay": 0.3,
        },
    ),
    "lamb": (lamb, {**ADAM, "weight_decay": 0.3}),
    "lion": (lion, {"beta_1": 0.8, "beta_2": 0.95, "weight_decay": 0.3}),
    "muon": (
        muon,
        {**ADAM, "momentum": 0.8, "nesterov": True, "newton_schulz_steps": 4, "weight_decay": 0.3},
    ),
    "muon, plain": (
        muon,
        {**ADAM, "momentum": 0.8, "nesterov": False, "newton_schulz_steps": 5, "weight_decay": 0.3},
    ),
}  # fmt: skip
every_case = each(CASES, "case")


def start():
    """Return the weights to start from, float64 by path."""
    dice = np.random.default_rng(0)
    return {path: dice.normal(size=shape) for path, shape in SHAPES.items()}


def gradients(step):
    """Return the gradients of a step, by path; every other step's are small.

    That of the embeddings is a list of rows, as TensorFlow gives it: here row 1 stands in it twice.
    """
    dice = np.random.default_rng(100 + step)
    scale = (1.0, 0.1)[step % 2]
    found = {path: scale * dice.normal(size=shape) for path, shape in SHAPES.items()}
    found[EMBEDDINGS] = np.array([1, 4, 1, 0]), scale * dice.normal(size=(4, 3))
    return found


def dense(gradient):
    if not isinstance(gradient, tuple):
        return gradient
    total = np.zeros(SHAPES[EMBEDDINGS])
    np.add.at(total, *gradient)
    return total


def sparse(gradient):
    if not isinstance(gradient, tuple):
        return tf.constant(gradient, "float32")
    rows, values = gradient
    return tf.IndexedSlices(tf.constant(values, "float32"), tf.constant(rows), SHAPES[EMBEDDINGS])


def rate(step):
    """Return the rate of a step by hand: a third, two thirds, all of the peak; then a line to nothing."""
    return PEAK * ((step + 1) / WARMUP if step < WARMUP else 1 - (step - WARMUP) / (STEPS - WARMUP))


def norm(step, active):
    return np.sqrt(sum((dense(gradients(step)[path]) ** 2).sum() for path in active))


def wanted(case, plan, clip=CLIP):
    """Return the weights after each step in float64.

    Args:
        case: Key of CASES.
        plan: For each step the paths that train, and the factor on all rates.
        clip: Highest common norm of the gradients.
    """
    update, settings = CASES[case]
    own = {key: value for key, value in settings.items() if key != "weight_decay"}
    weights, memory, steps = start(), {path: {} for path in SHAPES}, dict.fromkeys(SHAPES, 0)
    history = []
    for step, (active, scale) in enumerate(plan):
        shrink = min(1.0, clip / norm(step, active))
        for path in active:
            now = scale * rate(step) * FACTORS[path]
            gradient = dense(gradients(step)[path]) * shrink
            weight = weights[path]
            if path in DECAYING:
                weight = weight - now * settings.get("weight_decay", 0.0) * weight
            steps[path] += 1  # those in which this variable took part
            weights[path] = update(memory[path], path, gradient, weight, now, steps[path], **own)
        history.append(dict(weights))
    return history


class Toy:
    """Variables and the optimizer of a case over them."""

    def __init__(self, case, clip=CLIP):
        self.variables = {}
        for path, values in start().items():
            variable = keras.Variable(values, dtype="float32", name=path.rsplit("/", 1)[1])
            variable._path = path
            self.variables[path] = variable
        schedule = Schedule([Segment(0, STEPS, WARMUP, PEAK)], linear.build())
        build = plugins.load("optimizers", case.split(",")[0])
        self.optimizer = build(learning_rates.layerwise, schedule, **CASES[case][1], clip_norm=clip)
        self.optimizer.build(list(self.variables.values()))

    def enter(self, active):
        self.optimizer.enter([self.variables[path] for path in active], FACTORS)

    def run(self, plan, first=0):
        """Return the weights after each step; a phase begins with each change of what trains."""
        history, before = [], None
        for step, (active, scale) in enumerate(plan, first):
            if active != before:
                self.enter(active)
            before = active
            self.optimizer.rate_scale.assign(scale)
            paths = [path for path in SHAPES if path in active]
            given = gradients(step)
            self.optimizer.apply([sparse(given[p]) for p in paths], [self.variables[p] for p in paths])
            history.append({path: variable.numpy() for path, variable in self.variables.items()})
        return history


def assert_close(found, expected):
    for step, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        for path in SHAPES:
            np.testing.assert_allclose(
                ours[path], theirs[path], rtol=2e-5, atol=2e-6, err_msg=f"{path} after step {step}"
            )


def test_the_toy_bites():
    # Or the tests below would prove less than they say.
    norms = np.array([norm(step, ALL) for step in range(STEPS)])
    assert (norms > CLIP).any()
    assert (norms < CLIP).any()
    assert set(plugins.names("optimizers")) == {case.split(",")[0] for case in CASES}


@every_case
def test_every_step_is_as_in_float64(case):
    plan = [(ALL, 1.0)] * STEPS
    assert_close(Toy(case).run(plan), wanted(case, plan))


@every_case
def test_without_clipping(case):
    plan = [(ALL, 1.0)] * 4
    assert_close(Toy(case, clip=None).run(plan), wanted(case, plan, clip=np.inf))


@every_case
def test_a_scale_on_all_rates(case):
    plan = [(ALL, 1.0)] * 4 + [(ALL, 0.5)] * 4
    assert_close(Toy(case).run(plan), wanted(case, plan))


# The inner kernel and the bias thaw at step 4; the query kernel is frozen for steps 7 and 8.
PHASES = [(ALL - {INNER, BIAS}, 1.0)] * 4 + [(ALL, 1.0)] * 3 + [(ALL - {QUERY}, 1.0)] * 2 + [(ALL, 1.0)] * 3


@every_case
def test_a_variable_counts_its_own_steps_and_keeps_its_memory_while_frozen(case):
    found = Toy(case).run(PHASES)
    first = start()
    for step in range(4):
        for path in (INNER, BIAS):
            np.testing.assert_array_equal(found[step][path], first[path].astype("float32"))
    for step in (7, 8):
        np.testing.assert_array_equal(found[step][QUERY], found[6][QUERY])
    assert_close(found, wanted(case, PHASES))


@every_case
def test_a_restored_optimizer_goes_on_bit_by_bit(case):
    whole, before, after = Toy(case), Toy(case), Toy(case)
    whole.run(PHASES)
    before.run(PHASES[:5])  # into the second phase, with two variables that have waited
    for path, variable in before.variables.items():
        after.variables[path].assign(variable)
    for old, new in zip(before.optimizer.variables, after.optimizer.variables, strict=True):
        assert (old.shape, old.dtype) == (new.shape, new.dtype)
        new.assign(old)
    after.run(PHASES[5:], first=5)
    for path, variable in whole.variables.items():
        np.testing.assert_array_equal(after.variables[path].numpy(), variable.numpy())
    for ours, theirs in zip(after.optimizer.variables, whole.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)


@every_case
def test_half_the_rate_is_half_the_step(case):
    steps = []
    for scale in (1.0, 0.5):
        toy = Toy(case)
        toy.optimizer.weight_decay = 0.0  # LAMB and Adafactor take their size from the decayed weights
        after = toy.run([(ALL, scale)])[0]
        steps.append({path: after[path] - values for path, values in start().items()})
    for path in SHAPES:
        np.testing.assert_allclose(steps[1][path], 0.5 * steps[0][path], rtol=1e-3, atol=1e-6)
