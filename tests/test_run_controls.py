"""Tests of tfft/run.py: every control from the config to the export, on a tiny random backbone."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf

import tfft
from tests.conftest import write_csv
from tfft import classifier, config, finished, inputs, out_of_distribution, recipe, run, run_folder
from tfft.errors import DataError, RunError, SettingError
from tfft.learner import Learner
from tfft.tasks import Facts

pytestmark = pytest.mark.usefixtures("unproved")


def described(directory):
    return json.loads((directory / "model" / "description.json").read_text())


def history(finished):
    return list(csv.DictReader((finished.directory / "history.csv").read_text().splitlines()))


# Several in one run, where they do not stand in each other's way: a run takes ten seconds.
CONTROLS = {
    "lp_ft in bfloat16": ["unfreezing=lp_ft", "training.precision=mixed_bfloat16"],
    "gradual in float16": [
        "unfreezing={name: gradual, every: 4 steps}",
        "training.precision=mixed_float16",
        "training.micro_batch_size=4",
    ],
    "chain_thaw with averages": [
        "unfreezing={name: chain_thaw, each: 3 steps}",
        "callbacks=[nan_guard, ema, json_lines, step_csv, saved_model_export]",
    ],
    "stages with imbalance": [
        "unfreezing={name: stages, stages: [{length: 30 %, frozen: [embeddings], learning_rate: 0.1}, {}]}",
        "loss=logit_adjusted",
        "training.class_weights=balanced",
        "training.sampling_exponent=0.5",
    ],
    "bitfit": ["freeze=all_but_biases", "optimizer=lion"],
    "reinitialized and regularized": [
        "backbone.reinitialize_blocks=1",
        "regularizers=[l1, l2, l2_sp, r_drop, fgm, mixout]",
        "training.micro_batch_size=3",
    ],
    "plateau": ["callbacks=[swa, reduce_on_plateau]", "schedule=constant", "optimizer=sgd"],
    "frozen": ["freeze=all", "regularizers=[l2, r_drop]", "training.micro_batch_size=3", "training.jit=on"],
}


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_goes_from_config_to_export(toy_config, name):
    finished = tfft.train(toy_config, CONTROLS[name])
    assert all(np.isfinite(float(row["val_loss"])) for row in history(finished))
    assert finished.figures["test"]["rows"] == 20
    # The export is of what was measured, in float32, and nothing but the plain model is in it.
    answers = tfft.predict(finished.export, ["a great film", "awful"])
    again = tfft.predict(finished.directory, ["a great film", "awful"])
    np.testing.assert_allclose([a["score"] for a in answers], [a["score"] for a in again], atol=1e-6)


@pytest.mark.parametrize(("chosen", "wanted"), [("on", True), ("off", False)])
def test_xla_compiles_the_step_where_it_is_asked_to(toy_config, monkeypatch, chosen, wanted):
    # Keras itself leaves it out where operations are deterministic, and only warns.
    graphs, real = [], Learner._update_alone

    def _update_alone(self, batch):
        graphs.append(tf.compat.v1.get_default_graph().name)
        return real(self, batch)

    monkeypatch.setattr(Learner, "_update_alone", _update_alone)
    tfft.train(toy_config, [f"training.jit={chosen}", "training.epochs=1", "training.micro_batch_size=3"])
    assert graphs
    assert all(
        ("_update_alone" in name) == wanted for name in graphs
    )  # a function of its own, or part of the step


def test_lora_is_merged_and_serving_pays_nothing(toy_config, tmp_path, trained):
    finished = tfft.train(
        toy_config,
        ["lora={rank: 2, targets: [query, value, token_embedding, feedforward_output_dense]}",
         "optimizer.learning_rate=0.05", "training.epochs=4"],
    )  # fmt: skip
    layers = json.loads((finished.directory / "layers.json").read_text())[0]["layers"]
    # The embedding has 38 x 2 + 2 x 8. Keras keeps the heads of query and value apart in the first
    # matrix, 8 x 2 x 2 + 2 x 4 each; the dense layer has 16 x 2 + 2 x 8.
    block = 2 * (8 * 2 * 2 + 2 * 4) + (16 * 2 + 2 * 8)
    assert [row["trainable"] for row in layers] == [38 * 2 + 2 * 8, block, block, 18]
    sizes = [
        (run.export / "variables" / "variables.data-00000-of-00001").stat().st_size
        for run in (finished, trained)
    ]
    assert sizes[0] == sizes[1]
    first = [
        row["loss"] for row in csv.DictReader((finished.directory / "history.csv").read_text().splitlines())
    ]
    assert float(first[-1]) < float(first[0])
    assert tfft.evaluate(finished.directory) == finished.figures["test"]


def test_lora_with_an_unknown_target_names_the_known(toy_config):
    with pytest.raises(SettingError, match=r"lora\.targets\.0: must be a layer that can take LoRA.*'value'"):
        tfft.train(toy_config, ["lora={targets: [nope]}"])


def test_lora_and_a_named_freeze_are_refused(toy_config):
    with pytest.raises(SettingError, match="freeze: must be none or rules with lora"):
        tfft.train(toy_config, ["lora={}", "freeze=all"])


def test_reinitialized_blocks_lose_the_pretrained_weights_and_others_keep_them(tiny_preset):
    from tfft import classifier

    def weights_of(blocks):
        model = classifier.from_preset(
            str(tiny_preset), sha256=None, sequence_length=16, dropout=None, pooling="pooler",
            head_settings={"hidden_layers": [], "activation": "gelu", "dropout": 0.1, "initializer": "zeros"},
            task={"name": "text_classification"}, facts=Facts(("a", "b")), inputs=inputs.read("text"),
            preparation=[],
            truncation="head", windows=None, reinitialize_blocks=blocks,
            lora_settings=None, precision="float32",
        )  # fmt: skip
        return {group.name: [np.array(v) for v in group.variables] for group in model.groups}

    before, after = weights_of(0), weights_of(1)
    same = {name: all(map(np.array_equal, before[name], after[name])) for name in before}
    assert same == {"embeddings": True, "block 0": True, "block 1": False, "pooler": False, "head": True}
    kernel = next(v for v in after["block 1"] if v.shape == (8, 16))
    assert 0.005 < kernel.std() < 0.03  # BERT's own distribution has 0.02, truncated
    with pytest.raises(SettingError, match="must be at most 2, the blocks of the backbone"):
        weights_of(3)


def test_the_threshold_is_tuned_kept_and_served(toy_config, tmp_path, toy_rows):
    # Few are good in training, so one half is too high a bar for them.
    few = [row for number, row in enumerate(toy_rows[:80]) if row[1] == "bad" or number % 8 == 1]
    write_csv(tmp_path / "train.csv", few)
    finished = tfft.train(toy_config, ["threshold={positive: good, metric: balanced_accuracy}"])
    kept = described(finished.directory)["decision"]
    assert kept["positive"] == 1
    assert "'good' is answered from a probability of 0." in (finished.directory / "log.txt").read_text()
    serve = tf.saved_model.load(str(finished.export)).signatures["serving_default"]
    answers = serve(text=tf.constant([text for text, _ in toy_rows[80:]]))
    bar = 1 / (1 + np.exp(-kept["margin"]))
    is_good = answers["probabilities"].numpy()[:, 1] >= bar
    assert [label == b"good" for label in answers["label"].numpy()] == is_good.tolist()
    chosen = np.where(is_good, answers["probabilities"].numpy()[:, 1], answers["probabilities"].numpy()[:, 0])
    np.testing.assert_allclose(answers["score"].numpy(), chosen)
    assert tfft.evaluate(finished.directory) == finished.figures["test"]
    confusion = np.array(finished.figures["validation"]["confusion"])
    assert confusion[:, 1].sum() == is_good[:20].sum()


def test_the_temperature_is_fitted_kept_and_served(toy_config, toy_rows):
    threshold = "threshold={positive: good, metric: accuracy}"
    done = tfft.train(toy_config, ["calibration=temperature", threshold])
    kept = described(done.directory)
    temperature = kept["temperature"]
    assert temperature > 0
    assert temperature != 1
    assert f"Temperature of the logits, by 20 validation answers: {temperature:.3f}" in (
        done.directory / "log.txt"
    ).read_text(encoding="utf-8")
    # The same weights without it, whose logits it divides; the threshold is one of what is left.
    restored = {}
    for name, fitted in (("plain", 1.0), ("calibrated", temperature)):
        run_folder.write_json(done.directory / run_folder.DESCRIPTION, {**kept, "temperature": fitted})
        restored[name] = finished.restore(done.directory)
    serve = tf.saved_model.load(str(done.export)).signatures["serving_default"]
    texts = tf.constant([text for text, _ in toy_rows[80:]])
    found = serve(text=texts)
    plain = restored["plain"].serve(text=texts)["probabilities"].numpy()
    margins = np.log(plain[:, 1] / plain[:, 0]) / temperature
    np.testing.assert_allclose(found["probabilities"][:, 1], 1 / (1 + np.exp(-margins)), rtol=1e-4)
    is_good = [label == b"good" for label in found["label"].numpy()]
    assert is_good == (margins >= kept["decision"]["margin"]).tolist()
    assert tfft.evaluate(done.directory) == done.figures["test"]
    validation = done.figures["validation"]
    ids = np.array([label == "good" for _, label in toy_rows[80:100]]).astype(int)
    right = found["probabilities"].numpy()[np.arange(20), ids]
    assert validation["loss"] == pytest.approx(-np.log(right).mean(), rel=1e-4)


def test_unlike_texts_are_told_by_every_signature_that_answers(toy_config, toy_rows):
    done = tfft.train(toy_config, ["out_of_distribution={neighbors: 2, rows: 30}", "head.pooling=mean"])
    loaded = tf.saved_model.load(str(done.export)).signatures
    # The validation rows, which the scores are standard deviations of.
    texts = tf.constant([text for text, _ in toy_rows[80:100]])
    scores = loaded["serving_default"](text=texts)["ood_score"].numpy()
    assert np.mean(scores) == pytest.approx(0, abs=1e-3)
    assert 0 < np.std(scores) <= 1 + 1e-3  # less where the rows are alike beyond measure
    vectors = loaded["embed"](text=texts)["embedding"].numpy()
    model = finished.restore(done.directory)
    np.testing.assert_allclose(model.unlikeness(tf.constant(vectors)), scores, atol=1e-4)
    tokens = {name: values for name, values in model.preprocessor({"text": texts}).items()}
    np.testing.assert_allclose(loaded["tokens"](**tokens)["ood_score"], scores, atol=1e-4)
    assert out_of_distribution.from_bytes(
        (done.directory / run_folder.DESCRIPTION).with_name(classifier.KNOWN).read_bytes()
    ).vectors.shape == (30, 8)
    assert "ood_score" in tfft.predict(done.export, ["a great film"])[0]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task=regression", "calibration=temperature"], r"calibration: must not be set with a task"),
        (["training.monitor=val_auc"], r"training\.monitor: must be a value that this task measures, got"),
        (["threshold={positive: best}"], r"threshold\.positive: must be one of the labels.*bad, good"),
        (["training.micro_batch_size=9"], r"must be at most training\.batch_size, 8"),
        (["training.class_weights={nice: 2.0}"], r"training\.class_weights\.nice: must be the weight"),
        (["callbacks=[reduce_on_plateau]"], r"schedule: must be constant with the callback"),
        (["regularizers=[fgm]", "freeze=all"], r"must not be set where the token embeddings are frozen"),
        (["unfreezing=gradual"], r"unfreezing: must end before the run does"),
        (["optimizer.rates=[{layers: pooler, learning_rate: 0.1}]"], r"rates\.0\.layers: must match"),
    ],
)  # fmt: skip
def test_controls_that_do_not_fit_leave_nothing_behind(toy_config, tmp_path, overrides, message):
    with pytest.raises(SettingError, match=message):
        tfft.train(toy_config, overrides)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "overrides",
    [
        ["freeze=all"],
        ["lora={}"],
        ["freeze=all_but_biases"],
        ["freeze=[{layers: block 1, trainable: false}]"],
    ],
)
def test_what_is_reinitialized_must_train(toy_config, overrides):
    with pytest.raises(SettingError, match="must name blocks that train, or they would stay random"):
        tfft.train(toy_config, ["backbone.reinitialize_blocks=1", *overrides])


@pytest.mark.parametrize("name", ["mixout", "l2_sp"])
def test_a_pull_to_the_pretrained_needs_something_pretrained_that_trains(toy_config, name):
    with pytest.raises(SettingError, match="must not be set where nothing pretrained trains"):
        tfft.train(toy_config, ["freeze=all", f"regularizers=[{name}]"])


def test_gradual_unfreezing_passes_over_what_is_frozen_for_good(toy_config):
    finished = tfft.train(
        toy_config,
        ["unfreezing={name: gradual, every: 3 steps}", "freeze=[{layers: embeddings, trainable: false}]"],
    )
    phases = json.loads((finished.directory / "layers.json").read_text())
    assert [phase["first_step"] for phase in phases] == [1, 4, 7]


def test_a_version_is_published_for_every_best_epoch_and_none_twice(toy_config):
    finished = tfft.train(
        toy_config,
        ["callbacks=[saved_model_export]", "threshold={positive: good}", "training.epochs=4",
         "optimizer.learning_rate=0.02", "training.monitor=val_loss"],
    )  # fmt: skip
    losses = [float(row["val_loss"]) for row in history(finished)]
    best = [i for i, loss in enumerate(losses) if loss < min([*losses[:i], 9.0])]
    versions = sorted(int(path.name) for path in (finished.directory / "export").iterdir())
    assert versions == list(range(1, len(best) + 1))
    assert finished.export.name == str(versions[-1])
    # Each answers by a threshold of its own: the log tells one for each.
    log = (finished.directory / "log.txt").read_text()
    assert log.count("is answered from a probability") == len(best) + 1


def test_weights_of_rows_come_from_a_column_and_reach_the_loss(toy_config, tmp_path, toy_rows):
    def losses(weight):
        with open(tmp_path / "train.csv", "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("text", "label", "w"), *((*row, weight) for row in toy_rows[:80])])
        finished = tfft.train(
            toy_config,
            ["data.weight_column=w", "training.epochs=1", "optimizer.learning_rate=1e-9", "head.dropout=0",
             "backbone.dropout=0", f"run.directory={tmp_path}/{weight}"],
        )  # fmt: skip
        return float(history(finished)[0]["loss"])

    assert losses("0.5") == pytest.approx(losses("1") / 2, rel=1e-5)
    with pytest.raises(DataError, match=r"train\.csv: row 1 has the weight '-1', expected a number above 0"):
        losses("-1")


def test_rates_show_every_phase_without_training(toy_config, tmp_path):
    from tfft import config as settings

    read = settings.read(toy_config, ["unfreezing=lp_ft", "optimizer.layer_decay=0.5"])
    text = run.rates(read, tmp_path / "rates.png")
    assert "Phase 1 of 2, from step 1 on" in text
    assert "Phase 2 of 2, from step 11 on" in text
    assert "20 steps, 10 an epoch; the common rate is 0.001 in the first step" in text
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    run.rates(read, tmp_path / "rates.png")  # its own picture may be replaced
    (tmp_path / "mine.png").write_bytes(b"\x89PNG of a user")
    with pytest.raises(RunError, match=r"mine\.png exists and is no picture of tfft rates"):
        run.rates(read, tmp_path / "mine.png")
    with pytest.raises(RunError, match=r"nowhere/x\.png cannot be written"):
        run.rates(read, tmp_path / "nowhere" / "x.png")
    assert not (tmp_path / "run").exists()


def plan_of(settings, rows, replicas):
    facts = Facts(("bad", "good"))
    return recipe.plan(settings, recipe.model(settings, facts), rows, replicas)


@pytest.mark.parametrize(
    ("overrides", "replicas", "steps", "peaks"),
    [
        ([], 4, 10, (1.0, 2.0)),
        (["training.batch=per_replica"], 4, 3, (1.0, 2.0)),
        (["training.batch=per_replica", "training.rate_scaling=linear"], 4, 3, (4.0, 8.0)),
        (["training.batch=per_replica", "training.rate_scaling=sqrt"], 4, 3, (2.0, 4.0)),
        (["training.batch=per_replica", "training.rate_scaling=linear"], 1, 10, (1.0, 2.0)),
    ],
)
def test_what_more_replicas_do_to_batch_and_rates(toy_config, overrides, replicas, steps, peaks):
    chosen = ["optimizer.learning_rate=1e-3", "optimizer.head_learning_rate=2e-3", *overrides]
    plan = plan_of(config.read(toy_config, chosen), 80, replicas)
    assert plan.steps_per_epoch == steps
    (phase,) = plan.phases
    assert phase.peak == pytest.approx(1e-3 * peaks[0])
    highest = max(phase.multiplier_of.values()) * phase.peak
    assert highest == pytest.approx(1e-3 * peaks[1])


def test_the_rates_of_a_stage_are_scaled_too(toy_config):
    chosen = ["unfreezing=lp_ft", "training.batch=per_replica", "training.rate_scaling=linear"]
    one, four = (plan_of(config.read(toy_config, chosen), 800, replicas) for replicas in (1, 4))
    assert [phase.peak for phase in four.phases] == pytest.approx([4 * phase.peak for phase in one.phases])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["training.rate_scaling=sqrt"],
            r"training\.rate_scaling: must be none where training\.batch is global",
        ),
        (["training.batch_size=3"], r"training\.batch_size: must be at least the number of replicas, 4"),
    ],
)
def test_batches_that_cannot_be_shared_are_refused(toy_config, overrides, message):
    with pytest.raises(SettingError, match=message):
        plan_of(config.read(toy_config, overrides), 80, 4)
