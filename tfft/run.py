"""The story of a run, top to bottom; the only file that knows the order of the steps."""

import functools
import gc
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from rich.console import Group

from tfft import (
    augmentations,
    classifier,
    config,
    cross_validation,
    data_page,
    data_preview,
    data_tables,
    dataset,
    fingerprint,
    finished,
    fit,
    freezing,
    imbalance,
    learning_rates,
    lora,
    losses,
    numbers,
    phases,
    plugins,
    rates_plot,
    run_folder,
    saved_model,
    splits,
    strategy,
    tables,
    truncation,
)
from tfft.augmentations import Augmentation
from tfft.callbacks import Fitting
from tfft.classifier import Classifier
from tfft.config import Config
from tfft.errors import DataError, PresetError, RunError, SettingError
from tfft.learner import Learner
from tfft.learning_rates import Schedule
from tfft.losses import RowLoss
from tfft.phases import Phase
from tfft.ragged import Ragged
from tfft.regularizers import Parts
from tfft.strategy import Replicas
from tfft.tasks import Facts, Task
from tfft.unfreezing import Stage

_log = logging.getLogger("tfft")
_PROVE = 200  # texts that an export is compared on, besides the hard ones
_COMPILED = 32  # tokens; what the length of a batch is a multiple of where XLA compiles


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


@dataclass(frozen=True)
class CrossValidation:
    """Runs over all folds of the training rows.

    Attributes:
        directory: The folder that holds theirs.
        figures: Of all rows together, and their spread over the folds, as in `evaluation/pooled.json`.
    """

    directory: Path
    figures: dict


@dataclass(frozen=True)
class Trained:
    """What a training left, for what comes after it.

    Attributes:
        task: Of the run.
        tokens: Token ids of each split, of each text.
        targets: Of each split, as the task encodes them.
        answering: Reads the model back that the folder keeps.
        export: Publishes it, and returns the folder of the SavedModel's version.
    """

    task: Task
    tokens: Mapping[str, Sequence[Ragged]]
    targets: Mapping[str, np.ndarray]
    answering: Callable[[], Classifier]
    export: Callable[[], Path]


@dataclass(frozen=True)
class Learned:
    """What was trained, and what it is worth.

    Attributes:
        model: As the run's folder keeps it.
        tokens: Token ids of each split, of each text.
        figures: The evaluation of each split, by its name.
        export: Publishes the model, and returns the folder of the SavedModel's version.
    """

    model: Classifier
    tokens: Mapping[str, Sequence[Ragged]]
    figures: dict[str, dict]
    export: Callable[[], Path]


@dataclass(frozen=True)
class Plan:
    """When what trains, and at which rates.

    Attributes:
        phases: In order.
        schedule: Of the common learning rate.
        steps_per_epoch: Steps in which each row is seen once.
        total_steps: Of the whole run.
    """

    phases: Sequence[Phase]
    schedule: Schedule
    steps_per_epoch: int
    total_steps: int


@dataclass(frozen=True)
class Weighed:
    """What the training rows weigh.

    Attributes:
        rows: Weight of each row in the loss, float32 `[rows]`.
        counts: Rows of each label that an epoch draws, `[labels]`; of numbers, all rows.
        odds: Probability of drawing each row, None where each is taken once.
    """

    rows: np.ndarray
    counts: np.ndarray
    odds: np.ndarray | None


def train(settings: Config, name: str = "run") -> Run | None:
    """Fine-tune the model that a config describes, measure it and export it.

    Args:
        settings: What `config.read` returned.
        name: Of the run's folder, where the config names none.

    Returns:
        The run, whose folder holds everything that came of it; None to a worker that is not the chief.

    Raises:
        TfftError: Something that the user gave cannot work; no run folder is left behind, unless the
            training had begun and was saved.
    """
    replicas = strategy.make(settings.strategy, _log.info)
    with replicas.noticing_loss():
        replicas.check_same("the config", config.to_yaml(settings))
        if not replicas.is_chief:
            _help(settings, replicas)
            return None
        with run_folder.new(_directory(settings, name), config.to_yaml(settings)) as directory:
            _log.info(f"Run folder: {directory}")
            return _run(settings, replicas, directory)


def resume(directory: Path, settings: Config | None = None) -> Run | None:
    """Go on with a run that was cut off, to the weights that it would have had otherwise.

    Args:
        directory: The run's folder.
        settings: What it is believed to be; None takes what it was begun with. Where things are saved and
            exported may differ.

    Returns:
        The run, as from `train`; of one that had ended, what it left. None to a worker that is not the
        chief.

    Raises:
        TfftError: It is no run, another process writes to it, or config or data are no longer those that
            it was begun with.
    """
    directory = Path(directory).absolute()
    if (directory / "fold-1").is_dir():
        raise RunError(f"{directory} is of a cross-validation, which cannot go on. Begin it anew.")
    is_finished = run_folder.is_finished(directory)
    begun = config.restore(directory / "config.yaml")
    settings = settings or begun
    if changed := config.differences(begun, settings):
        raise SettingError(
            "--resume",
            ", ".join(changed),
            "must go on with the config that the run was begun with, and some keys differ",
            fix="Put them back, leave CONFIG out, or begin a new run.",
        )
    if (is_finished or run_folder.is_trained(directory)) and strategy.place(settings.strategy)[0]:
        _log.info(f"The training of {directory} is done: there is nothing left for this worker")
        return None
    if is_finished:
        return _finished(directory)
    if run_folder.is_trained(directory):  # and what is left needs no other worker
        replicas = strategy.ALONE
    else:
        replicas = strategy.make(settings.strategy, _log.info)
    with replicas.noticing_loss():
        replicas.check_same("the config", config.to_yaml(settings))
        if not replicas.is_chief:
            _help(settings, replicas)
            return None
        with run_folder.resumed(directory):
            _log.info(f"Run folder: {directory}")
            if not any((directory / run_folder.SAVES).glob("step-*")):
                _log.info("It has no save to go on from: the training begins anew")
            _tell_other_versions(directory)
            if settings.export.directory is None:  # in another folder, it may be another run's
                saved_model.clear(directory / "export")
            return _run(settings, replicas, directory)


def _run(settings: Config, replicas: Replicas, directory: Path) -> Run:
    """Train, or go on, in a folder that describes the run; measure and export what came of it."""
    base = settings.export.directory or directory / "export"
    saved_model.check(base)
    replicas.told(str(directory))
    learned = _learn(settings, finished.read_splits(settings), replicas, directory, base)
    run = Run(directory, learned.figures, learned.export())
    replicas.meet()  # TensorFlow takes a worker that leaves before the chief for one that has crashed
    return run


def _help(settings: Config, replicas: Replicas) -> None:
    """Train along with the chief, and leave the rest to it."""
    saves = Path(replicas.told("")) / run_folder.SAVES
    with run_folder.scratch() as directory:
        _train(settings, finished.read_splits(settings), replicas, directory, saves, directory / "export")
        replicas.meet()
    _log.info("The training is done; waiting for the chief, which measures and exports what came of it")
    replicas.meet()


def _check_same_files(settings: Config, directory: Path) -> None:
    """Record the hashes of the files that augmentations read; of a run that goes on, compare them.

    Raises:
        DataError: One has changed.
    """
    record = directory / "augmentations.json"
    paths = [
        path
        for chosen in settings.augmentations
        for value in chosen.arguments().values()
        for path in (value if isinstance(value, list) else [value])
        if isinstance(path, Path)
    ]
    found = {str(path): fingerprint.of_files(path) for path in paths}
    if record.exists():
        before = run_folder.read_json(record)
        for path in [path for path, digest in found.items() if before.get(path) != digest]:
            raise DataError(f"augmentations: {path} has changed since the run. Bring the old file back.")
    if found:
        run_folder.write_json(record, found)


def _check_same_preset(model: Classifier, directory: Path) -> None:
    if not (directory / run_folder.DESCRIPTION).exists():
        return
    before = run_folder.read_json(directory / run_folder.DESCRIPTION)["preset"]
    if before != model.description["preset"]:
        raise PresetError(
            f"backbone.preset: the weights of {before['name']} have changed since the run. Bring the old "
            "ones back."
        )


def _finished(directory: Path) -> Run:
    figures = {
        split: run_folder.read_json(path)
        for split in ("validation", "test")
        if (path := directory / "evaluation" / f"{split}.json").exists()
    }
    if not (directory / run_folder.EXPORTED).exists():
        raise RunError(f"{directory} has ended without an export: there is nothing to go on with.")
    *_, export = run_folder.read_json(directory / run_folder.EXPORTED).values()
    _log.info(f"{directory} has ended: there is nothing to go on with")
    return Run(directory, figures, Path(export))


def _tell_other_versions(directory: Path) -> None:
    before = run_folder.read_json(directory / "environment.json")["packages"]
    now = run_folder.environment()["packages"]
    for package in sorted(before.keys() | now.keys()):
        if before.get(package) != now.get(package):
            _log.warning(
                f"Warning: the run was begun with {package} {before.get(package)}, and goes on with "
                f"{now.get(package)}: the weights may not be what they would have been"
            )


def cross_validate(settings: Config, folds: int, name: str = "run") -> CrossValidation:
    """Train once for each fold of the training rows, and measure the answers to all of them together.

    A file of validation rows chooses the best epoch of each fold and is no part of the folds; a
    share for validation is set aside from the rows outside the fold.

    Args:
        settings: What `config.read` returned.
        folds: How many, at least 2.
        name: Of the folder, where the config names none.

    Returns:
        What came of it; each fold has a run folder of its own inside, without an export.

    Raises:
        TfftError: Something that the user gave cannot work; no folder is left behind.
    """
    _check_folds(settings, folds)
    replicas = strategy.make(settings.strategy, _log.info)
    with run_folder.several(_directory(settings, name), config.to_yaml(settings)) as directory:
        _log.info(f"Folder: {directory}")
        chosen = [config.with_fold(settings, number, folds) for number in range(1, folds + 1)]
        files = finished.read_files(chosen[0])
        fold_of = finished.folds_of(chosen[0], files["train"])
        # All are cut before the first is trained: what cannot be cut is told at once.
        parts = [finished.split(each, files, fold_of) for each in chosen]
        task, whole = finished.task_of(settings), files["train"].table
        targets = [rows["train"].table["label"] for rows in parts]
        known = replace(task.collect(whole["label"]), mean=0.0, scale=1.0)
        cross_validation.check_labels(known.labels, targets)
        cross_validation.check_schemes(known.scheme, [task.collect(column).scheme for column in targets])
        record = {f"fold-{number}": rows["test"].source for number, rows in enumerate(parts, start=1)}
        run_folder.write_json(directory / "data.json", {"train": files["train"].source, **record})

        # Where each word has a tag, it has an answer of its own.
        fold_of_answer = np.repeat(fold_of, pc.list_value_length(whole["label"])) if task.split else fold_of
        figures, logits = [], np.empty((0, 0), np.float32)
        for number, (each, rows) in enumerate(zip(chosen, parts, strict=True)):
            _log.info(f"Fold {number + 1} of {folds}")
            of_fold, found, facts = _learn_fold(each, rows, replicas, directory / f"fold-{number + 1}")
            figures.append(of_fold)
            if task.split:  # which tag comes first follows from the training rows
                found = found[:, [facts.labels.index(tag) for tag in known.labels]]
            if not len(logits):
                logits = np.empty((len(fold_of_answer), found.shape[1]), np.float32)
            logits[fold_of_answer == number] = found
            gc.collect()  # a model refers to itself, and the next one needs its memory

        true = task.encode(whole["label"], known, "data.train")
        texts = whole.select([*finished.inputs_of(settings).columns])
        report = task.report(logits, true, known, None, texts, "pooled")
        pooled = report.figures | {"folds": cross_validation.spread(figures)}
        fold_of_wrong = pa.array(fold_of[report.wrong["row"].to_numpy() - 1] + 1)
        wrong = report.wrong.add_column(1, "fold", fold_of_wrong)
        finished.keep_report(replace(report, figures=pooled, wrong=wrong), "pooled", directory)
        _log.info(tables.text(cross_validation.table(figures, pooled, f"{folds} folds")))
        return CrossValidation(directory, pooled)


def _directory(settings: Config, name: str) -> Path:
    return (settings.run.directory or Path("runs") / name / time.strftime("%Y%m%d-%H%M%S")).absolute()


def _check_folds(settings: Config, folds: int) -> None:
    """Raise a SettingError for what has no place in a cross-validation."""
    written = settings.model_dump(mode="json")
    if folds < 2:
        raise SettingError("--folds", folds, "must be at least 2", fix="Common are 5 and 10.")
    for key, value, why, fix in (
        (
            "strategy",
            settings.strategy if strategy.place(settings.strategy)[1] > 1 else None,
            "which has no use for several workers",
            "Train one fold after the other in one process, or set it to one_device.",
        ),
        (
            "data.test",
            written["data"]["test"],
            "for each fold is the test split of its run",
            "Set it to null, and measure the final model on it with tfft train.",
        ),
        ("data.fold", written["data"]["fold"], "which trains all folds", "Remove it."),
        (
            "threshold",
            written["threshold"],
            "for each fold would tune its own, and pooled answers need one decision",
            "Set it to null.",
        ),
        (
            "callbacks",
            next((c.name for c in settings.callbacks if c.name == "saved_model_export"), None),
            "whose models are not served",
            "Remove saved_model_export.",
        ),
    ):
        if value is not None:
            raise SettingError(key, value, f"must not be set in a cross-validation, {why}", fix=fix)


def _learn_fold(
    settings: Config, rows: Mapping[str, splits.Rows], replicas: Replicas, directory: Path
) -> tuple[dict, np.ndarray, Facts]:
    """Train one fold; return the figures of its test split, its logits for it, and its facts."""
    settings = settings.model_copy(update={"saves": None})  # of which no cross-validation goes on
    with run_folder.fold(directory, config.to_yaml(settings)):
        finished.tell_split(settings, rows)
        learned = _learn(settings, rows, replicas, directory, directory / "export")
        model = learned.model
        found = finished.outputs(model.whole, model, learned.tokens["test"], "pooling")
        # Numbers in units of the data, for each fold has its own mean and scale; logits as they are.
        return learned.figures["test"], found * model.facts.scale + model.facts.mean, model.facts


def _learn(
    settings: Config, rows: Mapping[str, splits.Rows], replicas: Replicas, directory: Path, base: Path
) -> Learned:
    """Train on the rows, fill the run's folder, and measure what it keeps; exports go below `base`."""
    trained = _train(settings, rows, replicas, directory, directory / run_folder.SAVES, base)
    run_folder.tell_trained(directory)
    replicas.meet()  # a worker that is lost from here on is not needed again
    # From here on the model is the one that the folder keeps: what is measured is what is served.
    model = trained.answering()
    figures: dict[str, dict] = {
        split: finished.measure(
            trained.task,
            model,
            rows[split].table,
            trained.tokens[split],
            trained.targets[split],
            split,
            directory,
        )
        for split in ("validation", "test")
        if split in rows
    }
    return Learned(model, trained.tokens, figures, trained.export)


def _train(
    settings: Config,
    rows: Mapping[str, splits.Rows],
    replicas: Replicas,
    directory: Path,
    saves: Path,
    base: Path,
) -> Trained:
    """Train on the rows, unless that is done, and fill the run's folder with what came of it."""
    keras.utils.set_random_seed(settings.training.seed)
    tf.config.experimental.enable_op_determinism()

    if (directory / "data.json").exists():  # of a run that goes on
        for split in rows:
            finished.check_unchanged(directory, split, rows)
    run_folder.write_json(directory / "data.json", {s: part.source for s, part in rows.items()})
    _check_same_files(settings, directory)
    replicas.check_same("the data", json.dumps({s: part.source["sha256"] for s, part in rows.items()}))
    task = finished.task_of(settings)
    changes = _augmentations(settings, task)
    facts = task.collect(rows["train"].table["label"])
    targets = {
        split: task.encode(part.table["label"], facts, f"data.{split}") for split, part in rows.items()
    }
    counts = ", ".join(f"{split} {part.table.num_rows}" for split, part in rows.items())
    _log.info(f"Rows: {counts}" + (f"; {len(facts.labels)} labels" if facts.labels else ""))
    if settings.threshold is not None:
        task.check(facts, targets["validation"], settings.threshold.positive)
    weighed = _weigh(settings, task, facts, targets["train"], finished.row_weights(rows["train"]))

    with replicas.strategy.scope():
        model = _from_preset(settings, facts)
    replicas.check_same("the model", json.dumps(model.description, sort_keys=True))
    plan = _plan(settings, model, len(targets["train"]), replicas.count)
    run_folder.write_json(directory / "layers.json", _show(plan, model))
    if not replicas.is_chief:
        replicas.meet()  # once the chief has put the token ids into the cache, which may be theirs, too
    tokens = {split: finished.tokenize(model, part.table) for split, part in rows.items()}
    if replicas.is_chief:
        replicas.meet()
    lengths = finished.lengths(model, tokens["train"])
    members = _members(task, targets["train"], facts)
    cut = truncation.measure(lengths, model.preprocessor.room(), members)
    run_folder.write_json(directory / "lengths.json", cut)
    _log.info(truncation.headline(cut))
    if cut["cut"] and cut["labels"]:
        _log.info(tables.text(truncation.table(cut)))

    for name_of_file, content in model.preprocessor.tokenizer.files.items():
        run_folder.write_bytes((directory / run_folder.DESCRIPTION).with_name(name_of_file), content)
    _check_same_preset(model, directory)
    run_folder.write_json(directory / run_folder.DESCRIPTION, model.description)
    run_folder.write_json(directory / "labels.json", facts.labels)
    proof = _proof_rows(rows, model.preprocessor.read.columns)
    run_folder.write_json(directory / run_folder.PROOF_ROWS, proof)
    answering = functools.partial(
        _answering, settings.threshold, task, tokens["validation"], targets["validation"], directory
    )

    def export() -> Path:
        """Publish the weights that are kept now, unless they are published."""
        record = directory / run_folder.EXPORTED
        versions = run_folder.read_json(record) if record.exists() else {}
        key = fingerprint.of_weights(directory / run_folder.WEIGHTS)
        if key not in versions or not Path(versions[key]).is_dir() or Path(versions[key]).parent != base:
            versions.pop(key, None)  # so that the newest is the last
            versions[key] = str(finished.publish(answering(), base, proof, directory))
            run_folder.write_json(record, versions)
        return Path(versions[key])

    texts = rows["train"].table.select([*model.preprocessor.read.columns])
    augmented = _augmented(settings, model, texts, changes, targets["train"], weighed) if changes else None
    if not run_folder.is_trained(directory):
        _fit(
            settings,
            task,
            model,
            plan,
            tokens,
            targets,
            weighed,
            augmented,
            replicas,
            directory,
            saves,
            export,
        )
    return Trained(task, tokens, targets, answering, export)


def rates(settings: Config, plot: Path) -> str:
    """Show what a config would train, at which rates.

    Args:
        settings: What `config.read` returned.
        plot: File for a picture of the rates over the steps.

    Returns:
        A table for each phase, and where the picture is.
    """
    rows = finished.read_splits(settings)["train"].table
    model = _from_preset(settings, finished.task_of(settings).collect(rows["label"]))
    plan = _plan(settings, model, rows.num_rows, replicas=1)
    shown = [
        tables.text(tables.layers(phases.table(model.groups, phase), _title(plan, number)))
        for number, phase in enumerate(plan.phases)
    ]
    rates_plot.draw(model.groups, plan.phases, plan.schedule, plan.total_steps, plot)
    first, last = (float(plan.schedule(step)) for step in (0, plan.total_steps - 1))
    return "\n\n".join(
        [
            *shown,
            f"{plan.total_steps} steps, {plan.steps_per_epoch} an epoch; the common rate is {first:.3g} in "
            f"the first step and {last:.3g} in the last",
            f"Picture: {plot}",
        ]
    )


def preview(settings: Config, name: str, *, split: str, rows: int, page: Path | None) -> Group:
    """Show what the model will see of a split.

    Args:
        settings: What `config.read` returned.
        name: Of the config.
        split: `train`, `validation` or `test`.
        rows: How many are shown one by one.
        page: File for an HTML page that shows it, too; None for none.

    Returns:
        All of it for the console, as of rich.

    Raises:
        TfftError: Something that the user gave cannot work, or the page exists; no page is left behind.
    """
    if page is not None:
        data_page.check(page)
    task, training = finished.task_of(settings), settings.training
    parts = finished.read_splits(settings)
    if split not in parts:
        raise SettingError(
            "--split", split, "must be a split of the config", fix=f"It has {', '.join(parts)}."
        )
    table = parts[split].table
    facts = task.collect(parts["train"].table["label"])
    targets = task.encode(table["label"], facts, f"data.{split}")
    model = _from_preset(settings, facts)
    preprocessor = model.preprocessor
    tokens = finished.tokenize(model, table)
    lengths = finished.lengths(model, tokens)
    odds = None
    if split == "train":
        odds = _weigh(settings, task, facts, targets, finished.row_weights(parts[split])).odds

    def batches(lengths: np.ndarray) -> list[np.ndarray]:
        """Return the rows of each batch of the first epoch or, of rows not trained on, of a pass over all."""
        if split == "train":
            return dataset.plan(
                lengths, batch_size=training.batch_size, seed=training.seed, epoch=0, odds=odds
            )
        return dataset.in_order(lengths, batch_size=training.batch_size)[0]

    texts = {name: data_preview.as_texts(part.table) for name, part in parts.items()}
    columns = {**preprocessor.read.columns, "label": settings.data.label_column or task.columns[1]}
    if settings.data.weight_column is not None:
        columns["weight"] = settings.data.weight_column
    found = {
        "name": name,
        "split": split,
        "preset": settings.backbone.preset,
        "pad": preprocessor.tokenizer.spell([preprocessor.frame.pad])[0],
        "rows": table.num_rows,
        "bad_rows": parts[split].source["bad_rows"],
        "target": data_preview.targets(
            task.kind, facts.labels, numbers.read(table["label"]) if task.kind == "number" else targets
        ),
        "tokens": data_preview.token_lengths(lengths, preprocessor),
        "cut": truncation.measure(lengths, preprocessor.room(), _members(task, targets, facts)),
        "padding": data_preview.padding(
            lengths,
            preprocessor,
            batches(lengths),
            batches(np.zeros_like(lengths)),  # no sorting
            _COMPILED if _compiles(settings) else 1,
        ),
        "unknown": data_preview.unknown(
            preprocessor, texts[split], tokens[: len(preprocessor.read.texts)], training.seed
        ),
        "characters": data_preview.characters(preprocessor, texts[split]),
        "repeated": data_preview.repeated(
            {name: data_preview.text_hashes(preprocessor, part) for name, part in texts.items()}, split
        ),
        "examples": data_preview.examples(
            preprocessor,
            table,
            data_preview.sample(table.num_rows, rows, training.seed),
            targets,
            columns,
            augmentations=_augmentations(settings, task) if split == "train" else (),
            seed=training.seed,
        ),
    }
    if page is not None:
        data_page.write(found, page)
        _log.info(f"Page: {page}")
    return data_tables.shown(found)


def _compiles(settings: Config) -> bool:
    """Return whether XLA compiles the training step."""
    chosen = settings.training.jit
    return chosen == "on" or (chosen == "auto" and bool(tf.config.list_physical_devices("GPU")))


def _weigh(settings: Config, task: Task, facts: Facts, targets: np.ndarray, weights: np.ndarray) -> Weighed:
    """Return what the training rows weigh, and how often they are drawn.

    Raises:
        SettingError: Labels are to be balanced where a row has not one label.
    """
    training = settings.training
    if isinstance(targets, Ragged) or task.kind not in ("label", "rank"):
        for key in ("class_weights", "sampling_exponent"):
            if (value := getattr(training, key)) is not None:
                raise SettingError(
                    f"training.{key}",
                    value,
                    f"must not be set with the task {settings.task.name}, whose rows have not one label each",
                    fix="Remove it.",
                )
        if isinstance(targets, Ragged):
            # The loss of a row is the mean over its words; so each word counts alike.
            weights = weights * targets.lengths / targets.lengths.mean()
            counts = np.bincount(targets.flat, minlength=len(facts.labels)).astype(np.float64)
        else:
            counts = targets.sum(axis=0) if task.kind == "labels" else np.array([float(len(targets))])
        return Weighed(weights.astype(np.float32), counts, None)
    drawn = imbalance.drawn(targets, training.sampling_exponent)
    by_label = imbalance.class_weights(training.class_weights, drawn, facts.labels)
    odds = imbalance.odds(targets, training.sampling_exponent)
    return Weighed((weights * by_label[targets]).astype(np.float32), drawn, odds)


def _augmentations(settings: Config, task: Task) -> list[Augmentation]:
    """Return what changes the texts of training rows.

    Raises:
        SettingError: Each word of a row has a target, which would not follow its word.
        DataError: A file of one cannot be used.
    """
    if settings.augmentations and task.split:
        raise SettingError(
            "augmentations",
            settings.augmentations[0].name,
            f"must not be set with the task {settings.task.name}, whose tags belong to words as they stand",
            fix="Remove it.",
        )
    return [
        plugins.load("augmentations", chosen.name)(**chosen.arguments()) for chosen in settings.augmentations
    ]


def _augmented(
    settings: Config,
    model: Classifier,
    texts: pa.Table,
    changes: Sequence[Augmentation],
    targets: np.ndarray,
    weighed: Weighed,
) -> dataset.Take:
    """Return training rows whose texts are changed anew whenever a batch is made of them."""
    preprocessor = model.preprocessor

    def encode(fields: Mapping[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        changed = augmentations.change(preprocessor.read.join(fields), changes, seed)
        return preprocessor.pack(*preprocessor.ids(changed))

    return dataset.of_texts(texts, encode, settings.training.seed, targets, weighed.rows)


def _from_preset(settings: Config, facts: Facts) -> Classifier:
    return classifier.from_preset(
        settings.backbone.preset,
        sha256=settings.backbone.sha256,
        sequence_length=settings.backbone.sequence_length,
        truncation=settings.backbone.truncation,
        windows=settings.backbone.windows.model_dump() if settings.backbone.windows else None,
        dropout=settings.backbone.model_dump()["dropout"],
        pooling=settings.head.pooling,
        head_settings=settings.head.model_dump(exclude={"pooling"}),
        task={"name": settings.task.name, **settings.task.arguments()},
        facts=facts,
        inputs=finished.inputs_of(settings),
        preparation=[{"name": step.name, **step.arguments()} for step in settings.preparation],
        reinitialize_blocks=settings.backbone.reinitialize_blocks,
        lora_settings=settings.lora.model_dump() if settings.lora else None,
        precision=settings.training.precision,
    )


def _members(task: Task, targets: np.ndarray, facts: Facts) -> Iterator[tuple[str, np.ndarray]]:
    """Yield for each label its name, and which rows have it, bool `[rows]`."""
    for index, name in enumerate(facts.labels):
        if isinstance(targets, Ragged):
            has = np.zeros(len(targets), bool)
            has[targets.rows[targets.flat == index]] = True
            yield name, has
        else:
            yield name, targets[:, index] > 0 if task.kind == "labels" else targets == index


def _plan(settings: Config, model: Classifier, rows: int, replicas: int) -> Plan:
    """Give every variable its phases and rates."""
    chosen, training = settings.optimizer, settings.training
    scale = _rate_scale(settings, replicas)
    base = _may_train(settings, model)
    stages = [Stage(None)]
    if settings.unfreezing is not None:
        unfreeze = plugins.load("unfreezing", settings.unfreezing.name)
        names = [
            group.name
            for group in model.groups
            if any(base.get(variable.path, True) for variable in group.variables)
        ]
        stages = unfreeze(names, chosen.learning_rate, **settings.unfreezing.arguments())
        stages = [
            replace(
                stage,
                learning_rate=stage.learning_rate and stage.learning_rate * scale,
                head_learning_rate=stage.head_learning_rate and stage.head_learning_rate * scale,
            )
            for stage in stages
        ]
    steps_per_epoch = -(-rows // _batch_size(settings, replicas))
    total_steps = steps_per_epoch * training.epochs
    found, segments = phases.plan(
        model.groups,
        stages,
        base,
        steps_per_epoch=steps_per_epoch,
        total_steps=total_steps,
        warmup=settings.schedule.warmup,
        learning_rate=chosen.learning_rate * scale,
        head_learning_rate=chosen.head_learning_rate and chosen.head_learning_rate * scale,
        layer_decay=chosen.layer_decay,
        rates=[(rule.layers, rule.learning_rate * scale) for rule in chosen.rates],
    )
    course = plugins.load("schedules", settings.schedule.name)(**settings.schedule.arguments())
    return Plan(found, Schedule(segments, course), steps_per_epoch, total_steps)


def _batch_size(settings: Config, replicas: int) -> int:
    """Return the rows of an optimizer step, of all replicas together.

    Raises:
        SettingError: There are fewer than replicas.
    """
    training = settings.training
    if training.batch == "per_replica":
        return training.batch_size * replicas
    if training.batch_size < replicas:
        raise SettingError(
            "training.batch_size",
            training.batch_size,
            f"must be at least the number of replicas, {replicas}, or some would have nothing to do",
            fix="Raise it, set training.batch to per_replica, or train on fewer devices.",
        )
    return training.batch_size


def _rate_scale(settings: Config, replicas: int) -> float:
    """Return the factor on all peak rates, for the batch is larger by the number of replicas.

    linear: Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.1, https://arxiv.org/abs/1706.02677.
    sqrt: Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks", section 5,
    https://arxiv.org/abs/1404.5997.

    Raises:
        SettingError: The batch is not larger.
    """
    chosen = settings.training.rate_scaling
    if chosen != "none" and settings.training.batch == "global":
        raise SettingError(
            "training.rate_scaling",
            chosen,
            "must be none where training.batch is global, for the batch does not grow with the replicas",
            fix="Set training.batch to per_replica, or remove it.",
        )
    return {"none": 1.0, "linear": float(replicas), "sqrt": replicas**0.5}[chosen]


def _may_train(settings: Config, model: Classifier) -> dict[str, bool]:
    """Return for each variable of the backbone whether `freeze`, or LoRA, lets it train at all."""
    rules = settings.freeze
    if settings.lora is not None and rules in ("all", "all_but_biases"):
        raise SettingError(
            "freeze",
            rules,
            "must be none or rules with lora, which itself freezes all but what it adds",
            fix="Remove freeze, or remove lora.",
        )
    written = [] if isinstance(rules, str) else [(rule.layers, rule.trainable) for rule in rules]
    named = freezing.NAMED[rules] if isinstance(rules, str) else ()
    base = freezing.decide(model.groups[:-1], written, lora.RULES if settings.lora is not None else named)
    if rules == "all_but_biases" and not any(base.values()):
        raise SettingError(
            "freeze", rules, "needs biases, and this backbone has none", fix="Take all, or use lora."
        )
    untrained = [v.path for v in model.reinitialized if not base[v.path]]
    if untrained:
        raise SettingError(
            "backbone.reinitialize_blocks",
            settings.backbone.reinitialize_blocks,
            f"must name blocks that train, or they would stay random ({untrained[0]} is frozen)",
            fix="Freeze less, or set it to 0.",
        )
    return base


def _title(plan: Plan, number: int) -> str:
    if len(plan.phases) == 1:
        return "Layers"
    return f"Phase {number + 1} of {len(plan.phases)}, from step {plan.phases[number].start + 1} on"


def _show(plan: Plan, model: Classifier) -> list[dict]:
    """Log the table of each phase, and return all for the record."""
    record = []
    for number, phase in enumerate(plan.phases):
        rows = phases.table(model.groups, phase)
        _log.info(tables.text(tables.layers(rows, _title(plan, number))))
        record.append({"first_step": phase.start + 1, "layers": rows})
    return record


def _fit(
    settings: Config,
    task: Task,
    model: Classifier,
    plan: Plan,
    tokens: Mapping[str, Sequence[Ragged]],
    targets: Mapping[str, np.ndarray],
    weighed: Weighed,
    augmented: dataset.Take | None,
    replicas: Replicas,
    directory: Path,
    saves: Path,
    export: Callable[[], Path],
) -> None:
    training = settings.training
    ever = {path for phase in plan.phases for path, trains in phase.trains.items() if trains}
    backbone = [v for group in model.groups[:-1] for v in group.variables if v.path in ever]
    # The vectors of words are not kept: there are as many as tokens, and a row of them has no fixed size.
    # Nor are those of texts that change.
    whole = bool(backbone) or task.kind == "tags" or augmented is not None
    compiles = _compiles(settings)
    rows = -(-_batch_size(settings, replicas.count) // replicas.count)
    with replicas.strategy.scope():
        learner = Learner(model.whole if whole else model.head)
        optimizer = _learn_by(
            settings, task, model, learner, plan, backbone, weighed, rows, whole=whole, compiles=compiles
        )
        # Built before the first step, or the step is traced twice: once to make the slots.
        learner.optimizer.build([variable for variable in learner.weights if variable.path in ever])
    monitor = training.monitor or task.monitor
    modes = {prefix + name: mode for name, mode in model.outputs.modes.items() for prefix in ("", "val_")}
    fitting = Fitting(
        directory=directory,
        monitor=monitor,
        modes=modes,
        schedule=settings.schedule.name,
        steps_per_epoch=plan.steps_per_epoch,
        total_steps=plan.total_steps,
        settled=plan.phases[-1].start // plan.steps_per_epoch,
        export=export,
    )
    mode = fitting.mode("training.monitor", monitor)
    callbacks = [
        plugins.load("callbacks", chosen.name)(fitting, **chosen.arguments())
        for chosen in settings.callbacks
        if replicas.is_chief or plugins.module("callbacks", chosen.name).RUNS_ON == "every worker"
    ]

    def enter(number: int) -> None:
        phase = plan.phases[number]
        freezing.apply(model.groups, phase.trains)
        optimizer.enter(learner.trainable_variables, phase.multiplier_of)
        if number:
            _log.info(_title(plan, number))

    batches, validation = _batches(
        settings, model, tokens, targets, weighed, augmented, replicas, whole=whole
    )
    pads = compiles and whole and not model.preprocessor.is_full

    def padded(batches: tf.data.Dataset) -> tf.data.Dataset:
        longest = model.preprocessor.sequence_length
        return dataset.pad_to_multiple(batches, _COMPILED, longest) if pads else batches

    fit.run(
        learner,
        lambda epoch, step: padded(batches(epoch, step)),
        padded(validation),
        replicas=replicas,
        epochs=training.epochs,
        steps_per_epoch=plan.steps_per_epoch,
        phases=[(phase.start, functools.partial(enter, number)) for number, phase in enumerate(plan.phases)],
        monitor=monitor,
        mode=mode,
        whole=model.whole,
        weights=directory / run_folder.WEIGHTS,
        history=directory / "history.csv",
        callbacks=callbacks,
        saving=_saving(settings, saves),
        say=_log.info,
    )


def _saving(settings: Config, folder: Path) -> fit.Saving:
    chosen = settings.saves
    if chosen is None:
        return fit.Saving(folder, steps=None, minutes=None, keep=0)
    return fit.Saving(folder, steps=chosen.every_steps, minutes=chosen.every_minutes, keep=chosen.keep)


def _batches(
    settings: Config,
    model: Classifier,
    tokens: Mapping[str, Sequence[Ragged]],
    targets: Mapping[str, np.ndarray],
    weighed: Weighed,
    augmented: dataset.Take | None,
    replicas: Replicas,
    *,
    whole: bool,
) -> tuple[Callable[[int, int], tf.data.Dataset], tf.data.Dataset]:
    """Return the batches to train on from an epoch and step on, and those to validate on.

    They are of tokens, of texts that change, or of kept features.
    """
    training, pack = settings.training, model.preprocessor.pack
    batch_size = _batch_size(settings, replicas.count)
    parts = dataset.Parts(replicas.count, replicas.local)
    lengths = {split: finished.lengths(model, tokens[split]) for split in ("train", "validation")}
    if whole:
        rows = augmented or dataset.of_tokens(tokens["train"], pack, targets["train"], weighed.rows)
        held_out = dataset.of_tokens(tokens["validation"], pack, targets["validation"])
    else:
        _log.info("The whole backbone is frozen: its outputs are computed once, and the head trains on them")
        vectors = {
            split: finished.outputs(model.encoder, model, tokens[split], f"features of {split}")
            for split in lengths
        }
        lengths = {split: np.zeros_like(found) for split, found in lengths.items()}  # no need to sort
        rows = dataset.of_features(vectors["train"], targets["train"], weighed.rows)
        held_out = dataset.of_features(vectors["validation"], targets["validation"])
    one_epoch = functools.partial(
        dataset.plan,
        lengths["train"],
        batch_size=batch_size,
        seed=training.seed,
        odds=weighed.odds,
    )
    order, _ = dataset.in_order(lengths["validation"], batch_size=batch_size)

    def batches(epoch: int, step: int) -> tf.data.Dataset:
        return dataset.endless(rows, lambda number: one_epoch(epoch=number), parts, epoch, step)

    return batches, dataset.counted(held_out, order, parts)


def _learn_by(
    settings: Config,
    task: Task,
    model: Classifier,
    learner: Learner,
    plan: Plan,
    backbone: Sequence[keras.Variable],
    weighed: Weighed,
    rows: int,
    *,
    whole: bool,
    compiles: bool,
) -> keras.optimizers.Optimizer:
    """Give the learner its loss, regularizers and optimizer; return the optimizer that has the rates.

    `rows` are what a replica takes of a batch, at most.
    """
    training = settings.training
    if training.micro_batch_size is not None and training.micro_batch_size > training.batch_size:
        raise SettingError(
            "training.micro_batch_size",
            training.micro_batch_size,
            f"must be at most training.batch_size, {training.batch_size}",
            fix="Lower it, or leave it out.",
        )
    build = plugins.load("optimizers", settings.optimizer.name)
    optimizer = build(learning_rates.layerwise, plan.schedule, **settings.optimizer.arguments())
    fresh = {variable.path for variable in model.reinitialized}
    row_loss = _row_loss(settings, task, weighed)
    parts = Parts(
        backbone=[variable for variable in backbone if variable.path not in fresh],
        head=model.head.weights,
        token_embedding=model.token_embedding,
        learned=lambda: learner.trainable_variables,
        kind=task.kind,
        step=optimizer._iterations,
        seed=training.seed,
        encode=functools.partial(model.encoder, training=True) if whole else tf.identity,
        classify=functools.partial(model.head, training=True),
        row_loss=row_loss,
        rows=min(training.micro_batch_size or rows, rows),
        chosen=[chosen.name for chosen in settings.regularizers],
    )
    learner.learn_by(
        row_loss,
        [
            plugins.load("regularizers", chosen.name)(parts, **chosen.arguments())
            for chosen in settings.regularizers
        ],
        training.micro_batch_size if (training.micro_batch_size or rows) < rows else None,
        compiles=compiles,
    )
    scales = training.precision == "mixed_float16"
    learner.compile(
        optimizer=keras.optimizers.LossScaleOptimizer(optimizer) if scales else optimizer,
        loss=model.outputs.loss,
        metrics=model.outputs.metrics(),
        jit_compile=False,
        auto_scale_loss=False,
    )
    return optimizer


def _row_loss(settings: Config, task: Task, weighed: Weighed) -> RowLoss:
    """Return the loss that a config names, or the task's own.

    Raises:
        SettingError: It compares with another kind of target.
    """
    chosen = settings.loss
    name, arguments = (task.loss, {}) if chosen is None else (chosen.name, chosen.arguments())
    fitting = [other for other in plugins.names("losses") if _compares_with(other, task)]
    if name not in fitting:
        raise SettingError(
            "loss",
            name,
            f"must be a loss for the task {settings.task.name}",
            fix=f"They are {', '.join(fitting)}.",
        )
    loss = plugins.load("losses", name)(weighed.counts.tolist(), **arguments)
    return losses.of_words(loss) if task.kind == "tags" else loss


def _compares_with(loss: str, task: Task) -> bool:
    of = plugins.module("losses", loss).OF
    return task.kind == of or (task.kind, of) == ("tags", "label")


def _answering(
    chosen: config.Threshold | None,
    task: Task,
    tokens: Sequence[Ragged],
    targets: np.ndarray,
    directory: Path,
) -> Classifier:
    """Return the model that the folder keeps, its decision tuned on the given rows if that is asked for."""
    model = finished.restore(directory)
    if chosen is None:
        return model
    logits = finished.outputs(model.whole, model, tokens, "tuning the threshold")
    decision, told = task.tune(logits, targets, model.facts, chosen.positive, chosen.metric)
    _log.info(told)
    tuned = {**model.description, "decision": decision}
    run_folder.write_json(directory / run_folder.DESCRIPTION, tuned)
    return finished.restore(directory)


def _proof_rows(rows: Mapping[str, splits.Rows], names: Iterable[str]) -> list[dict[str, str]]:
    parts = (part.table.select([*names]).slice(0, _PROVE).to_pylist() for part in rows.values())
    return [
        {name: text if isinstance(text, str) else " ".join(text) for name, text in row.items()}
        for part in parts
        for row in part
    ][:_PROVE]
