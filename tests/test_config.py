"""Tests of tfft/config.py."""

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tfft import config, plugins
from tfft.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = sorted((ROOT / "configs").glob("*.yaml"))
HASH = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a data file and an empty place for `c.yaml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("text,label\na,b\n")
    return tmp_path


def write(folder: Path, *lines: str) -> Path:
    """Write a config that is right but for `lines`, the first of which is line 5."""
    head = ("data:", "  train: rows.csv", "backbone:", "  preset: bert_tiny_en_uncased")
    path = folder / "c.yaml"
    path.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    return path


def problems(path: Path, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        config.read(path, overrides)
    return caught.value.problems


def test_the_smallest_config_is_completed(folder):
    assert config.read(write(folder)).model_dump(mode="json") == {
        "task": {"name": "text_classification"},
        "data": {
            "source": {
                "name": "delimited",
                "delimiter": None,
                "quote": '"',
                "encoding": "utf-8",
                "separator": None,
            },
            "train": [str(folder / "rows.csv")],
            "validation": 0.1,
            "test": None,
            "splitter": None,
            "fold": None,
            "text_column": None,
            "label_column": None,
            "weight_column": None,
            "on_bad_row": "error",
        },
        "backbone": {
            "preset": "bert_tiny_en_uncased",
            "sha256": None,
            "sequence_length": 128,
            "truncation": "head",
            "windows": None,
            "dropout": None,
            "reinitialize_blocks": 0,
        },
        "preparation": [],
        "augmentations": [],
        "freeze": "none",
        "unfreezing": None,
        "lora": None,
        "head": {
            "pooling": "auto",
            "hidden_layers": [],
            "activation": "gelu",
            "dropout": 0.1,
            "initializer": "truncated_normal",
        },
        "loss": None,
        "regularizers": [],
        "optimizer": {
            "name": "adamw",
            "learning_rate": 5e-5,
            "head_learning_rate": None,
            "layer_decay": 1.0,
            "rates": [],
            "weight_decay": 0.01,
            "beta_1": 0.9,
            "beta_2": 0.999,
            "epsilon": 1e-6,
            "clip_norm": 1.0,
        },
        "schedule": {"name": "linear", "warmup": 0.1, "end": 0.0},
        "training": {
            "epochs": 3,
            "batch_size": 32,
            "batch": "global",
            "rate_scaling": "none",
            "micro_batch_size": None,
            "class_weights": None,
            "sampling_exponent": None,
            "precision": "float32",
            "jit": "auto",
            "seed": 0,
            "monitor": None,
        },
        "strategy": "auto",
        "calibration": None,
        "out_of_distribution": None,
        "threshold": None,
        "callbacks": [
            {"name": "early_stopping", "monitor": None, "patience": 3, "min_delta": 0.0},
            {"name": "tensorboard", "update_freq": "epoch", "histogram_freq": 0},
        ],
        "saves": {"every_steps": None, "every_minutes": 10.0, "keep": 2},
        "export": {"directory": None},
        "run": {"directory": None},
    }


def test_differences_are_those_that_change_what_is_learned(folder):
    one = config.read(write(folder))
    other = config.read(
        write(folder),
        ["training.epochs=4", "optimizer.beta_1=0.8", "callbacks=[ema]", "run.directory=a", "saves.keep=3",
         "saves=null", "export.directory=b"],
    )  # fmt: skip
    assert config.differences(one, one) == []
    assert config.differences(one, other) == ["optimizer.beta_1", "training.epochs", "callbacks"]


def test_a_section_without_a_name_means_the_default_plug_in(folder):
    settings = config.read(write(folder, "schedule: {end: 0.5}", "optimizer: {epsilon: 1e-8}"))
    assert (settings.schedule.name, settings.schedule.end) == ("linear", 0.5)
    assert (settings.optimizer.name, settings.optimizer.epsilon) == ("adamw", 1e-8)


def test_a_plug_in_gets_its_own_arguments_and_not_the_familys(folder):
    settings = config.read(write(folder, "schedule: {name: cosine, end: 0.5, warmup: 0}"))
    assert settings.schedule.arguments() == {"end": 0.5}


def test_paths_are_absolute_and_know_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder / "home"))
    settings = config.read(write(folder, "run: {directory: ~/runs/a}", "export: {directory: b/../c}"))
    assert settings.run.directory == folder / "home" / "runs" / "a"
    assert settings.export.directory == folder / "c"


def test_overrides_come_last_and_in_order(folder):
    path = write(folder, "training:", "  epochs: 2")
    overrides = ["training.epochs=5", "training.epochs=7", "optimizer=adamw", "optimizer.epsilon=1e-8"]
    settings = config.read(path, [*overrides, "data.text_column=no"])
    assert settings.training.epochs == 7
    assert settings.optimizer.epsilon == 1e-8
    assert settings.data.text_column == "no"


def test_values_are_fixed(folder):
    with pytest.raises(ValueError, match="frozen"):
        config.read(write(folder)).training.epochs = 5


def test_what_is_written_out_is_read_back(folder):
    path = write(
        folder,
        "  sha256: " + HASH,
        "freeze:",
        "- {layers: embeddings, trainable: false}",
        "- {layers: 'name:*/bias', trainable: true}",
        "callbacks: [early_stopping, {name: tensorboard, update_freq: 10}]",
        "schedule: constant",
        "head: {hidden_layers: [4, 2]}",
        "run: {directory: naïve}",
    )
    settings = config.read(path)
    path.write_text(config.to_yaml(settings), encoding="utf-8")
    assert config.read(path) == settings
    assert config.to_yaml(config.read(path)) == config.to_yaml(settings)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029"), min_size=1)
SELECTORS = st.sampled_from(["embeddings", "pooler", "block 3", "blocks 0-2"]) | TEXTS.map("name:{!r}".format)


@settings(max_examples=40, deadline=None)
@given(
    preset=TEXTS
    | st.sampled_from(["no", "1e5", "2e-5", "08", "010", "1:30", "2024-01-01", "~", ".nan", "true"]),
    column=TEXTS | st.sampled_from(["1e5", "08", "null"]),
    rate=st.floats(min_value=0, max_value=1e6, exclude_min=True),
    share=st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True),
    seed=st.integers(0, 2**31 - 1),
    widths=st.lists(st.integers(1, 10**12)),
    rules=st.lists(st.fixed_dictionaries({"layers": SELECTORS, "trainable": st.booleans()})),
    update_freq=st.just("epoch") | st.integers(1),
)
def test_any_config_is_read_back(
    tmp_path_factory, preset, column, rate, share, seed, widths, rules, update_freq
):
    folder = tmp_path_factory.mktemp("config")
    (folder / "rows.csv").touch()
    whole = config.Config.model_validate_json(
        json.dumps(
            {
                "data": {"train": str(folder / "rows.csv"), "validation": share, "label_column": column},
                "backbone": {"preset": preset},
                "freeze": rules,
                "head": {"hidden_layers": widths},
                "optimizer": {"learning_rate": rate},
                "training": {"seed": seed},
                "callbacks": [{"name": "tensorboard", "update_freq": update_freq}],
            }
        )
    )
    (folder / "c.yaml").write_bytes(config.to_yaml(whole).encode("utf-8"))
    assert config.read(folder / "c.yaml") == whole


def test_a_run_restores_its_config_though_the_data_is_gone(folder):
    settings = config.read(write(folder))
    (folder / "config.yaml").write_text(config.to_yaml(settings))
    (folder / "rows.csv").unlink()
    assert config.restore(folder / "config.yaml") == settings


SCHEDULES = ", ".join(plugins.names("schedules"))
KNOWN = ", ".join(config.Config.model_fields)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["head:", "  poolng: cls"], "head.poolng (line 6): unknown key. Did you mean pooling?"),
        (
            ["optimizer: {layer_decai: 1}"],
            "optimizer.layer_decai (line 5): unknown key. Did you mean layer_decay?",
        ),
        (["xyz: 1"], f"xyz (line 5): unknown key. Known here: {KNOWN}."),
        (["<<: {head: {}}"], f"<< (line 5): unknown key. Known here: {KNOWN}."),
        (["training: {epochs: '3'}"], "training.epochs (line 5): must be a whole number, got '3'"),
        (["training: {epochs: true}"], "training.epochs (line 5): must be a whole number, got true"),
        (["training: {epochs: 3.0}"], "training.epochs (line 5): must be a whole number, got 3.0"),
        (["training: {epochs: 0}"], "training.epochs (line 5): must be at least 1, got 0"),
        (["training: {seed: -1}"], "training.seed (line 5): must be at least 0, got -1"),
        (
            ["training: {seed: 2147483648}"],
            "training.seed (line 5): must be below 2147483648, got 2147483648",
        ),
        (["training:"], "training (line 5): must hold keys and values, got null"),
        (["training: []"], "training (line 5): must hold keys and values, got []"),
        (["  sequence_length: 2"], "backbone.sequence_length (line 5): must be at least 3, got 2"),
        (["  dropout: 1"], "backbone.dropout (line 5): must be below 1, got 1"),
        (["  dropout: true"], "backbone.dropout (line 5): must be a number, got true"),
        (["  dropout: {hidden: 2}"], "backbone.dropout.hidden (line 5): must be below 1, got 2"),
        (
            ["  dropout: {hiden: 0.2}"],
            "backbone.dropout.hiden (line 5): unknown key. Did you mean hidden?",
        ),
        (["  sha256: abc"], "backbone.sha256 (line 5): must match pattern '^[0-9a-f]{64}$', got 'abc'"),
        (["  sha256: 123"], "backbone.sha256 (line 5): must be text, got 123; put it in quotes"),
        (
            ["  sha256: " + HASH.upper()],
            f"backbone.sha256 (line 5): must match pattern '^[0-9a-f]{{64}}$', got '{HASH.upper()}'",
        ),
        (
            ["optimizer: {learning_rate: .nan}"],
            "optimizer.learning_rate (line 5): must be a finite number, got nan",
        ),
        (
            ["optimizer: {learning_rate: .inf}"],
            "optimizer.learning_rate (line 5): must be a finite number, got inf",
        ),
        (
            ["optimizer: {learning_rate: 1e999}"],
            "optimizer.learning_rate (line 5): must be a finite number, got inf",
        ),
        (["optimizer: {learning_rate: 0}"], "optimizer.learning_rate (line 5): must be above 0, got 0"),
        (
            ["optimizer: {learning_rate: '1e-4'}"],
            "optimizer.learning_rate (line 5): must be a number, got '1e-4'",
        ),
        (["optimizer: 3"], "optimizer (line 5): must be a name, or a mapping with its settings, got 3"),
        (["optimizer:"], "optimizer (line 5): must be a name, or a mapping with its settings, got null"),
        (
            ["schedule: cosin"],
            f"schedule (line 5): unknown name 'cosin'. Known: {SCHEDULES}. Did you mean cosine?",
        ),
        (
            ["schedule:", "  name: zzz"],
            f"schedule.name (line 6): unknown name 'zzz'. Known: {SCHEDULES}.",
        ),
        (["schedule: {name: cosine, ende: 1}"], "schedule.ende (line 5): unknown key. Did you mean end?"),
        (["schedule: {ende: 1}"], "schedule.ende (line 5): unknown key. Did you mean end?"),
        (
            ["schedule: {name: constant, end: 1}"],
            "schedule.end (line 5): unknown key. Known here: name, warmup.",
        ),
        (
            ["head: {activation: swish}"],
            "head.activation (line 5): must be 'gelu', 'relu', 'tanh' or 'silu', got 'swish'",
        ),
        (["head: {hidden_layers: [8, 0]}"], "head.hidden_layers.1 (line 5): must be at least 1, got 0"),
        (["head: {hidden_layers: 8}"], "head.hidden_layers (line 5): must be a list, got 8"),
        (
            ["freeze: most"],
            "freeze (line 5): must be 'none', 'all' or 'all_but_biases' or a list, got 'most'",
        ),
        (["freeze: no"], "freeze (line 5): must be 'none', 'all' or 'all_but_biases' or a list, got 'no'"),
        (["freeze: [embeddings]"], "freeze.0 (line 5): must hold keys and values, got 'embeddings'"),
        (["freeze:", "- layers: pooler"], "freeze.0.trainable (line 6): is missing, and has no default"),
        (
            ["freeze:", "- layers: pooler", "  trainable: no"],
            "freeze.0.trainable (line 7): must be true or false, got 'no'",
        ),
        (["callbacks: early_stopping"], "callbacks (line 5): must be a list, got 'early_stopping'"),
        (["callbacks: [3]"], "callbacks.0 (line 5): must be a name, or a mapping with its settings, got 3"),
        (["callbacks: [{patience: 3}]"], "callbacks.0 (line 5): needs the key `name`"),
        (
            ["callbacks:", "- early_stopping", "- name: tensorboard", "  histogram_frec: 1"],
            "callbacks.1.histogram_frec (line 8): unknown key. Did you mean histogram_freq?",
        ),
        (
            ["callbacks:", "- name: early_stopping", "  patience: 0"],
            "callbacks.0.patience (line 7): must be at least 1, got 0",
        ),
        (
            ["callbacks: [{name: tensorboard, update_freq: batch}]"],
            "callbacks.0.update_freq (line 5): must be 'epoch' or a whole number, got 'batch'",
        ),
        (["export: {directory: 3}"], "export.directory (line 5): must be a path, got 3"),
        (["head: {}", "head: {}"], "line 6, column 1: not valid YAML: the key 'head' stands twice; keep one"),
    ],
)
def test_a_fault_is_named_with_key_line_expected_and_got(folder, lines, problem):
    assert problems(write(folder, *lines)) == (problem,)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("validation: 0", "data.validation (line 2): must be above 0, got 0"),
        ("validation: 20", "data.validation (line 2): must be below 1, got 20"),
        ("validation: .nan", "data.validation (line 2): must be a finite number, got nan"),
        ("test: false", "data.test (line 2): must be a number, got false"),
        ("text_column: 1", "data.text_column (line 2): must be text or a list, got 1"),
        (
            "splitter: grup",
            "data.splitter (line 2): unknown name 'grup'. Known: group, hash, random, "
            "stratified, time. Did you mean group?",
        ),
        ("splitter: group", "data.splitter.column (line 2): is missing, and has no default"),
        (
            "splitter: {name: random, column: a}",
            "data.splitter.column (line 2): unknown key. Known here: name.",
        ),
        ("fold: {folds: 1, number: 1}", "data.fold.folds (line 2): must be at least 2, got 1"),
        (
            "fold: {folds: 2, number: 3}",
            "data.fold.number (line 2): must be at most the number of folds, got 3",
        ),
        (
            "fold: {folds: 2, number: 1}\n  test: 0.1",
            "data.fold (line 2): must not be set with data.test, whose place it takes, got "
            "{'folds': 2, 'number': 1}",
        ),
        ("on_bad_row: no", "data.on_bad_row (line 2): must be 'error' or 'skip', got 'no'"),
        (
            "source: {delimiter: ;;}",
            "data.source.delimiter (line 2): must have at most 1 character, got ';;'",
        ),
        ("source: {name: jsonl, quote: x}", "data.source.quote (line 2): unknown key. Known here: name."),
        (
            "source: csv",
            "data.source (line 2): unknown name 'csv'. Known: " + ", ".join(plugins.names("sources")) + ".",
        ),
    ],
)
def test_a_fault_in_data_is_named(folder, line, problem):
    path = folder / "c.yaml"
    path.write_text(f"data:\n  {line}\n  train: rows.csv\nbackbone:\n  preset: x\n")
    assert problems(path) == (problem,)


def test_all_faults_are_named_at_once(folder):
    path = folder / "c.yaml"
    path.write_text(
        "data:\n"
        "  text_colum: message\n"
        "backbone:\n"
        "  preset: bert_tiny_en_uncased\n"
        "  sequence_length: '64'\n"
        "schedule: cosin\n"
        "training:\n"
        "  epochs: 0\n"
        "freeze: most\n"
    )
    with pytest.raises(ConfigError) as caught:
        config.read(path)
    assert str(caught.value).splitlines() == [
        f"{path}: 6 problems",
        "  data.train (line 1): is missing, and has no default",
        "  data.text_colum (line 2): unknown key. Did you mean text_column?",
        "  backbone.sequence_length (line 5): must be a whole number, got '64'",
        "  freeze (line 9): must be 'none', 'all' or 'all_but_biases' or a list, got 'most'",
        f"  schedule (line 6): unknown name 'cosin'. Known: {SCHEDULES}. Did you mean cosine?",
        "  training.epochs (line 8): must be at least 1, got 0",
    ]


def test_missing_sections_are_named(folder):
    (folder / "c.yaml").write_text("freeze: all\n")
    assert problems(folder / "c.yaml") == (
        "data: is missing, and has no default",
        "backbone: is missing, and has no default",
    )


def test_an_empty_preset_is_refused(folder):
    (folder / "c.yaml").write_text("data: {train: rows.csv}\nbackbone: {preset: ''}\n")
    assert problems(folder / "c.yaml") == (
        "backbone.preset (line 2): must have at least 1 character, got ''",
    )


def test_all_missing_data_files_are_named_with_their_lines(folder):
    (folder / "c.yaml").write_text(
        "data:\n  train: a.csv\n  validation: rows.csv\n  test: ~nobody-here/b.csv\nbackbone: {preset: x}\n"
    )
    assert problems(folder / "c.yaml") == tuple(
        f"data.{split} (line {line}): {folder / file}: no such file or folder. In {folder} there is {there}. "
        "Correct the path, or bring the file back."
        for split, line, file, there in [
            ("train", 2, "a.csv", "'rows.csv'"),
            ("test", 4, "~nobody-here/b.csv", "'c.yaml', 'rows.csv'"),
        ]
    )


def test_what_cannot_be_a_data_file_is_missing(folder):
    assert ": no such file or folder. In" in problems(write(folder), f"data.train={'x' * 1000}")[0]


def test_several_files_patterns_and_splits(folder):
    (folder / "more.csv").write_text("text,label\na,b\n")
    read = config.read(write(folder), ["data.train=[rows.csv, m*.csv]", "data.validation=rows.csv"]).data
    assert read.train == [str(folder / "rows.csv"), str(folder / "m*.csv")]
    assert read.validation == [str(folder / "rows.csv")]
    assert problems(write(folder), "data.train=n*.csv") == (
        f"data.train: {folder}/n*.csv: no file matches this pattern. In {folder} there is 'c.yaml', "
        "'more.csv', 'rows.csv'. Correct the path, or bring the file back.",
    )
    read = config.read(
        write(folder), ["data.source={name: tfds, dataset: glue/sst2}", "data.train=train[:90%]"]
    ).data
    assert read.train == ["train[:90%]"]


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("'{}'", "must be a template such as '{title}: {body}' (it names no column), got '{}'"),
        ("[a]", "must be text or must have at least 2 items after validation, not 1, got ['a']"),
        (
            "['{b}', '{}']",
            "must be a template such as '{title}: {body}' (it names no column), got ['{b}', '{}']",
        ),
    ],
)
def test_a_column_that_cannot_be_is_told(folder, column, problem):
    assert problems(write(folder), f"data.text_column={column}") == (f"data.text_column: {problem}",)


def test_a_value_from_the_command_line_has_no_line(folder):
    path = write(folder, "training:", "  epochs: 2", "callbacks: [{name: early_stopping, patience: 1}]")
    overrides = ("training.epochs=0", "callbacks.0.patience=0", "optimizer.epsilom=1", "head={dropout: 2}")
    assert problems(path, *overrides) == (
        "head.dropout: must be below 1, got 2",
        "optimizer.epsilom: unknown key. Did you mean epsilon?",
        "training.epochs: must be at least 1, got 0",
        "callbacks.0.patience: must be at least 1, got 0",
    )


def described(schema: dict):
    """Yield (place, schema) of every property, the definitions' too; a section tells its own purpose."""
    for name, part in [("Config", schema), *schema.get("$defs", {}).items()]:
        for key, inner in part["properties"].items():
            section = schema["$defs"][inner["$ref"].removeprefix("#/$defs/")] if "$ref" in inner else {}
            yield f"{name}.{key}", section | inner


def test_every_setting_has_a_description():
    schema = config.Config.model_json_schema()
    places = dict(described(schema))
    assert {"Config.freeze", "Data.train", "optimizers_adamw.epsilon", "Run.directory"} <= set(places)
    assert [place for place, inner in places.items() if not inner.get("description")] == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_schema_accepts_the_shipped_configs(path):
    schema = Draft202012Validator(config.Config.model_json_schema())
    written = config.yaml_file.read(path)[0]
    assert schema.is_valid(written)
    assert schema.is_valid(written | {"optimizer": "adamw", "schedule": "cosine"})
    assert not schema.is_valid(written | {"optimizr": "adamw"})
    assert not schema.is_valid(written | {"optimizer": "no_such"})
    assert not schema.is_valid(written | {"freeze": "most"})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_config_is_complete_and_means_the_same_written_out(path, tmp_path):
    settings = config.restore(path)
    (tmp_path / "c.yaml").write_text(config.to_yaml(settings), encoding="utf-8")
    assert config.restore(tmp_path / "c.yaml") == settings
    # Any other YAML 1.1 reader takes it for the same, but for no number or word.
    assert yaml.safe_load(config.to_yaml(settings)) == settings.model_dump(mode="json")


def test_the_embedded_example_needs_nothing_else(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert config.read(ROOT / "configs" / "support_intents.yaml").data.train == [
        str(ROOT / "configs" / "data" / "support_intents" / "train.csv")
    ]


def test_a_missing_file_is_named_beside_a_wrong_key(folder):
    path = write(folder, "traning: {}")
    path.write_text(path.read_text().replace("rows.csv", "nope.csv"))
    found = problems(path)
    assert len(found) == 2
    assert found[0].startswith("traning (line 5): unknown key. Did you mean training?")
    assert found[1].startswith(f"data.train (line 2): {folder}/nope.csv: no such file or folder.")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("callbacks=[nan_guard, nan_guard]", "callbacks: must name each once, but has nan_guard twice"),
        ("callbacks=[ema, swa]", "callbacks: must hold ema or swa, for only one average can be validated"),
        ("regularizers=[l2, l2]", "regularizers: must name each once, but has l2 twice"),
        (
            "data.weight_column=label",
            "data (line 1): must have different columns for text, label, weight and splitter, "
            "has 'label' twice",
        ),
        (
            "data.splitter={name: group, column: label}",
            "data (line 1): must have different columns for text, label, weight and splitter, "
            "has 'label' twice",
        ),
        ("unfreezing={name: gradual, every: 0 epochs}", "unfreezing.every: must be longer than nothing"),
        ("unfreezing={name: gradual, every: soon}", "unfreezing.every: must match pattern"),
    ],
)
def test_settings_that_do_not_go_together(folder, override, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        config.read(write(folder), [override])
