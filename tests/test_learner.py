"""Tests of tfft/learner.py: what one optimizer step does."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ragged_of
from tfft import backbone, dataset, head, learning_rates, plugins
from tfft.learner import Learner
from tfft.regularizers import Parts

ROWS = [[5], [6, 7, 8, 9, 10, 11], [12, 13], [14, 15, 16], [17], [18, 19, 20, 21], [22, 23]]
LABELS = np.array([0, 1, 1, 0, 1, 0, 1], dtype="int32")
WEIGHTS = np.array([1.0, 0.5, 2.0, 1.0, 1.5, 1.0, 0.25], dtype="float32")


def pack(ids):
    return {
        "token_ids": ids.to_tensor(0),
        "segment_ids": tf.zeros_like(ids).to_tensor(0),
        "padding_mask": tf.ones_like(ids).to_tensor(0),
    }


def make(
    preset, *, dropout=0.0, micro=None, regularizers=(), loss="cross_entropy", precision="float32",
    compiles=False,
):  # fmt: skip
    """Return a learner over the tiny BERT, plain SGD at rate 0.1, nothing clipped."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    try:
        body = backbone.load(preset, dropout=dropout)[0]
        encoder = head.encoder(body, pooling="mean")
        top = head.dense(
            [8], 2, hidden_layers=[], activation="gelu", dropout=dropout, initializer="glorot_uniform"
        )
        learner = Learner(head.join(encoder, top))
    finally:
        keras.config.set_dtype_policy("float32")
    optimizer = learning_rates.layerwise(keras.optimizers.SGD)(0.1)
    scales = precision == "mixed_float16"
    learner.compile(
        keras.optimizers.LossScaleOptimizer(optimizer) if scales else optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,
        auto_scale_loss=False,
    )
    row_loss = plugins.load("losses", loss)([3, 4])
    parts = Parts(
        backbone=[v for v in learner.trainable_variables if not v.path.startswith("logits")],
        head=top.weights,
        token_embedding=body.token_embedding.embeddings,
        learned=lambda: learner.trainable_variables,
        kind="label",
        step=optimizer._iterations,
        seed=0,
        encode=functools.partial(encoder, training=True),
        classify=functools.partial(top, training=True),
        row_loss=row_loss,
        rows=micro or len(LABELS),
        chosen=[name for name, _ in regularizers],
    )
    learner.learn_by(
        row_loss,
        [plugins.load("regularizers", name)(parts, **settings) for name, settings in regularizers],
        micro,
        compiles=compiles,
    )
    learner.optimizer.build(learner.trainable_variables)
    optimizer.enter(learner.trainable_variables, {v.path: 1.0 for v in learner.trainable_variables})
    return learner


def batch():
    inputs = pack(tf.ragged.constant(ROWS, dtype=tf.int32))
    return inputs, tf.constant(LABELS), tf.constant(WEIGHTS), tf.constant([7, 7])


def step(learner, times=1):
    """Take steps in a graph; return the logs of the last and all weights."""
    one = tf.function(learner.train_step, autograph=False)
    for _ in range(times):
        learner.reset_metrics()
        logs = one(batch())
    return {k: float(v) for k, v in logs.items()}, {v.path: np.array(v) for v in learner.weights}


def test_a_step_is_the_gradient_of_the_weighted_mean(tiny_preset):
    learner = make(tiny_preset)
    before = {v.path: np.array(v) for v in learner.weights}
    inputs, labels, weights, _ = batch()
    with tf.GradientTape() as tape:
        logits = learner(inputs)
        rows = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_sum(rows * weights) / 7.0  # over the rows, not over the sum of the weights
    wanted = tape.gradient(loss, [v.value for v in learner.trainable_variables])
    accuracy = np.mean(np.argmax(logits, 1) == LABELS)
    logs, after = step(learner)
    assert logs["loss"] == pytest.approx(float(loss), rel=1e-6)
    assert logs["accuracy"] == pytest.approx(accuracy)  # unweighted
    for variable, gradient in zip(learner.trainable_variables, wanted, strict=True):
        moved = before[variable.path] - after[variable.path]
        np.testing.assert_allclose(moved, 0.1 * tf.convert_to_tensor(gradient), atol=2e-7)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
@pytest.mark.parametrize(
    "regularizers",
    [(), [("l2_sp", {"alpha": 1.0, "beta": 0.5}), ("l1", {}), ("fgm", {"epsilon": 0.5}), ("mixout", {})]],
    ids=["plain", "regularized"],
)
def test_micro_batches_make_the_step_of_the_large_batch(tiny_preset, size, regularizers):
    # Seven rows of one to six tokens do not divide into any of these sizes but 1 and 7. FGM's direction
    # is that of the micro-batch's own gradient, so it is compared at size 7 only.
    if size < 7:
        regularizers = [r for r in regularizers if r[0] != "fgm"]
    large_logs, large = step(make(tiny_preset, regularizers=regularizers), 3)
    logs, small = step(make(tiny_preset, regularizers=regularizers, micro=size), 3)
    assert logs == pytest.approx(large_logs, rel=1e-5)
    for path, wanted in large.items():
        np.testing.assert_allclose(small[path], wanted, atol=1e-6, err_msg=path)
    moved = make(tiny_preset).get_weights()
    assert any(not np.allclose(a, b) for a, b in zip(moved, large.values(), strict=True))


def test_micro_batches_draw_their_own_dropout(tiny_preset):
    first, second = (step(make(tiny_preset, dropout=0.5, micro=size))[1] for size in (None, 3))
    assert any(not np.allclose(first[path], second[path], atol=1e-5) for path in first)


def test_validation_shows_the_plain_loss_whatever_training_minimises(tiny_preset):
    learner = make(tiny_preset, loss="focal", regularizers=[("l2", {"strength": 1.0})])
    inputs, labels, _, counts = batch()
    logits = learner(inputs)
    wanted = float(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)))
    assert float(learner.test_step((inputs, labels, counts))["loss"]) == pytest.approx(wanted, rel=1e-6)


def test_where_each_word_has_a_target_validation_is_a_mean_over_words():
    inputs = keras.Input([None, 2])
    learner = Learner(keras.Model(inputs, keras.layers.Identity()(inputs)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    learner.compile("sgd", loss, jit_compile=False)
    logits = np.array([[[2.0, 0], [0, 1], [3, 0]], [[0, 2.0], [0, 0], [0, 0]]], "float32")
    labels = np.array([[0, 0, 1], [1, -1, -1]], "int32")
    for row in (0, 1):  # as two batches of one row
        told = learner.test_step((logits[row : row + 1], labels[row : row + 1], tf.constant([1, 1])))
    is_word = labels >= 0
    wanted = np.log(np.exp(logits).sum(-1))[is_word] - logits[is_word, labels[is_word]]
    assert float(told["loss"]) == pytest.approx(wanted.mean(), rel=1e-6)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_computes_low_and_keeps_weights_and_logits_in_float32(tiny_preset, precision):
    learner = make(tiny_preset, precision=precision)
    assert {v.dtype for v in learner.weights} == {"float32"}
    assert learner.output.dtype == "float32"
    assert learner.get_layer("transformer_layer_0").compute_dtype == precision.removeprefix("mixed_")
    exact_logs, exact = step(make(tiny_preset))
    logs, low = step(learner)
    assert logs["loss"] == pytest.approx(exact_logs["loss"], rel=3e-2)
    # The steps agree to the few digits that half precision has.
    start = {v.path: np.array(v) for v in make(tiny_preset).weights}
    wanted = np.concatenate([(exact[p] - start[p]).ravel() for p in exact])
    found = np.concatenate([(low[p] - start[p]).ravel() for p in exact])
    assert np.dot(wanted, found) / np.linalg.norm(wanted) / np.linalg.norm(found) > 0.995
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(wanted), rel=0.05)


def test_loss_scaling_skips_a_step_that_overflows_and_halves_the_scale(tiny_preset):
    learner = make(tiny_preset, precision="mixed_float16")
    before = learner.get_weights()
    learner.optimizer.dynamic_scale.assign(1e38)
    step(learner)
    assert all(np.array_equal(a, b) for a, b in zip(before, learner.get_weights(), strict=True))
    assert float(learner.optimizer.dynamic_scale) == pytest.approx(5e37)
    assert int(learner.optimizer.inner_optimizer.iterations) == 0


def test_compiled_by_xla_the_step_is_the_same(tiny_preset):
    _, plain = step(make(tiny_preset, micro=3, regularizers=[("l2_sp", {})]))
    tf.config.experimental.enable_op_determinism()  # as every run has it
    learner = make(tiny_preset, micro=3, regularizers=[("l2_sp", {})], compiles=True)
    one = tf.function(learner.train_step, autograph=False)
    one(batch())
    inside = one.get_concrete_function(batch()).graph.as_graph_def().library.function
    assert any(function.attr["_XlaMustCompile"].b for function in inside)
    for variable in learner.weights:
        np.testing.assert_allclose(np.array(variable), plain[variable.path], atol=1e-6)


def test_a_batch_padded_to_a_multiple_gives_the_same_step(tiny_preset):
    take = dataset.of_tokens([ragged_of(ROWS)], pack, LABELS, WEIGHTS)
    batches = dataset.pad_to_multiple(dataset.counted(take, [np.arange(7)], dataset.WHOLE), 8, 32)
    padded = next(iter(batches))
    assert padded[0]["token_ids"].shape == (7, 8)
    learner = make(tiny_preset)
    learner.train_step(padded)
    _, wanted = step(make(tiny_preset))
    for variable in learner.weights:
        np.testing.assert_allclose(np.array(variable), wanted[variable.path], atol=1e-6)


def test_keras_offers_no_gradient_checkpointing_on_tensorflow_yet():
    # tf.recompute_grad, which RematScope calls, takes no keyword arguments in a graph, and Keras passes
    # `training` as one. When this fails, Keras has mended it: offer it as `training.rematerialize`.
    with keras.RematScope(mode="full"):
        layer = keras.layers.MultiHeadAttention(1, 2)
        layer.build([None, 3, 4], [None, 3, 4])
        in_graph = tf.function(lambda x: layer(x, x, training=True), autograph=False)
        with pytest.raises(ValueError, match="keywords arguments only when eager"):
            in_graph(tf.zeros([1, 3, 4]))
