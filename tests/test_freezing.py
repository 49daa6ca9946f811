"""Tests of tfft/freezing.py."""

import keras
import numpy as np
import pytest

from tfft import backbone, freezing
from tfft.errors import SettingError
from tfft.layer_groups import Group


@pytest.fixture
def model(tiny_preset):
    return backbone.load(tiny_preset, dropout=0.5)[0]


def groups(model):
    return [Group(*found) for found in backbone.layers(model) if found[0] != "pooler"]


def freeze(model, rules):
    parts = groups(model)
    written, named = ([], freezing.NAMED[rules]) if isinstance(rules, str) else (rules, ())
    freezing.apply(parts, freezing.decide(parts, written, named))
    return parts


def frozen(model):
    return {
        group.name for group in groups(model) if not any(variable.trainable for variable in group.variables)
    }


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("none", set()),
        ("all", {"embeddings", "block 0", "block 1"}),
        ([("embeddings", False)], {"embeddings"}),
        ([("block 1", False)], {"block 1"}),
        ([("blocks 0-1", False)], {"block 0", "block 1"}),
        ([("block 0", True), ("name:*", False)], {"embeddings", "block 1"}),
        ([("name:transformer_layer_1/*", False)], {"block 1"}),
    ],
)
def test_the_first_rule_that_matches_decides(model, rules, expected):
    freeze(model, rules)
    assert frozen(model) == expected


def trainable(model):
    return [variable.path for variable in model.trainable_variables if "pooled" not in variable.path]


def test_a_name_pattern_freezes_single_variables(model):
    freeze(model, [("name:*/bias", True), ("name:*", False)])
    assert trainable(model)
    assert all(path.endswith("/bias") for path in trainable(model))


def test_bitfit_trains_every_bias_and_nothing_else(model):
    freeze(model, "all_but_biases")
    names = {path.rsplit("/", 1)[1] for path in trainable(model)}
    assert names == {"bias", "beta"}
    # Per block: query, key, value, output, two dense layers and two norms; and the norm of the embeddings.
    assert len(trainable(model)) == 2 * 8 + 1


def test_rules_may_be_applied_again_and_the_last_ones_count(model):
    freeze(model, "all")
    assert not trainable(model)
    freeze(model, [("embeddings", False)])
    assert frozen(model) == {"embeddings"}
    freeze(model, "none")
    assert frozen(model) == set()


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("pooler", "must match at least one layer, got 'pooler'. There are embeddings, block 0"),
        ("name:encoder*", "must match at least one layer"),
        ("block 2", "must name blocks that the model has, got 'block 2'. It has blocks 0-1."),
        ("blocks 0-7", "must name blocks that the model has"),
        ("head", "must match at least one layer"),
        ("layer 1", "must be embeddings, block N, blocks N-M, pooler, head or name:PATTERN"),
    ],
)
def test_a_rule_that_matches_nothing_is_an_error(model, selector, message):
    with pytest.raises(SettingError, match=message) as caught:
        freeze(model, [("embeddings", False), (selector, False)])
    assert caught.value.key == "freeze.1.layers"


def test_a_frozen_layer_runs_without_dropout_and_others_with(model):
    ids = np.full((4, 6), 5)
    inputs = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids * 0 + 1}

    def noise():
        first, second = (np.array(model(inputs, training=True)["sequence_output"]) for _ in range(2))
        return np.abs(first - second).max()

    assert noise() > 1e-3
    parts = freeze(model, "all")
    assert noise() == 0.0
    freezing.apply(parts, freezing.decide(parts, []))
    assert noise() > 1e-3  # what thaws gets its dropout back


def test_dropout_of_a_partly_frozen_group_stays(model):
    freeze(model, [("name:token_embedding/*", False)])
    assert model.get_layer("embeddings_dropout").rate == 0.5


def test_the_table_counts_every_parameter_once(model):
    trains = freezing.decide(groups(model), [("embeddings", False)])
    rates = {v.path: 1e-3 for group in groups(model) for v in group.variables}
    rates["transformer_layer_0/feedforward_output_dense/bias"] = 2e-3
    rows = freezing.table(groups(model), trains, rates)
    assert [row["layer"] for row in rows] == ["embeddings", "block 0", "block 1"]
    assert rows[0] == {
        "layer": "embeddings",
        "trainable": 0,
        # 38 words + 32 positions + 2 segments of width 8, and a norm of 2 x 8
        "frozen": (38 + 32 + 2) * 8 + 16,
        "learning_rate": 0.0,
        "lowest_learning_rate": 0.0,
    }
    # 4 attention matrices of 8 x 8, two of 8 x 16, their biases, two norms
    assert rows[1]["trainable"] == 4 * (64 + 8) + (128 + 16) + (128 + 8) + 2 * 16
    assert (rows[1]["lowest_learning_rate"], rows[1]["learning_rate"]) == (1e-3, 2e-3)


def test_what_is_frozen_does_not_move_by_one_bit(model):
    fill = {"token_ids": 5, "segment_ids": 0, "padding_mask": 1}
    inputs = {name: np.full((4, 6), value) for name, value in fill.items()}
    freeze(model, [("embeddings", False), ("block 0", False)])
    whole = keras.Model(model.input, keras.layers.Dense(2)(model.output["sequence_output"][:, 0]))
    before = {v.path: np.array(v) for v in whole.weights}
    whole.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    whole.fit(inputs, np.array([0, 1, 0, 1]), epochs=2, verbose=0)
    moved = {v.path for v in whole.weights if not np.array_equal(before[v.path], np.array(v))}
    assert any(path.startswith("transformer_layer_1/") for path in moved)
    frozen_layers = ("token_embedding", "position_embedding", "segment_embedding", "embeddings_layer_norm")
    assert not [path for path in moved if path.startswith((*frozen_layers, "transformer_layer_0"))]


def test_a_rule_that_an_earlier_one_leaves_nothing_to_is_an_error(model):
    with pytest.raises(SettingError, match="but a rule before it decides all that it matches") as caught:
        freeze(model, [("name:*", False), ("block 0", True)])
    assert caught.value.key == "freeze.1.layers"


def test_a_named_rule_need_not_decide_anything(model):
    parts = [Group("block 0", 1, [keras.layers.Dense(2, use_bias=False)])]
    parts[0].layers[0].build([None, 2])
    assert freezing.decide(parts, [], freezing.NAMED["all_but_biases"]).popitem()[1] is False
    with pytest.raises(SettingError, match="must match at least one layer"):
        freezing.decide(parts, freezing.NAMED["all_but_biases"])
