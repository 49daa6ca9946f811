"""One YAML file describes a run: read it, complete it, and name all that is wrong with it.

The sections are frozen typed classes; the text beneath a field is its
documentation, here and in `tfft schema`. The config stops at the door: nothing
but `run.py` ever sees it.

All paths are relative to the folder in which the command is run.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from tfft import inputs, plugins, setting_problems, sources, yaml_file
from tfft.errors import ConfigError, DataError, SettingError
from tfft.plugins import PluginSettings, Settings


def _path_only(value: object) -> object:
    if isinstance(value, (str, Path)):
        return value
    raise PydanticCustomError("path", "must be a path")


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))


AbsolutePath = Annotated[
    Path,
    BeforeValidator(_path_only),
    AfterValidator(_absolute),
]


def _each_once(chosen: list[PluginSettings]) -> list[PluginSettings]:
    names = [plugin.name for plugin in chosen]
    if twice := [name for name in names if names.count(name) > 1]:
        raise PydanticCustomError("twice", f"must name each once, but has {twice[0]} twice")
    if {"ema", "swa"} <= set(names):
        raise PydanticCustomError("averages", "must hold ema or swa, for only one average can be validated")
    return chosen


def _listed(value: object) -> object:
    return [value] if isinstance(value, (str, Path)) else value


Origins = Annotated[
    list[str], Field(min_length=1), BeforeValidator(_listed, json_schema_input_type=str | list[str])
]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[
    Annotated[Fraction, Tag("share")] | Annotated[Origins, Tag("origins")],
    # By its shape, so that a fault is told of the form that was meant.
    Discriminator(lambda value: "share" if isinstance(value, (int, float)) else "origins"),
]


Rate = Annotated[float, Field(gt=0)]
_SELECTOR = r"^(embeddings|pooler|head|blocks? \d+(-\d+)?|name:.+)$"


class RateRule(Settings):
    """The peak learning rate of what one selector names."""

    layers: Annotated[str, Field(pattern=_SELECTOR)]
    """`embeddings`, `block 3`, `blocks 0-2`, `pooler`, `head`, or `name:PATTERN` with shell wildcards
    matched against a variable's path, as in `name:*/bias`."""
    learning_rate: Rate
    """Peak learning rate, which neither `layer_decay` nor `head_learning_rate` changes."""


class OptimizerSettings(PluginSettings):
    """What every optimizer takes."""

    learning_rate: Rate = 5e-5
    """Peak learning rate of the layers right above the blocks; without `layer_decay`, of all."""
    head_learning_rate: Rate | None = None
    """Peak learning rate of the head; null takes `learning_rate`."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Rate of a layer over the rate of the layer above it; 1 trains all layers at one rate."""
    rates: list[RateRule] = []
    """Rules before all that, of which the first that matches a variable decides its rate."""


class ScheduleSettings(PluginSettings):
    """What every schedule takes."""

    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of all steps over which the rate rises to its peak: in equal parts from the first step on, unless
    the schedule says otherwise."""


if TYPE_CHECKING:  # to a type checker, a choice is what its plug-ins have in common
    Augmentation = PluginSettings
    Callback = PluginSettings
    Loss = PluginSettings
    Preparation = PluginSettings
    Regularizer = PluginSettings
    Source = PluginSettings
    Splitter = PluginSettings
    Task = PluginSettings
    Unfreezing = PluginSettings
    Optimizer = OptimizerSettings
    Schedule = ScheduleSettings
else:
    Augmentation = plugins.choice("augmentations")
    Callback = plugins.choice("callbacks")
    Loss = plugins.choice("losses")
    Preparation = plugins.choice("preparation")
    Regularizer = plugins.choice("regularizers")
    Unfreezing = plugins.choice("unfreezing")
    Optimizer = plugins.choice("optimizers", OptimizerSettings, default="adamw")
    Schedule = plugins.choice("schedules", ScheduleSettings, default="linear")
    Source = plugins.choice("sources", default="delimited")
    Splitter = plugins.choice("splitters")
    Task = plugins.choice("tasks", default="text_classification")


class Fold(Settings):
    """One of the parts that the training rows are cut into, to be the test split."""

    folds: Annotated[int, Field(ge=2)]
    """How many there are."""
    number: Annotated[int, Field(ge=1)]
    """Which it is, from 1."""

    @field_validator("number")
    @classmethod
    def _is_there(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("folds", value):
            raise PydanticCustomError("fold", "must be at most the number of folds")
        return value


class Data(Settings):
    """Where the rows come from."""

    source: Source = Field("delimited", validate_default=True)
    """The format of the files: the name of a source, or a mapping with its settings."""
    train: Origins
    """Rows to learn from: a file, a pattern such as `rows/*.csv.gz`, or a list of those; of `tfds` and
    `hugging_face`, a split such as `train[:90%]`."""
    validation: Share = 0.1
    """Rows that choose the best epoch, or the share of the training rows to set aside for that, after those
    for `test`."""
    test: Share | None = None
    """Rows for the final figures, or the share of the training rows to set aside for that."""
    splitter: Splitter | None = None
    """How a share, or a fold, is drawn from the training rows: the name of a splitter, or a mapping with its
    settings. null takes `stratified` where a row has one label, and `random` elsewhere."""
    fold: Fold | None = None
    """The fold of the training rows that is the test split, as in `tfft cross-validate`; null for none."""
    text_column: str | Annotated[list[str], Field(min_length=2, max_length=2)] | None = None
    """Name of the column that holds the text, or a list of two for a pair of texts. In place of a name a
    template may join several columns, as in `"{title}: {body}"`. null takes what the task has: `text`."""
    label_column: str | None = None
    """Name of the column that holds what is to be answered. Numbers are kept as their text. null takes what
    the task has: `label`, or `labels` where a row may have several."""
    weight_column: str | None = None
    """Name of the column with each training row's weight in the loss, a number above 0; null for none."""
    on_bad_row: Literal["error", "skip"] = "error"
    """`error` ends the run when a row cannot be used; `skip` counts and lists such rows and goes on."""

    @field_validator("train", "validation", "test")
    @classmethod
    def _absolute_files(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, list) and "source" in info.data and _reads_files(info.data["source"].name):
            return [str(_absolute(origin)) for origin in value]
        return value

    @field_validator("fold")
    @classmethod
    def _is_the_test_split(cls, value: Fold | None, info: ValidationInfo) -> Fold | None:
        if value is not None and info.data.get("test") is not None:
            raise PydanticCustomError("fold", "must not be set with data.test, whose place it takes")
        return value

    @field_validator("text_column")
    @classmethod
    def _template(cls, value: Any) -> Any:
        if value is not None:
            try:
                inputs.read(value)
            except SettingError as error:
                raise PydanticCustomError("template", "{told}", {"told": error.problem}) from None
        return value


DropoutRate = Annotated[float, Field(ge=0, lt=1)]


class Dropout(Settings):
    """Dropout rates of the backbone by place; a place that is left out keeps the checkpoint's rate."""

    embeddings: DropoutRate | None = None
    """Rate after the embeddings."""
    attention: DropoutRate | None = None
    """Rate in the attention: of the probabilities in most families."""
    hidden: DropoutRate | None = None
    """Rate in the rest of the blocks."""


class Windows(Settings):
    """Overlapping windows over a long text; each has `sequence_length` tokens, and their vectors are pooled.

    Source: Pappagari et al. 2019, "Hierarchical Transformers for Long Document Classification", section 3.
    """

    at_most: Annotated[int, Field(ge=2)] = 4
    """Windows of one text; what they do not hold is cut off as `truncation` says."""
    overlap: Annotated[int, Field(ge=0)] = 32
    """Tokens that neighbouring windows share, so that no sentence is torn in all of them."""
    pooling: Literal["mean", "max"] = "mean"
    """How the vectors of the windows become one."""


class Backbone(Settings):
    """The pretrained backbone."""

    preset: Annotated[str, Field(min_length=1)]
    """KerasHub preset or handle (`bert_base_en_uncased`, `kaggle://…`, `hf://…`), a local folder in KerasHub
    or Hugging Face format, or `package:NAME==VERSION` for a Python package that carries a model as data."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the weights file, checked before it is read. A `package:` preset needs it."""
    sequence_length: Annotated[int, Field(ge=3)] = 128
    """Longest row in tokens, special tokens included; the rest of a longer row is cut off."""
    truncation: Literal["head", "tail", "head_and_tail"] = "head"
    """Which tokens of a longer text stay: the first, the last, or a quarter from the front and the rest from
    the end (Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?", section 5.3.1). Of a pair
    of texts, the longer gives way until both are equally long."""
    windows: Windows | None = None
    """Read a long text in several windows; null reads one."""
    dropout: (
        Annotated[
            Annotated[DropoutRate, Tag("rate")] | Annotated[Dropout, Tag("rates")],
            # By its shape, so that a fault is told of the form that was meant.
            Discriminator(lambda value: "rates" if isinstance(value, (dict, Dropout)) else "rate"),
        ]
        | None
    ) = None
    """Dropout rate of the parts that train, or a mapping with rates for `embeddings`, `attention` and
    `hidden`; null takes the checkpoint's own."""
    reinitialize_blocks: Annotated[int, Field(ge=0)] = 0
    """Blocks from the top that start from random weights, and with them the pooler; for few rows
    (Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning", section 5). 0 keeps all."""


class FreezeRule(Settings):
    """What happens to the layers that one selector names."""

    layers: Annotated[str, Field(pattern=r"^(embeddings|pooler|blocks? \d+(-\d+)?|name:.+)$")]
    """`embeddings`, `block 3`, `blocks 0-2`, `pooler`, or `name:PATTERN` with shell wildcards
    matched against a variable's path, as in `name:*/bias`."""
    trainable: bool
    """true trains them, false freezes them."""


class Lora(Settings):
    """Thin matrices that are learned beside the pretrained kernels, which stay (Hu et al. 2022)."""

    rank: Annotated[int, Field(ge=1)] = 8
    """Width of the thin matrices; more learns more and costs more."""
    alpha: Annotated[float, Field(gt=0)] = 16.0
    """Their product is scaled by alpha / rank."""
    targets: list[str] = []
    """Names of layers, as in `query`; none for query and value. An unknown name is answered with all."""


class Head(Settings):
    """The new layers on top of the backbone."""

    pooling: Literal["auto", "cls", "last", "mean", "max", "pooler"] = "auto"
    """How the token vectors become one: the first token, the last real one, their mean or maximum over the
    real tokens, or the checkpoint's own pooler. `auto` takes what the checkpoint declares, else the last
    token of a causal model (GPT-2, Llama, Gemma, …) and the mean of all others."""
    hidden_layers: list[Annotated[int, Field(ge=1)]] = []
    """Width of each dense layer between pooling and logits; none by default."""
    activation: Literal["gelu", "relu", "tanh", "silu"] = "gelu"
    """Activation of the hidden layers."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Dropout rate before each dense layer of the head."""
    initializer: Literal["truncated_normal", "glorot_uniform", "he_normal", "zeros"] = "truncated_normal"
    """Distribution of the first weights; `truncated_normal` has BERT's standard deviation, 0.02. `zeros` is
    of the last layer alone, for hidden layers of zeros would never learn."""


class Training(Settings):
    """How long, in what portions, and by which value the best epoch is chosen."""

    epochs: Annotated[int, Field(ge=1)] = 3
    """Passes over the training rows."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Rows per optimizer step, of all replicas together, as long as `batch` does not say otherwise."""
    batch: Literal["global", "per_replica"] = "global"
    """What `batch_size` counts: `global` the rows of all replicas together, so that a config means the same
    training on any number of devices, or `per_replica` those of each."""
    rate_scaling: Literal["none", "linear", "sqrt"] = "none"
    """What becomes of all peak rates where `batch: per_replica` makes the batch k times as large: they stay,
    or are multiplied by k (Goyal et al. 2017, section 2.1) or by its square root (Krizhevsky 2014,
    section 5)."""
    micro_batch_size: Annotated[int, Field(ge=1)] | None = None
    """Rows whose gradient is taken at a time, to save memory; the update is that of the whole batch.
    null takes all at once."""
    class_weights: Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None = None
    """Weight of each label's rows in the loss: `balanced` for the inverse of their number, with a mean of
    1 over the rows, or a mapping; a label that is not in it has 1. null weighs all rows alike."""
    sampling_exponent: Annotated[float, Field(ge=0, le=1)] | None = None
    """Draw rows with replacement, a label with n rows as often as n to this power says: 0 draws all
    labels equally often, 0.5 by the square root, 1 as they come (Kang et al. 2020, "Decoupling
    Representation and Classifier", equation 1). null sees each row once an epoch."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Type of the computations in training; weights and logits are float32 always, and so is the
    export. `mixed_float16` scales the loss, so that small gradients do not vanish."""
    jit: Literal["auto", "on", "off"] = "auto"
    """Compile the training step with XLA. `on` pads batches to multiples of 32 tokens, for XLA compiles
    anew for each shape; `auto` is `on` where there is a GPU and `off` elsewhere."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the split, the order of rows, the head's first weights and dropout."""
    monitor: Annotated[str, Field(pattern="^val_.+")] | None = None
    """The value that chooses the best epoch, such as the highest `val_accuracy` or `val_f1_macro`, or the
    lowest `val_loss`, which is always the plain loss of the task. null takes the task's own: `val_accuracy`,
    `val_loss` of several labels, `val_rmse` of numbers, `val_mae` of an order."""


class Threshold(Settings):
    """From which probability on the positive one of two labels is answered, as validation has it."""

    positive: str | None = None
    """The positive one of two labels; with the task `multi_label` it is left out, for each label has a
    threshold of its own, which makes its F1 largest."""
    metric: Literal["f1", "accuracy", "balanced_accuracy"] = "f1"
    """What the threshold between two labels makes largest: F1 of the positive one, accuracy, or the mean
    recall of both."""


class OutOfDistribution(Settings):
    """`ood_score`: how far a text is from the training rows, in deviations from validation's mean."""

    neighbors: Annotated[int, Field(ge=1)] = 5
    """Of the nearest training rows, whose mean distance counts."""
    rows: Annotated[int, Field(ge=1)] = 1000
    """Training rows at most that the export holds the vectors of, drawn by the seed."""


class Saves(Settings):
    """What a training that is cut off goes on from, bit by bit as if it had never stopped."""

    every_steps: Annotated[int, Field(ge=1)] | None = None
    """Steps between two saves; null for none by steps."""
    every_minutes: Annotated[float, Field(gt=0)] | None = 10.0
    """Minutes between two saves; null for none by time. One is made at the end of the training, and when
    Ctrl-C or SIGTERM comes, in any case."""
    keep: Annotated[int, Field(ge=1)] = 2
    """Saves that stay; should the newest be damaged, the one before it is taken. Each holds the weights and
    what the optimizer knows of each, with AdamW three times the weights, and what `ema`, `swa` and
    `nan_guard` keep of them. The weights of the best epoch are kept besides."""


class Export(Settings):
    """Where the SavedModel goes."""

    directory: AbsolutePath | None = None
    """Folder for the numbered versions; null is `export` in the run folder."""


class Run(Settings):
    """Where the run keeps its files."""

    directory: AbsolutePath | None = None
    """A folder that does not exist yet; null is `runs/NAME/TIME`, after the config's name."""


class Config(Settings):
    """A whole run, from labelled text to a SavedModel."""

    task: Task = Field("text_classification", validate_default=True)
    """What the model answers: the name of a task, or a mapping with its settings."""
    data: Data
    preparation: list[Preparation] = []
    """Steps that clean a text before the tokenizer, in their order, in training and in the export alike:
    names, or mappings with their settings. A pretrained encoder knows raw text, so none by default."""
    augmentations: list[Augmentation] = []
    """What changes the texts of training rows at random, anew in every epoch, before the preparation, in
    their order: names, or mappings with their settings. Validation, test and the export never see it.
    (`mixup`, which mixes vectors, is one of the regularizers.)"""
    backbone: Backbone
    freeze: Literal["none", "all", "all_but_biases"] | list[FreezeRule] = "none"
    """`none` trains the whole backbone, `all` only the head, `all_but_biases` the head and the backbone's
    biases (BitFit); or rules, of which the first that matches a variable decides. What no rule matches
    is trained."""
    unfreezing: Unfreezing | None = None
    """Stages in which more and more layers train; null trains what `freeze` leaves from the first step on."""
    lora: Lora | None = None
    """Learn thin matrices beside the backbone's kernels instead of the kernels; null trains the kernels."""
    head: Head = Head()
    loss: Loss | None = None
    """What training minimises: the name of a loss, or a mapping with its settings. null takes the task's own:
    `cross_entropy`, `binary_cross_entropy` of several labels, `mean_squared_error` of numbers, `cumulative`
    of an order."""
    regularizers: Annotated[list[Regularizer], AfterValidator(_each_once)] = []
    """Names of regularizers, or mappings with their settings; the first is innermost."""
    optimizer: Optimizer = Field("adamw", validate_default=True)
    """The name of an optimizer, or a mapping with its settings."""
    schedule: Schedule = Field("linear", validate_default=True)
    """The course of the learning rate: the name of a schedule, or a mapping with its settings."""
    training: Training = Training()
    strategy: Literal["auto", "one_device", "mirrored", "multi_worker", "tpu"] = "auto"
    """Where it trains: `auto` in several workers where `TF_CONFIG` or Slurm names them, else on all GPUs of
    the machine, else on one device; `mirrored` on all GPUs in one process, `multi_worker` in several
    processes, `tpu` on a TPU, which was never tried."""
    calibration: Literal["temperature"] | None = None
    """`temperature` divides the logits by the number with which validation has the lowest loss, so that
    probabilities mean what they say; null leaves them as training made them."""
    out_of_distribution: OutOfDistribution | None = None
    """Let the export tell how unlike the training rows a text is; null tells nothing."""
    threshold: Threshold | None = None
    """Tune the decision between two labels; null answers the likelier one."""
    callbacks: Annotated[list[Callback], AfterValidator(_each_once)] = Field(
        ["early_stopping", "tensorboard"], validate_default=True
    )
    """Names of callbacks, or mappings with their settings."""
    saves: Saves | None = Saves()
    """When the training is saved, to go on after an interruption; null saves nothing."""
    export: Export = Export()
    run: Run = Run()


def read(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a config file.

    Args:
        path: YAML file.
        overrides: Settings as `a.b=value` that replace those of the file, in order.

    Returns:
        The config, complete and valid; the data files that it names exist.

    Raises:
        ConfigError: Names every wrong key at once.
    """
    mapping, lines = yaml_file.read(path)
    for override in overrides:
        changed = yaml_file.override(path, mapping, override)
        lines = {key: line for key, line in lines.items() if key[: len(changed)] != changed}
    missing = _missing_files(mapping, lines)
    try:
        config = _validate(path, mapping, lines)
    except ConfigError as error:
        raise ConfigError(path, [*error.problems, *missing]) from None
    if missing:
        raise ConfigError(path, missing)
    return config


def with_fold(config: Config, number: int, folds: int) -> Config:
    """Return the config of the run that one fold of a cross-validation is, `number` from 1."""
    fold = Fold(folds=folds, number=number)
    return config.model_copy(update={"data": config.data.model_copy(update={"fold": fold})})


_FREE = ("run.", "export.", "saves.")


def differences(config: Config, other: Config) -> list[str]:
    """Return the dotted keys that differ, but for those that change nothing of what is learned."""
    one, two = (_flat(each.model_dump(mode="json")) for each in (config, other))
    keys = [key for key in {**one, **two} if one.get(key) != two.get(key)]
    return [key for key in keys if not f"{key}.".startswith(_FREE)]


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {key: value}
    parts = (_flat(part, f"{key}.{name}" if key else name) for name, part in value.items())
    return {name: leaf for part in parts for name, leaf in part.items()}


def _missing_files(mapping: dict[str, Any], lines: dict[tuple, int]) -> list[str]:
    """Return a line for each data file that is not there, whatever else is wrong."""
    data = mapping.get("data")
    if not isinstance(data, dict):
        return []
    source = data.get("source", "delimited")
    name = source.get("name", "delimited") if isinstance(source, dict) else source
    if name not in plugins.names("sources") or not _reads_files(name):
        return []
    missing = []
    for split in ("train", "validation", "test"):
        origins = _listed(data.get(split))
        for origin in origins if isinstance(origins, list) else []:
            try:
                sources.files(str(_absolute(str(origin))))
            except DataError as error:
                missing.append(f"data.{split}{setting_problems.line(('data', split), lines)}: {error}")
    return missing


def _reads_files(source: str) -> bool:
    return plugins.module("sources", source).READS == "files"


def restore(path: Path) -> Config:
    """Read the resolved config that a run keeps, whose data files may be gone."""
    return _validate(path, *yaml_file.read(path))


def to_yaml(config: Config) -> str:
    """Return the config with every default written out, as YAML that `read` accepts."""
    return yaml_file.write(config.model_dump(mode="json"))


def _validate(path: Path, mapping: dict[str, Any], lines: dict[tuple, int]) -> Config:
    try:
        # JSON mode, because strict Python mode takes no list for a tuple and no text for a path.
        config = Config.model_validate_json(json.dumps(mapping))
    except ValidationError as error:
        raise ConfigError(path, setting_problems.describe(error, Config, mapping, lines)) from None
    columns = _columns(config)
    if twice := [column for column in columns if columns.count(column) > 1]:
        where = setting_problems.line(("data",), lines)
        raise ConfigError(
            path,
            [
                f"data{where}: must have different columns for text, label, weight and splitter, "
                f"has {twice[0]!r} twice"
            ],
        )
    return config


def _columns(config: Config) -> list[str]:
    """Return the columns that are read, as the config or else the task names them.

    A splitter may go by a text that the model reads, too.
    """
    data, task = config.data, config.task
    built = plugins.load("tasks", task.name)(**task.arguments())
    text, label = built.columns
    texts = inputs.read(data.text_column or text).columns.values()
    others = [data.label_column or label, *filter(None, [data.weight_column])]
    by = getattr(data.splitter, "column", None)
    is_text = by in texts and not built.split  # words are a list, by which no splitter goes
    return [*texts, *others, *([] if by is None or is_text else [by])]
