"""What is done with a run that is there: measure it, export it, ask it.

Besides `run.py`, which makes runs, the one file that sees a config: that of the run's folder.
"""

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf
from pyarrow import csv

from tfft import (
    classifier,
    config,
    dataset,
    evaluation,
    imbalance,
    inference,
    labels,
    plugins,
    run_folder,
    saved_model,
    splits,
    tables,
)
from tfft.classifier import Classifier
from tfft.config import Config
from tfft.errors import DataError, RunError, SettingError

_log = logging.getLogger("tfft")
_PREDICT = 64  # rows at a time


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
        rows = read_splits(settings)
        name = split or ("test" if "test" in rows else "validation")
        if name not in rows:
            raise SettingError(
                "--split", name, "must be a split of the run", fix=f"It has {', '.join(rows)}."
            )
        _check_unchanged(directory, name, rows)
        table, where = rows[name].table, f"data.{name}"
    model = restore(directory)
    return measure(
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
    return publish(restore(directory), base, run_folder.read_json(directory / run_folder.PROOF_TEXTS))


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
        serve = restore(run_folder.existing(where)).serve
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


def read_splits(settings: Config) -> dict[str, splits.Rows]:
    """Return the rows of `train`, `validation` and, where there is one, `test`."""
    rows = {"train": _read_file(settings, settings.data.train, settings.data.weight_column)}
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


def outputs(
    part: keras.Model, model: Classifier, tokens: tf.RaggedTensor, ids: np.ndarray, title: str
) -> np.ndarray:
    """Return what a part of the model gives for all rows, float32 `[rows, width]`, in their order."""
    batches, order = dataset.in_order(tokens.row_lengths().numpy(), batch_size=_PREDICT)
    take = dataset.of_tokens(tokens, model.preprocessor.pack, ids)
    return inference.outputs(part, dataset.once(take, batches), order, title=title)


def measure(
    model: Classifier,
    rows: pa.Table,
    tokens: tf.RaggedTensor,
    ids: np.ndarray,
    name: str,
    directory: Path,
) -> dict:
    """Write and tell the figures of the model's answers to some rows, and return them.

    Args:
        model: Of a run.
        rows: With the column `text`.
        tokens: Their token ids, `[rows, (tokens)]`.
        ids: Their label ids, `[rows]`.
        name: Of the split or file, and so of the files below `evaluation/`.
        directory: The run's folder.
    """
    logits = outputs(model.whole, model, tokens, ids, f"evaluating {name}")
    decided = {} if model.threshold is None else {"decide": model.threshold.decide}
    report = evaluation.score(logits, ids, rows["text"], model.labels, **decided)
    run_folder.write_json(directory / "evaluation" / f"{name}.json", report.figures)
    wrong = pa.BufferOutputStream()
    csv.write_csv(report.wrong, wrong)
    text = wrong.getvalue().to_pybytes().decode("utf-8")
    run_folder.write_text(directory / "evaluation" / f"{name}-wrong.csv", text)
    _log.info(evaluation.headline(report.figures, name))
    for table in evaluation.tables(report.figures, model.labels):
        _log.info(tables.text(table))
    return report.figures


def publish(model: Classifier, base: Path, texts: Sequence[str]) -> Path:
    """Write a model as the next version below `base`, proved on `texts`, and return its folder."""
    version, proof = saved_model.write(model.serve, model.whole, model.preprocessor, base, texts)
    _log.info(
        f"Exported {version} ({proof['bytes'] / 1e6:.1f} MB); a clean process gave the same answers to "
        f"{proof['texts_compared']} texts, probabilities within {proof['largest_difference']:.1e}"
    )
    return version


def _read_file(settings: Config, path: Path, weight_column: str | None = None) -> splits.Rows:
    source = settings.data.source
    columns = {"text": settings.data.text_column, "label": settings.data.label_column}
    if weight_column is not None:
        columns["weight"] = weight_column
    part = splits.read(
        functools.partial(plugins.load("sources", source.name), **source.arguments()),
        path,
        columns=columns,
        on_bad_row=settings.data.on_bad_row,
    )
    if weight_column is not None:
        imbalance.row_weights(part.table["weight"], str(path))  # of all rows, before some are set aside
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
