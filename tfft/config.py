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

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from tfft import plugins, setting_problems, yaml_file
from tfft.errors import ConfigError
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
Fraction = Annotated[float, Field(gt=0, lt=1)]


class OptimizerSettings(PluginSettings):
    """What every optimizer takes."""

    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    """Peak learning rate of the layers right above the blocks; without `layer_decay`, of all."""
    head_learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate of the head; null takes `learning_rate`."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Rate of a layer over the rate of the layer above it; 1 trains all layers at one rate."""


class ScheduleSettings(PluginSettings):
    """What every schedule takes."""

    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of all steps over which the rate rises to its peak, in equal parts from the first step on."""


if TYPE_CHECKING:  # to a type checker, a choice is what its plug-ins have in common
    Callback = PluginSettings
    Optimizer = OptimizerSettings
    Schedule = ScheduleSettings
    Source = PluginSettings
    Task = PluginSettings
else:
    Callback = plugins.choice("callbacks")
    Optimizer = plugins.choice("optimizers", OptimizerSettings, default="adamw")
    Schedule = plugins.choice("schedules", ScheduleSettings, default="linear")
    Source = plugins.choice("sources", default="delimited")
    Task = plugins.choice("tasks", default="text_classification")


class Data(Settings):
    """Where the rows come from."""

    source: Source = Field("delimited", validate_default=True)
    """The format of the files: the name of a source, or a mapping with its settings."""
    train: AbsolutePath
    """File of rows to learn from."""
    validation: AbsolutePath | Fraction = 0.1
    """File of rows that choose the best epoch, or the share of the training rows to set aside for that,
    after those for `test`."""
    test: AbsolutePath | Fraction | None = None
    """File of rows for the final figures, or the share of the training rows to set aside for that."""
    text_column: str = "text"
    """Name of the column that holds the text."""
    label_column: str = "label"
    """Name of the column that holds the label. Numbers are kept as their text."""
    on_bad_row: Literal["error", "skip"] = "error"
    """`error` ends the run when a row cannot be used; `skip` counts and lists such rows and goes on."""


class Backbone(Settings):
    """The pretrained encoder."""

    preset: Annotated[str, Field(min_length=1)]
    """KerasHub preset or handle (`bert_base_en_uncased`, `kaggle://…`, `hf://…`), a local folder in KerasHub
    or Hugging Face format, or `package:NAME==VERSION` for a Python package that carries a model as data."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the weights file, checked before it is read. A `package:` preset needs it."""
    sequence_length: Annotated[int, Field(ge=3)] = 128
    """Longest row in tokens, [CLS] and [SEP] included; the rest of a longer row is cut off."""
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Dropout rate of the parts that train; null takes the checkpoint's own."""


class FreezeRule(Settings):
    """What happens to the layers that one selector names."""

    layers: Annotated[str, Field(pattern=r"^(embeddings|pooler|blocks? \d+(-\d+)?|name:.+)$")]
    """`embeddings`, `block 3`, `blocks 0-2`, `pooler`, or `name:PATTERN` with shell wildcards
    matched against a variable's path, as in `name:*/bias`."""
    trainable: bool
    """true trains them, false freezes them."""


class Head(Settings):
    """The new layers on top of the backbone."""

    pooling: Literal["auto", "cls", "mean", "max", "pooler"] = "auto"
    """How the token vectors become one: the first token, their mean or maximum over the real tokens, or the
    checkpoint's own pooler. `auto` takes what the checkpoint declares, else the mean."""
    hidden_layers: list[Annotated[int, Field(ge=1)]] = []
    """Width of each dense layer between pooling and logits; none by default."""
    activation: Literal["gelu", "relu", "tanh", "silu"] = "gelu"
    """Activation of the hidden layers."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Dropout rate before each dense layer of the head."""
    initializer: Literal["truncated_normal", "glorot_uniform", "he_normal", "zeros"] = "truncated_normal"
    """Distribution of the first weights; `truncated_normal` has BERT's standard deviation, 0.02."""


class Training(Settings):
    """How long, in what portions, and by which value the best epoch is chosen."""

    epochs: Annotated[int, Field(ge=1)] = 3
    """Passes over the training rows."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Rows per optimizer step."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the split, the order of rows, the head's first weights and dropout."""
    monitor: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    """The value that chooses the best epoch: the highest accuracy, or the lowest loss."""


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
    backbone: Backbone
    freeze: Literal["none", "all"] | list[FreezeRule] = "none"
    """`none` trains the whole backbone, `all` only the head; or rules, of which the first that matches a
    variable decides. What no rule matches is trained."""
    head: Head = Head()
    optimizer: Optimizer = Field("adamw", validate_default=True)
    """The name of an optimizer, or a mapping with its settings."""
    schedule: Schedule = Field("linear", validate_default=True)
    """The course of the learning rate: the name of a schedule, or a mapping with its settings."""
    training: Training = Training()
    callbacks: list[Callback] = Field(["early_stopping", "tensorboard"], validate_default=True)
    """Names of callbacks, or mappings with their settings."""
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


def _missing_files(mapping: dict[str, Any], lines: dict[tuple, int]) -> list[str]:
    """Return a line for each data file that is not there, whatever else is wrong."""
    data = mapping.get("data")
    return [
        f"data.{split}{setting_problems.line(('data', split), lines)}: no such file: "
        f"{_absolute(data[split])}. Correct the path; paths are relative to the current folder."
        for split in ("train", "validation", "test")
        if isinstance(data, dict) and isinstance(data.get(split), str)
        if not os.path.isfile(_absolute(data[split]))
    ]


def restore(path: Path) -> Config:
    """Read the resolved config that a run keeps, whose data files may be gone."""
    return _validate(path, *yaml_file.read(path))


def to_yaml(config: Config) -> str:
    """Return the config with every default written out, as YAML that `read` accepts."""
    return yaml_file.write(config.model_dump(mode="json"))


def _validate(path: Path, mapping: dict[str, Any], lines: dict[tuple, int]) -> Config:
    try:
        # JSON mode, because strict Python mode takes no list for a tuple and no text for a path.
        return Config.model_validate_json(json.dumps(mapping))
    except ValidationError as error:
        raise ConfigError(path, setting_problems.describe(error, Config, mapping, lines)) from None
