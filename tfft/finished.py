"""What is done with a run that is there: measure it, export it, ask it.

Besides `run.py`, which makes runs, the one file that sees a config: that of the run's folder.
"""

import functools
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from pyarrow import csv

from tfft import (
    classifier,
    config,
    dataset,
    imbalance,
    inference,
    inputs,
    plugins,
    run_folder,
    saved_model,
    server_files,
    sources,
    splits,
    tables,
    token_ids,
)
from tfft.classifier import Classifier
from tfft.config import Config
from tfft.errors import DataError, RunError, SettingError
from tfft.inputs import Inputs
from tfft.plugins import PluginSettings
from tfft.ragged import Ragged
from tfft.splitters import Basis, Splitter
from tfft.tasks import Report, Task

_log = logging.getLogger("tfft")
_PREDICT = 64  # rows at a time
_SPLIT_BY = "data.splitter"  # a column's name here; no text has a name with a dot


@dataclass(frozen=True)
class Answer:
    """What answers rows.

    Attributes:
        ask: Rows, a text by the name of each column, to the outputs of the task for each, but for
            `probabilities`.
        columns: Names of the columns that it takes.
    """

    ask: Callable[[Sequence[Mapping[str, str]]], list[dict]]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Labelled:
    """Rows that a run was measured on, for another that answers them.

    Attributes:
        split: Their name.
        sha256: Of the rows.
        columns: Texts by the name of each column that the model takes.
        judge: Outputs, lists by their names, to a figure's name and value.
    """

    split: str
    sha256: str
    columns: Mapping[str, Sequence[str]]
    judge: Callable[[Mapping[str, Sequence[Any]]], tuple[str, float]]


def labelled(directory: Path) -> Labelled:
    """Return the test rows of a run or, where there are none, its validation rows.

    Raises:
        RunError: The answers of its task cannot be laid beside them.
    """
    directory = run_folder.existing(directory)
    settings = config.restore(directory / "config.yaml")
    task = task_of(settings)
    if (judge := task.judge) is None:
        raise RunError(
            f"{directory}: answers of the task {settings.task.name} cannot be laid beside its rows."
        )
    name, part = split_of(settings, directory, None)
    facts = restore(directory).facts
    columns = {column: part.table[column].to_pylist() for column in inputs_of(settings).columns}
    targets = task.encode(part.table["label"], facts, f"data.{name}")
    return Labelled(name, part.source["sha256"], columns, lambda answers: judge(answers, targets, facts))


def evaluate(directory: Path, *, split: str | None = None, file: Path | None = None) -> dict:
    """Measure a run on one of its splits or on any file of labelled rows.

    Args:
        directory: The run's folder.
        split: `train`, `validation` or `test`; None takes the test split, or the
            validation split where there is none.
        file: A file in the format of the run's config, instead of a split.

    Returns:
        The figures, as in `evaluation/*.json`.
    """
    directory = run_folder.existing(directory)
    settings = config.restore(directory / "config.yaml")
    if file is not None:
        # Named so that `evaluation/test.json` stays that of the run's own split.
        table, name = _read(settings, [str(file)]).table, f"input-{Path(file).stem}"
        where = str(file)
    else:
        name, part = split_of(settings, directory, split)
        table, where = part.table, f"data.{name}"
    model, task = restore(directory), task_of(settings)
    targets = task.encode(table["label"], model.facts, where)
    return measure(task, model, table, tokenize(model, table), targets, name, directory)


def split_of(settings: Config, directory: Path, split: str | None) -> tuple[str, splits.Rows]:
    """Return the name and the rows of one of a run's splits, which are those that it had.

    Args:
        settings: Of the run.
        directory: The run's folder.
        split: As in `evaluate`.

    Raises:
        SettingError: The run has no such split.
        DataError: Its rows have changed.
    """
    rows = read_splits(settings)
    name = split or ("test" if "test" in rows else "validation")
    if name not in rows:
        raise SettingError("--split", name, "must be a split of the run", fix=f"It has {', '.join(rows)}.")
    check_unchanged(directory, name, rows)
    return name, rows[name]


def export(directory: Path, *, base: Path | None = None) -> Path:
    """Write a run's model as the next version of a SavedModel, proved to answer alike.

    Args:
        directory: The run's folder.
        base: Folder of the numbered versions; None takes the config's, else `export` in the run.

    Returns:
        The folder of the version.
    """
    directory = run_folder.existing(directory)
    settings = config.restore(directory / "config.yaml")
    base = Path(base or settings.export.directory or directory / "export")
    saved_model.check(base)
    rows = run_folder.read_json(directory / run_folder.PROOF_ROWS)
    return publish(restore(directory), base, rows, directory)


def answer(where: Path) -> Answer:
    """Return the function from texts to answers of a run or of an export.

    Args:
        where: A run's folder, an export's version, or the folder of an export's versions,
            of which the newest answers.

    Returns:
        What answers, and the names of the columns that it takes.
    """
    where = Path(where)
    if version := saved_model.newest(where):
        serve = saved_model.load(version)
    elif where.is_dir() and (where / "config.yaml").is_file():
        serve = restore(run_folder.existing(where)).serve
    else:
        raise RunError(f"{where} is neither a run folder nor an export. Name a folder that tfft train made.")

    def ask(rows: Sequence[Mapping[str, str]]) -> list[dict]:
        answers = serve(**{name: tf.constant([row[name] for row in rows], tf.string) for name in columns})
        # Sorted, for a loaded export has them in any order.
        values = {name: answers[name].numpy() for name in sorted(answers) if name != "probabilities"}
        return [_row({name: found[row] for name, found in values.items()}) for row in range(len(rows))]

    columns = tuple(serve.structured_input_signature[1])
    return Answer(ask, columns)


def _row(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return one row's outputs as text, numbers and lists, without what fills lists up.

    Lists of which one is text, which is not empty, are as long as that; those whose names begin alike,
    up to an underline, go together.
    """
    given: dict[str, int] = {}
    for name, value in outputs.items():
        if isinstance(value, np.ndarray) and value.dtype == object:
            group = name.rpartition("_")[0]
            given[group] = max(given.get(group, 0), sum(map(bool, value)))
    row: dict[str, Any] = {}
    for name, value in outputs.items():
        plain = value if isinstance(value, bytes) else value.tolist()
        length = given.get(name.rpartition("_")[0])
        row[name] = [*map(_text, plain[:length])] if isinstance(plain, list) else _text(plain)
    return row


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def ask(where: Path, rows: Sequence[str | Mapping[str, str]]) -> list[dict]:
    """Return the answer to each row.

    Args:
        where: As in `answer`.
        rows: Texts or, for a model that reads several columns, a text by the name of each.

    Raises:
        DataError: A row lacks a column.
    """
    found = answer(where)
    whole = [{found.columns[0]: row} if isinstance(row, str) else row for row in rows]
    for number, row in enumerate(whole, start=1):
        if absent := [name for name in found.columns if name not in row]:
            raise DataError(
                f"Row {number} has no {' and no '.join(map(repr, absent))}; this model reads "
                f"{', '.join(found.columns)}. Give each row as a mapping from those names to texts."
            )
    return found.ask(whole)


def predict(found: Answer, batches: Iterable[pa.RecordBatch]) -> Iterator[dict]:
    """Answer rows as they come, in constant memory.

    Args:
        found: What `answer` returned.
        batches: Record batches of text, with columns by the names that the model has for them.

    Yields:
        For each row its texts and the answer.
    """
    for batch in batches:
        for start in range(0, batch.num_rows, _PREDICT):
            rows = batch.slice(start, _PREDICT).to_pylist()
            for row, given in zip(rows, found.ask(rows), strict=True):
                yield row | given


def task_of(settings: Config) -> Task:
    """Return the task that a config names."""
    return plugins.load("tasks", settings.task.name)(**settings.task.arguments())


def inputs_of(settings: Config) -> Inputs:
    """Return what a row gives to the model.

    Raises:
        SettingError: Words are to come from more than one column.
    """
    task, column = task_of(settings), settings.data.text_column
    found = inputs.read(column or task.columns[0])
    if task.split and found.texts != ("{text}",):
        raise SettingError(
            "data.text_column",
            column,
            f"must be the name of one column of words with the task {settings.task.name}",
            fix="Give one name.",
        )
    return found


def tokenize(model: Classifier, table: pa.Table) -> tuple[Ragged, ...]:
    """Return the token ids of all rows, of each text; of words, their ids and how many each word has."""
    read, tokenizer = model.preprocessor.read, model.preprocessor.tokenizer
    files = {name: hashlib.sha256(content).hexdigest() for name, content in tokenizer.files.items()}
    identity = (
        {key: model.description[key] for key in ("inputs", "preparation")}
        | {"files": files}
        | {key: model.description["preprocessor"][key] for key in ("tokenizer", "tokenization")}
    )
    texts = table.select([*read.columns])
    return token_ids.of(texts, model.preprocessor.parts, model.preprocessor.tokenize, identity)


def lengths(model: Classifier, tokens: Sequence[Ragged]) -> np.ndarray:
    """Return the tokens of each row in all its texts, int64 `[rows]`."""
    return token_ids.lengths(tokens[: len(model.preprocessor.read.texts)])


def read_splits(settings: Config) -> dict[str, splits.Rows]:
    """Return the rows of `train`, `validation` and, where there is one, `test`, and tell how they came."""
    files = read_files(settings)
    rows = split(settings, files, folds_of(settings, files["train"]))
    tell_split(settings, rows)
    return rows


def read_files(settings: Config) -> dict[str, splits.Rows]:
    """Return the rows of the splits that a config names files for; `train` whole, as yet.

    Raises:
        SettingError: There is a splitter, and nothing to split.
    """
    data = settings.data
    is_split = data.fold is not None or any(isinstance(s, float) for s in (data.validation, data.test))
    if data.splitter is not None and not is_split:
        raise SettingError(
            "data.splitter",
            data.splitter.name,
            "must not be set where neither data.validation nor data.test is a share",
            fix="Remove it, or set one of the two to a share such as 0.1.",
        )
    by = _splitter(settings)[1].column
    is_text = by in inputs_of(settings).columns.values()
    more = {"weight": data.weight_column, _SPLIT_BY: None if is_text else by}
    wanted = {name: column for name, column in more.items() if column is not None}
    rows = {"train": _read(settings, data.train, wanted)}
    for name in ("test", "validation"):
        if isinstance(origin := getattr(data, name), list):
            rows[name] = _read(settings, origin)
    return rows


def split(settings: Config, files: Mapping[str, splits.Rows], fold_of: np.ndarray) -> dict[str, splits.Rows]:
    """Return the rows of each split, what is a share or a fold taken from `train`.

    Args:
        settings: The config.
        files: What `read_files` returned.
        fold_of: What `folds_of` returned.
    """
    data, seed, rows = settings.data, settings.training.seed, dict(files)
    chosen, splitter = _splitter(settings)
    record = {"splitter": {"name": chosen.name, **chosen.arguments()}, "seed": seed}
    cut = []
    # Test first, so that the test rows stay the same whatever share validation gets.
    for name in ("test", "validation"):
        share = getattr(data, name)
        if name == "test" and data.fold is not None:
            places, how = np.flatnonzero(fold_of == data.fold.number - 1), data.fold.model_dump()
        elif isinstance(share, float):
            basis = _basis(settings, splitter, rows["train"])
            places, how = splitter.set_aside(basis, share, seed, name), {"fraction": share}
        else:
            continue
        rows["train"], rows[name] = splits.set_aside(
            rows["train"], places, {"share_for": name, **how, **record}
        )
        cut.append(name)
    for name in ("train", *cut) if cut else ():
        part = rows[name]
        extent = splitter.tell(_basis(settings, splitter, part))
        columns = [column for column in part.table.column_names if column != _SPLIT_BY]
        source = part.source | ({"extent": extent} if extent else {})
        rows[name] = replace(part, table=part.table.select(columns), source=source)
    return {name: rows[name] for name in ("train", "validation", "test") if name in rows}


def folds_of(settings: Config, rows: splits.Rows) -> np.ndarray:
    """Return the fold of each training row, from 0, int `[rows]`; nothing where there are no folds."""
    if (fold := settings.data.fold) is None:
        return np.zeros(0, np.int64)
    splitter = _splitter(settings)[1]
    return splitter.folds(_basis(settings, splitter, rows), fold.folds, settings.training.seed)


def tell_split(settings: Config, rows: Mapping[str, splits.Rows]) -> None:
    """Tell how many rows each split was given, and whether some texts stand in two."""
    cut = [name for name, part in rows.items() if "splitter" in part.source]
    if not cut:
        return
    chosen, splitter = _splitter(settings)
    by = f" ({splitter.column})" if splitter.column is not None else ""
    parts = []
    for name in ("train", *cut):
        source = rows[name].source
        extent = "".join(f", {key} {value}" for key, value in source.get("extent", {}).items())
        parts.append(f"{name} {source['rows']} rows{extent}")
    _log.info(f"Splitter {chosen.name}{by}: {'; '.join(parts)}")
    if chosen.name not in ("random", "stratified"):
        return
    texts = [*inputs_of(settings).columns]
    for name in cut:
        table = rows[name].table
        if shared := splits.count_shared(table.select(texts), rows["train"].table.select(texts)):
            _log.warning(
                f"Warning: {shared} of {table.num_rows} {name} rows ({shared / table.num_rows:.1%}) have a "
                "text that a training row has, too, which flatters the figures. With data.splitter: hash, "
                "equal texts stay on one side."
            )


def row_weights(rows: splits.Rows) -> np.ndarray:
    """Return the weight of each row in the loss, float64 `[rows]`, 1 where there is no column of weights."""
    if "weight" not in rows.table.column_names:
        return np.ones(rows.table.num_rows)
    return imbalance.row_weights(rows.table["weight"], "data.weight_column")


def restore(directory: Path) -> Classifier:
    """Return the model that a run keeps: in float32, LoRA merged."""
    return classifier.restore(
        directory / run_folder.DESCRIPTION,
        directory / run_folder.WEIGHTS,
    )


def outputs(part: keras.Model, model: Classifier, tokens: Sequence[Ragged], title: str) -> np.ndarray:
    """Return what a part of the model gives for all rows, in their order.

    Returns:
        float32 `[rows, width]`; where each word has outputs of its own, `[words, width]`.
    """
    batches, order = dataset.in_order(lengths(model, tokens), batch_size=_PREDICT)
    taken = dataset.once(dataset.of_tokens(tokens, model.preprocessor.pack), batches)
    if len(part.output.shape) == 3:
        return inference.outputs_of_words(part, taken, order, tokens[1].lengths, title)
    return inference.outputs(part, taken, order, title)


def measure(
    task: Task,
    model: Classifier,
    rows: pa.Table,
    tokens: Sequence[Ragged],
    targets: np.ndarray,
    name: str,
    directory: Path,
) -> dict:
    """Write and tell the figures of the model's answers to some rows, and return them.

    Args:
        task: Of the run.
        model: Of the run.
        rows: With the columns that the model takes.
        tokens: Their token ids, of each text.
        targets: What is to be answered, as the task encodes it.
        name: Of the split or file, and so of the files below `evaluation/`.
        directory: The run's folder.
    """
    logits = outputs(model.whole, model, tokens, f"evaluating {name}")
    texts = rows.select([*model.preprocessor.read.columns])
    report = task.report(logits, targets, model.facts, model.description["decision"], texts, name)
    keep_report(report, name, directory)
    return report.figures


def keep_report(report: Report, name: str, directory: Path) -> None:
    """Write a report below `evaluation/`, and tell it."""
    run_folder.write_json(directory / "evaluation" / f"{name}.json", report.figures)
    wrong = pa.BufferOutputStream()
    csv.write_csv(report.wrong, wrong)
    text = wrong.getvalue().to_pybytes().decode("utf-8")
    run_folder.write_text(directory / "evaluation" / f"{name}-wrong.csv", text)
    _log.info(report.headline)
    for table in report.tables:
        _log.info(tables.text(table))


def publish(
    model: Classifier, base: Path, rows: Sequence[Mapping[str, str]], directory: Path | None = None
) -> Path:
    """Write a model as the next version below `base`, proved on `rows`, and return its folder.

    Args:
        model: What answers.
        base: Folder of the numbered versions.
        rows: A text for each column.
        directory: The run's folder, whose config, data and figures the export tells of; None tells nothing.
    """
    version, proof = write(model, base, rows, {} if directory is None else about_run(directory))
    _log.info(
        f"Exported {version} ({proof['bytes'] / 1e6:.1f} MB); a clean process gave the same answers to "
        f"{proof['texts_compared']} texts, numbers within {proof['largest_difference']:.1e}"
    )
    try:
        for told in server_files.write(base):
            _log.info(told)
    except OSError as error:  # the export is good without them
        _log.warning(f"Warning: the settings of TensorFlow Serving cannot be written: {error}")
    return version


def write(
    model: Classifier, base: Path, rows: Sequence[Mapping[str, str]], about: Mapping[str, Any]
) -> tuple[Path, dict[str, Any]]:
    """Write a model as the next version below `base`, with all its signatures, and say nothing of it.

    Args:
        model: What answers.
        base: Folder of the numbered versions.
        rows: A text for each column, to prove it on.
        about: What the manifest tells besides what the model itself tells.

    Returns:
        As `saved_model.write`.
    """
    about = {**_about(model), **about}
    facts = {
        "task": about["task"],
        "columns": [*model.preprocessor.read.columns],
        "sequence_length": about["sequence_length"],
        "versions": [f"{name} {version}" for name, version in about["packages"].items()],
    } | ({"labels": about["labels"]} if about["labels"] else {})
    return saved_model.write(
        model.serve,
        model.whole,
        model.preprocessor,
        base,
        rows,
        others=model.signatures.others(facts),
        about=about,
    )


def _about(model: Classifier) -> dict[str, Any]:
    return {
        "task": model.description["task"]["name"],
        "labels": [*model.facts.labels],
        "sequence_length": model.preprocessor.sequence_length,
        "preset": model.description["preset"],
        "packages": run_folder.packages(),
    }


def about_run(directory: Path) -> dict[str, Any]:
    """Return what an export tells of its run; figures are there when the training is done."""
    data = run_folder.read_json(directory / "data.json")
    kept = {split: directory / "evaluation" / f"{split}.json" for split in ("train", "validation", "test")}
    return {
        "data": {split: {key: part[key] for key in ("rows", "sha256")} for split, part in data.items()},
        "figures": {split: run_folder.read_json(path) for split, path in kept.items() if path.is_file()},
        "config": (directory / "config.yaml").read_text(encoding="utf-8"),
    }


def _splitter(settings: Config) -> tuple[PluginSettings, Splitter]:
    """Return the settings of the config's splitter, or else the task's, and the splitter."""
    chosen = settings.data.splitter
    if chosen is None:
        name = "stratified" if task_of(settings).kind in ("label", "rank") else "random"
        chosen = plugins.settings("splitters", name)(name=name)
    return chosen, plugins.load("splitters", chosen.name)(**chosen.arguments())


def _basis(settings: Config, splitter: Splitter, rows: splits.Rows) -> Basis:
    table, columns = rows.table, inputs_of(settings).columns
    values = None
    if splitter.column is not None:
        values = table[{column: name for name, column in columns.items()}.get(splitter.column, _SPLIT_BY)]
    return Basis(table.select([*columns]), table["label"], task_of(settings).kind, values)


def _read(settings: Config, origins: Sequence[str], more: Mapping[str, str] | None = None) -> splits.Rows:
    """Read texts and targets, and more columns, by the names that they get, to those in the file."""
    source, task = settings.data.source, task_of(settings)
    places: list[Path | str] = [*origins]
    if plugins.module("sources", source.name).READS == "files":
        places = [path for origin in origins for path in sources.files(origin)]
    target = pa.list_(pa.string()) if task.kind in ("labels", "tags") else pa.string()
    text = pa.list_(pa.string()) if task.split else pa.string()
    columns = {name: (column, text) for name, column in inputs_of(settings).columns.items()}
    columns["label"] = (settings.data.label_column or task.columns[1], target)
    columns |= {name: (column, pa.string()) for name, column in (more or {}).items()}
    part = splits.read(
        functools.partial(plugins.load("sources", source.name), **source.arguments()),
        places,
        columns=columns,
        on_bad_row=settings.data.on_bad_row,
    )
    if more and "weight" in more:
        imbalance.row_weights(part.table["weight"], ", ".join(origins))  # of all, before some go
    if task.split:
        _check_tags(part.table, ", ".join(origins))
    if bad := part.source["bad_rows"]:
        _log.info(f"Left out {len(bad)} bad rows, the first: {bad[0]}")
    return part


def _check_tags(table: pa.Table, where: str) -> None:
    """Refuse rows that have not one tag for each word."""
    words, tags = (pc.list_value_length(table[name]).to_numpy() for name in ("text", "label"))
    if (unlike := np.flatnonzero(words != tags)).size:
        first = int(unlike[0])
        raise DataError(
            f"{where}: row {first + 1} has {words[first]} words and {tags[first]} tags; expected one tag for "
            f"each word ({unlike.size} such rows). Correct them."
        )


def check_unchanged(directory: Path, split: str, rows: Mapping[str, splits.Rows]) -> None:
    """Raise a DataError if the rows of a split are not those that a run had."""
    kept = run_folder.read_json(directory / "data.json")[split]
    if kept["sha256"] != rows[split].source["sha256"]:
        raise DataError(
            f"{', '.join(kept['from'])}: has changed since the run, so this is not the split that it had. "
            "Bring the old rows back, or measure the new ones with tfft evaluate --input."
        )
