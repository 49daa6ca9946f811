"""The story of a run, top to bottom; the only file that knows the order of the steps."""

import functools
import gc
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from rich.console import Group

from tfft import (
    answering,
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
    numbers,
    phases,
    plugins,
    rates_plot,
    recipe,
    run_folder,
    same_run,
    saved_model,
    splits,
    strategy,
    tables,
    truncation,
)
from tfft.callbacks import Fitting
from tfft.classifier import Classifier
from tfft.config import Config
from tfft.errors import LostWorkerError, RunError, SettingError
from tfft.learner import Learner
from tfft.ragged import Ragged
from tfft.recipe import Plan, Weighed
from tfft.strategy import Replicas
from tfft.tasks import Facts, Task

_log = logging.getLogger("tfft")
_PROVE = 200  # texts that an export is compared on, besides the hard ones


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
        read_back: Reads the model back that the folder keeps, with what was fitted to its answers.
        export: Publishes it, and returns the folder of the SavedModel's version.
    """

    task: Task
    tokens: Mapping[str, Sequence[Ragged]]
    targets: Mapping[str, np.ndarray]
    read_back: Callable[[], Classifier]
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
        LostWorkerError: Another worker is gone; the folder stays, to be gone on with.
    """
    replicas = strategy.make(settings.strategy, _log.info)
    with replicas.noticing_loss():
        replicas.check_same("the config", config.to_yaml(settings))
        if not replicas.is_chief:
            _help(settings, replicas)
            return None
        # Told inside of the folder, too, which stays where a worker is lost.
        new = run_folder.new(_directory(settings, name), config.to_yaml(settings))
        with new as directory, replicas.noticing_loss():
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
        with run_folder.resumed(directory), replicas.noticing_loss():
            _log.info(f"Run folder: {directory}")
            is_trained = run_folder.is_trained(directory)
            if not is_trained and not any((directory / run_folder.SAVES).glob("step-*")):
                _log.info("It has no save to go on from: the training begins anew")
            same_run.tell_versions(directory)
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
    # A worker that leaves before the chief is taken by TensorFlow for one that has crashed.
    _meet_if_there(replicas)
    return run


def _meet_if_there(replicas: Replicas) -> None:
    """Wait for workers that are not needed any more."""
    try:
        with replicas.noticing_loss():
            replicas.meet()
    except LostWorkerError as error:
        _log.warning(f"Warning: {error} It was not needed any more")


def _help(settings: Config, replicas: Replicas) -> None:
    """Train along with the chief, and leave the rest to it."""
    saves = Path(replicas.told("")) / run_folder.SAVES
    with run_folder.scratch() as directory:
        _train(settings, finished.read_splits(settings), replicas, directory, saves, directory / "export")
        replicas.meet()
    _log.info("The training is done; waiting for the chief, which measures and exports what came of it")
    replicas.meet()


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
            "out_of_distribution",
            written["out_of_distribution"],
            "whose models are not served",
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
    _meet_if_there(replicas)  # from here on the chief is enough
    # From here on the model is the one that the folder keeps: what is measured is what is served.
    model = trained.read_back()
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
    same_run.check_files(settings, directory)
    replicas.check_same("the data", json.dumps({s: part.source["sha256"] for s, part in rows.items()}))
    task = finished.task_of(settings)
    answering.check(settings, task)
    changes = recipe.changes(settings, task)
    facts = task.collect(rows["train"].table["label"])
    targets = {
        split: task.encode(part.table["label"], facts, f"data.{split}") for split, part in rows.items()
    }
    counts = ", ".join(f"{split} {part.table.num_rows}" for split, part in rows.items())
    _log.info(f"Rows: {counts}" + (f"; {len(facts.labels)} labels" if facts.labels else ""))
    if settings.threshold is not None:
        task.check(facts, targets["validation"], settings.threshold.positive)
    weighed = recipe.weigh(settings, task, facts, targets["train"], finished.row_weights(rows["train"]))

    with replicas.strategy.scope():
        model = recipe.model(settings, facts)
    replicas.check_same("the model", json.dumps(model.description, sort_keys=True))
    plan = recipe.plan(settings, model, len(targets["train"]), replicas.count)
    is_trained = run_folder.is_trained(directory)
    if not is_trained:  # else it is there, of as many replicas as trained
        run_folder.write_json(directory / "layers.json", _show(plan, model))
    if not replicas.is_chief:
        replicas.meet()  # once the chief has put the token ids into the cache, which may be theirs, too
    tokens = {split: finished.tokenize(model, part.table) for split, part in rows.items()}
    if replicas.is_chief:
        replicas.meet()
    lengths = finished.lengths(model, tokens["train"])
    members = recipe.members(task, targets["train"], facts)
    cut = truncation.measure(lengths, model.preprocessor.room(), members)
    run_folder.write_json(directory / "lengths.json", cut)
    _log.info(truncation.headline(cut))
    if cut["cut"] and cut["labels"]:
        _log.info(tables.text(truncation.table(cut)))

    for name_of_file, content in model.preprocessor.tokenizer.files.items():
        run_folder.write_bytes((directory / run_folder.DESCRIPTION).with_name(name_of_file), content)
    same_run.check_preset(model, directory)
    run_folder.write_json(directory / run_folder.DESCRIPTION, model.description)
    run_folder.write_json(directory / "labels.json", facts.labels)
    proof = _proof_rows(rows, model.preprocessor.read.columns)
    run_folder.write_json(directory / run_folder.PROOF_ROWS, proof)
    read_back = functools.partial(
        answering.read_back, settings, task, tokens, targets["validation"], directory
    )

    def export() -> Path:
        """Publish the weights that are kept now, unless they are published."""
        record = directory / run_folder.EXPORTED
        versions = run_folder.read_json(record) if record.exists() else {}
        key = fingerprint.of_weights(directory / run_folder.WEIGHTS)
        if key not in versions or not Path(versions[key]).is_dir() or Path(versions[key]).parent != base:
            versions.pop(key, None)  # so that the newest is the last
            versions[key] = str(finished.publish(read_back(), base, proof, directory))
            run_folder.write_json(record, versions)
        return Path(versions[key])

    texts = rows["train"].table.select([*model.preprocessor.read.columns])
    augmented = (
        recipe.augmented(settings, model, texts, changes, targets["train"], weighed) if changes else None
    )
    if not is_trained:
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
    return Trained(task, tokens, targets, read_back, export)


def rates(settings: Config, plot: Path) -> str:
    """Show what a config would train, at which rates.

    Args:
        settings: What `config.read` returned.
        plot: File for a picture of the rates over the steps.

    Returns:
        A table for each phase, and where the picture is.
    """
    rows = finished.read_splits(settings)["train"].table
    model = recipe.model(settings, finished.task_of(settings).collect(rows["label"]))
    plan = recipe.plan(settings, model, rows.num_rows, replicas=1)
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
            f"the first step and {last:.3g} in the last"
            + (", on one device" if settings.training.batch == "per_replica" else ""),
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
    model = recipe.model(settings, facts)
    preprocessor = model.preprocessor
    tokens = finished.tokenize(model, table)
    lengths = finished.lengths(model, tokens)
    odds = None
    if split == "train":
        odds = recipe.weigh(settings, task, facts, targets, finished.row_weights(parts[split])).odds

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
        "cut": truncation.measure(lengths, preprocessor.room(), recipe.members(task, targets, facts)),
        "padding": data_preview.padding(
            lengths,
            preprocessor,
            batches(lengths),
            batches(np.zeros_like(lengths)),  # no sorting
            recipe.COMPILED if recipe.compiles(settings) else 1,
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
            augmentations=recipe.changes(settings, task) if split == "train" else (),
            seed=training.seed,
        ),
    }
    if page is not None:
        data_page.write(found, page)
        _log.info(f"Page: {page}")
    return data_tables.shown(found)


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
    compiles = recipe.compiles(settings)
    rows = -(-recipe.global_batch(settings, replicas.count) // replicas.count)
    with replicas.strategy.scope():
        learner = Learner(model.whole if whole else model.head)
        optimizer = recipe.learn_by(
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

    batches, validation = recipe.batches(
        settings, model, tokens, targets, weighed, augmented, replicas, whole=whole
    )
    pads = compiles and whole and not model.preprocessor.is_full

    def padded(batches: tf.data.Dataset) -> tf.data.Dataset:
        longest = model.preprocessor.sequence_length
        return dataset.pad_to_multiple(batches, recipe.COMPILED, longest) if pads else batches

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


def _proof_rows(rows: Mapping[str, splits.Rows], names: Iterable[str]) -> list[dict[str, str]]:
    parts = (part.table.select([*names]).slice(0, _PROVE).to_pylist() for part in rows.values())
    return [
        {name: text if isinstance(text, str) else " ".join(text) for name, text in row.items()}
        for part in parts
        for row in part
    ][:_PROVE]
