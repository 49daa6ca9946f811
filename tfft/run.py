"""The story of a run, top to bottom; the only file that knows the order of the steps."""

import functools
import io
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf
from pyarrow import csv
from rich.console import Console
from rich.table import Table

from tfft import (
    classifier,
    config,
    dataset,
    evaluation,
    features,
    fit,
    freezing,
    inference,
    labels,
    learning_rates,
    plugins,
    run_folder,
    saved_model,
    splits,
)
from tfft.classifier import Classifier
from tfft.config import Config
from tfft.errors import DataError, RunError, SettingError
from tfft.freezing import Group

_log = logging.getLogger("tfft")
_PREDICT = 64  # rows at a time
_PROVE = 200  # texts that an export is compared on, besides the hard ones

MONITORS = {"val_accuracy": "max", "val_loss": "min"}
"""Which value of what `training.monitor` may name is the better one."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        directory: Its folder.
        figures: The evaluation of each split, by its name.
        export: The folder of the SavedModel's version.
    """

    directory: Path
    figures: dict[str, dict]
    export: Path


def train(settings: Config, name: str = "run") -> Run:
    """Fine-tune the model that a config describes, measure it and export it.

    Args:
        settings: What `config.read` returned.
        name: Of the run's folder, where the config names none.

    Returns:
        The run, whose folder holds everything that came of it.

    Raises:
        TfftError: Something that the user gave cannot work; no run folder is left behind.
    """
    directory = settings.run.directory or Path("runs") / name / time.strftime("%Y%m%d-%H%M%S")
    with run_folder.new(directory.absolute()) as directory:
        _log.info(f"Run folder: {directory}")
        base = settings.export.directory or directory / "export"
        saved_model.check(base)
        run_folder.write_text(directory / "config.yaml", config.to_yaml(settings))
        run_folder.write_json(directory / "environment.json", run_folder.environment())
        keras.utils.set_random_seed(settings.training.seed)
        tf.config.experimental.enable_op_determinism()

        rows = _read_splits(settings)
        run_folder.write_json(directory / "data.json", {s: part.source for s, part in rows.items()})
        known = labels.collect(rows["train"].table["label"])
        ids = {s: labels.encode(part.table["label"], known, f"data.{s}") for s, part in rows.items()}
        counts = ", ".join(f"{split} {part.table.num_rows}" for split, part in rows.items())
        _log.info(f"Rows: {counts}; {len(known)} labels")

        model = _from_preset(settings, known)
        tokens = {
            split: dataset.tokenize(part.table["text"], model.preprocessor.tokenize)
            for split, part in rows.items()
        }
        _tell_truncation(tokens["train"], settings.backbone.sequence_length)

        optimizer, steps = _optimizer(settings, model, directory, len(ids["train"]))
        vocabulary = "".join(f"{piece}\n" for piece in model.preprocessor.vocabulary)
        run_folder.write_text(directory / run_folder.VOCABULARY, vocabulary)
        run_folder.write_json(directory / run_folder.DESCRIPTION, model.description)
        run_folder.write_json(directory / "labels.json", known)
        texts = _proof_texts(rows)
        run_folder.write_json(directory / run_folder.PROOF_TEXTS, texts)
        _fit(settings, model, tokens, ids, optimizer, steps, directory)

        figures: dict[str, dict] = {}
        for split in ("validation", "test"):
            if split in rows:
                figures[split] = _evaluate(
                    model, rows[split].table, tokens[split], ids[split], split, directory
                )
        version = _export(model, base, texts)
    return Run(directory, figures, version)


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
        table, name = _read_file(settings, Path(file)).table, f"input-{Path(file).stem}"
        where = str(file)
    else:
        rows = _read_splits(settings)
        name = split or ("test" if "test" in rows else "validation")
        if name not in rows:
            raise SettingError(
                "--split", name, "must be a split of the run", fix=f"It has {', '.join(rows)}."
            )
        _check_unchanged(directory, name, rows)
        table, where = rows[name].table, f"data.{name}"
    model = _restore(directory)
    return _evaluate(
        model,
        table,
        dataset.tokenize(table["text"], model.preprocessor.tokenize),
        labels.encode(table["label"], model.labels, where),
        name,
        directory,
    )


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
    return _export(_restore(directory), base, run_folder.read_json(directory / run_folder.PROOF_TEXTS))


def answer(where: Path) -> Callable[[Sequence[str]], list[dict]]:
    """Return the function from texts to answers of a run or of an export.

    Args:
        where: A run's folder, an export's version, or the folder of an export's versions,
            of which the newest answers.

    Returns:
        A function to a list with, for each text, `label` and `score`.
    """
    where = Path(where)
    if (where / "saved_model.pb").is_file():
        serve = saved_model.load(where)
    elif versions := [p for p in where.glob("*") if p.name.isdecimal() and (p / "saved_model.pb").is_file()]:
        serve = saved_model.load(max(versions, key=lambda path: int(path.name)))
    elif where.is_dir() and (where / "config.yaml").is_file():
        serve = _restore(run_folder.existing(where)).serve
    else:
        raise RunError(f"{where} is neither a run folder nor an export. Name a folder that tfft train made.")

    def ask(texts: Sequence[str]) -> list[dict]:
        answers = serve(text=tf.constant(list(texts), tf.string))
        return [
            {"label": label.decode(), "score": float(score)}
            for label, score in zip(answers["label"].numpy(), answers["score"].numpy(), strict=True)
        ]

    return ask


def predict(where: Path, batches: Iterable[pa.RecordBatch]) -> Iterator[dict]:
    """Answer rows as they come, in constant memory.

    Args:
        where: As in `answer`.
        batches: Record batches with one column of text.

    Yields:
        For each row `text`, `label` and `score`.
    """
    ask = answer(where)
    for batch in batches:
        for start in range(0, batch.num_rows, _PREDICT):
            texts = batch.column(0).slice(start, _PREDICT).to_pylist()
            for text, found in zip(texts, ask(texts), strict=True):
                yield {"text": text, **found}


def _read_splits(settings: Config) -> dict[str, splits.Rows]:
    """Return the rows of `train`, `validation` and, where there is one, `test`."""
    rows = {"train": _read_file(settings, settings.data.train)}
    # Test first, so that the test rows stay the same whatever share validation gets.
    for split in ("test", "validation"):
        origin = getattr(settings.data, split)
        if isinstance(origin, Path):
            rows[split] = _read_file(settings, origin)
        elif origin is not None:
            rows["train"], rows[split] = splits.set_aside(
                rows["train"], origin, seed=settings.training.seed, split=split
            )
    return {split: rows[split] for split in ("train", "validation", "test") if split in rows}


def _read_file(settings: Config, path: Path) -> splits.Rows:
    source = settings.data.source
    part = splits.read(
        functools.partial(plugins.load("sources", source.name), **source.arguments()),
        path,
        text_column=settings.data.text_column,
        label_column=settings.data.label_column,
        on_bad_row=settings.data.on_bad_row,
    )
    if bad := part.source["bad_rows"]:
        _log.info(f"Left out {len(bad)} bad rows of {path}, the first: {bad[0]}")
    return part


def _check_unchanged(directory: Path, split: str, rows: Mapping[str, splits.Rows]) -> None:
    kept = run_folder.read_json(directory / "data.json")[split]
    if kept["sha256"] != rows[split].source["sha256"]:
        raise DataError(
            f"{kept['path']} has changed since the run, so this is not the split it was measured on. "
            "Bring the old file back, or measure the new one with --input."
        )


def _from_preset(settings: Config, known: tuple[str, ...]) -> Classifier:
    return classifier.from_preset(
        settings.backbone.preset,
        sha256=settings.backbone.sha256,
        sequence_length=settings.backbone.sequence_length,
        dropout=settings.backbone.dropout,
        pooling=settings.head.pooling,
        head_settings=settings.head.model_dump(exclude={"pooling"}),
        task={"name": settings.task.name, **settings.task.arguments()},
        labels=known,
    )


def _restore(directory: Path) -> Classifier:
    return classifier.restore(
        directory / run_folder.VOCABULARY,
        directory / run_folder.DESCRIPTION,
        directory / run_folder.WEIGHTS,
    )


def _tell_truncation(tokens: tf.RaggedTensor, sequence_length: int) -> None:
    lengths = tokens.row_lengths().numpy() + 2  # [CLS] and [SEP]
    cut = int((lengths > sequence_length).sum())
    _log.info(
        f"Tokens a row: median {int(np.median(lengths))}, longest {lengths.max()}; "
        f"{cut} of {len(lengths)} training rows are cut at {sequence_length}"
    )


def _optimizer(
    settings: Config, model: Classifier, directory: Path, rows: int
) -> tuple[keras.optimizers.Optimizer, int]:
    """Freeze, give every variable its rate, and show the table; return optimizer and steps an epoch."""
    rules = settings.freeze
    freezing.apply(
        model.groups,
        rules if isinstance(rules, str) else [(rule.layers, rule.trainable) for rule in rules],
    )
    chosen, training = settings.optimizer, settings.training
    multiplier_of = learning_rates.multipliers(
        [(group.depth, group.variables) for group in model.groups],
        layer_decay=chosen.layer_decay,
        top=model.top,
        head_factor=(chosen.head_learning_rate or chosen.learning_rate) / chosen.learning_rate,
        head=model.head.weights,
    )
    groups = [*model.groups, Group("head", model.top, model.head.layers)]
    table = freezing.table(groups, {path: m * chosen.learning_rate for path, m in multiplier_of.items()})
    run_folder.write_json(directory / "layers.json", table)
    _say_table(_layer_table(table))

    steps = -(-rows // training.batch_size)
    total = steps * training.epochs
    schedule = learning_rates.WarmupThenDecay(
        chosen.learning_rate,
        round(settings.schedule.warmup * total),
        total,
        functools.partial(plugins.load("schedules", settings.schedule.name), **settings.schedule.arguments()),
    )
    layerwise = functools.partial(learning_rates.layerwise, multiplier_of)
    build = plugins.load("optimizers", chosen.name)
    return build(layerwise, schedule, **chosen.arguments()), steps


def _fit(settings, model, tokens, ids, optimizer, steps, directory: Path) -> None:
    size, seed = settings.training.batch_size, settings.training.seed
    pack = model.preprocessor.pack
    if model.encoder.trainable_variables:
        trained = model.whole
        train_batches = dataset.shuffled(tokens["train"], ids["train"], pack, batch_size=size, seed=seed)
        validation, _ = dataset.in_order(tokens["validation"], ids["validation"], pack, batch_size=size)
    else:
        _log.info("The whole backbone is frozen: its outputs are computed once, and the head trains on them")
        trained = model.head
        pooled = {
            split: inference.outputs(
                model.encoder,
                *dataset.in_order(tokens[split], ids[split], pack, batch_size=size),
                title=f"features of {split}",
            )
            for split in ("train", "validation")
        }
        train_batches = features.shuffled(pooled["train"], ids["train"], batch_size=size, seed=seed)
        validation = features.in_order(pooled["validation"], ids["validation"], batch_size=size)
    monitor = settings.training.monitor
    mode = MONITORS[monitor]
    fit.run(
        trained,
        train_batches,
        validation,
        optimizer=optimizer,
        loss=model.task.loss,
        metrics=model.task.metrics(),
        epochs=settings.training.epochs,
        steps_per_epoch=steps,
        monitor=monitor,
        mode=mode,
        whole=model.whole,
        weights=directory / run_folder.WEIGHTS,
        history=directory / "history.csv",
        callbacks=[
            plugins.load("callbacks", callback.name)(directory, monitor, mode, **callback.arguments())
            for callback in settings.callbacks
        ],
        say=_log.info,
    )


def _evaluate(model, rows: pa.Table, tokens, ids: np.ndarray, name: str, directory: Path) -> dict:
    batches, order = dataset.in_order(tokens, ids, model.preprocessor.pack, batch_size=_PREDICT)
    logits = inference.outputs(model.whole, batches, order, title=f"evaluating {name}")
    report = evaluation.score(logits, ids, rows["text"], model.labels)
    run_folder.write_json(directory / "evaluation" / f"{name}.json", report.figures)
    wrong = pa.BufferOutputStream()
    csv.write_csv(report.wrong, wrong)
    text = wrong.getvalue().to_pybytes().decode("utf-8")
    run_folder.write_text(directory / "evaluation" / f"{name}-wrong.csv", text)
    _log.info(evaluation.headline(report.figures, name))
    for table in evaluation.tables(report.figures, model.labels):
        _say_table(table)
    return report.figures


def _proof_texts(rows: Mapping[str, splits.Rows]) -> list[str]:
    parts = (part.table["text"].slice(0, _PROVE).to_pylist() for part in rows.values())
    return [text for part in parts for text in part][:_PROVE]


def _export(model: Classifier, base: Path, texts: Sequence[str]) -> Path:
    version, proof = saved_model.write(model.serve, model.whole, model.preprocessor, base, texts)
    _log.info(
        f"Exported {version} ({proof['bytes'] / 1e6:.1f} MB); a clean process gave the same answers to "
        f"{proof['texts_compared']} texts, probabilities within {proof['largest_difference']:.1e}"
    )
    return version


def _layer_table(rows: Sequence[Mapping]) -> Table:
    table = Table(title="Layers", title_justify="left")
    for heading in ("layer", "trainable", "frozen", "peak learning rate"):
        table.add_column(heading, justify="left" if heading == "layer" else "right")
    for row in rows:
        rate = f"{row['learning_rate']:.2e}" if row["trainable"] else "-"
        table.add_row(row["layer"], f"{row['trainable']:,}", f"{row['frozen']:,}", rate)
    table.add_section()
    table.add_row("all", *(f"{sum(row[key] for row in rows):,}" for key in ("trainable", "frozen")), "")
    return table


def _say_table(table: Table) -> None:
    text = io.StringIO()
    Console(file=text, width=100, color_system=None).print(table)
    _log.info(text.getvalue().rstrip())
