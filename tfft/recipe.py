"""What a config says of a training, built: the model, what trains when, what rows weigh, what is minimised.

One of the files that see a config, beside `run.py`, which tells in which order, and `finished.py`.
"""

import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfft import (
    augmentations,
    classifier,
    dataset,
    finished,
    freezing,
    imbalance,
    learning_rates,
    lora,
    losses,
    phases,
    plugins,
)
from tfft.augmentations import Augmentation
from tfft.classifier import Classifier
from tfft.config import Config
from tfft.errors import SettingError
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
COMPILED = 32
"""Tokens; what the length of a batch is a multiple of where XLA compiles."""


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


def model(settings: Config, facts: Facts) -> Classifier:
    """Return the model that a config describes, its backbone as pretrained, its head new."""
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


def members(task: Task, targets: np.ndarray, facts: Facts) -> Iterator[tuple[str, np.ndarray]]:
    """Yield for each label its name, and which rows have it, bool `[rows]`."""
    for index, name in enumerate(facts.labels):
        if isinstance(targets, Ragged):
            has = np.zeros(len(targets), bool)
            has[targets.rows[targets.flat == index]] = True
            yield name, has
        else:
            yield name, targets[:, index] > 0 if task.kind == "labels" else targets == index


def weigh(settings: Config, task: Task, facts: Facts, targets: np.ndarray, weights: np.ndarray) -> Weighed:
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


def changes(settings: Config, task: Task) -> list[Augmentation]:
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


def augmented(
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


def plan(settings: Config, model: Classifier, rows: int, replicas: int) -> Plan:
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
    steps_per_epoch = -(-rows // global_batch(settings, replicas))
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


def global_batch(settings: Config, replicas: int) -> int:
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


def compiles(settings: Config) -> bool:
    """Return whether XLA compiles the training step."""
    chosen = settings.training.jit
    return chosen == "on" or (chosen == "auto" and bool(tf.config.list_physical_devices("GPU")))


def batches(
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
    batch_size = global_batch(settings, replicas.count)
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


def learn_by(
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
