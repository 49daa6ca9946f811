"""The phases of a run: from which step on which variables train, and at which rates.

Joins freezing and learning rates: the stages that an unfreezing plug-in gives are
laid over the config's `freeze`, counted in steps, and every variable that trains in
a phase gets exactly one rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfft import freezing, learning_rates
from tfft.errors import SettingError
from tfft.layer_groups import Group
from tfft.learning_rates import Segment
from tfft.unfreezing import Stage


@dataclass(frozen=True)
class Phase:
    """A stretch of a run in which one set of variables trains.

    Attributes:
        start: Its first step.
        trains: Whether a variable trains, by its path.
        multiplier_of: Factor on the schedule's rate, by a variable's path.
        peak: Peak of the schedule that is in force.
    """

    start: int
    trains: Mapping[str, bool]
    multiplier_of: Mapping[str, float]
    peak: float


def plan(
    groups: Sequence[Group],
    stages: Sequence[Stage],
    base: Mapping[str, bool],
    *,
    steps_per_epoch: int,
    total_steps: int,
    warmup: float,
    learning_rate: float,
    head_learning_rate: float | None,
    layer_decay: float,
    rates: Sequence[tuple[str, float]],
) -> tuple[list[Phase], list[Segment]]:
    """Return the phases of a run and the segments of its schedule.

    Args:
        groups: All layers from the input upward; the last is the head.
        stages: At least one.
        base: Whether a variable of the backbone may train at all, by its path.
        steps_per_epoch: Steps in which each row is seen once.
        total_steps: Of the whole run.
        warmup: Share of each segment over which the rate rises.
        learning_rate: Peak rate of the first segment, if its stage has none of its own.
        head_learning_rate: Peak rate of the head, where a stage has none of its own.
        layer_decay: As in `learning_rates.multipliers`.
        rates: The rules of `learning_rates.multipliers`.

    Raises:
        SettingError: A rule decides nothing, a stage trains nothing, or the run is too
            short for the stages.
    """
    starts = _starts(stages, steps_per_epoch, total_steps)
    trains = [
        {
            variable.path: group.name not in stage.frozen and base.get(variable.path, True)
            for group in groups
            for variable in group.variables
        }
        for stage in stages
    ]
    _refuse_idle(stages, starts, trains, base)
    ever = {path for stage in trains for path, does in stage.items() if does}
    phases: list[Phase] = []
    opened: list[tuple[int, float]] = []  # start and peak of each segment
    for start, stage, now in zip(starts, stages, trains, strict=True):
        if stage.learning_rate is not None or not opened:
            opened.append((start, stage.learning_rate or learning_rate))
        peak = opened[-1][1]
        multiplier_of = learning_rates.multipliers(
            groups,
            learning_rate=peak,
            head_learning_rate=stage.head_learning_rate or head_learning_rate,
            layer_decay=layer_decay,
            rules=rates,
            ever=ever,
        )
        phases.append(Phase(start, now, multiplier_of, peak))
    ends = [*(start for start, _ in opened[1:]), total_steps]
    segments = [
        Segment(start, end - start, round(warmup * (end - start)), peak)
        for (start, peak), end in zip(opened, ends, strict=True)
    ]
    return phases, segments


def table(groups: Sequence[Group], phase: Phase) -> list[dict[str, str | int | float]]:
    """Return `freezing.table` of a phase."""
    rates = {path: factor * phase.peak for path, factor in phase.multiplier_of.items()}
    return freezing.table(groups, phase.trains, rates)


def _refuse_idle(
    stages: Sequence[Stage],
    starts: Sequence[int],
    trains: Sequence[Mapping[str, bool]],
    base: Mapping[str, bool],
) -> None:
    for stage, start, now in zip(stages, starts, trains, strict=True):
        if not any(now.values()):
            raise SettingError(
                "unfreezing",
                ", ".join(stage.frozen),
                f"must leave something to train from step {start + 1} on; with freeze it leaves nothing",
                fix="Freeze less, or leave unfreezing out.",
            )
    if len(stages) > 1 and not any(base.values()):
        raise SettingError(
            "unfreezing",
            f"{len(stages)} stages",
            "has nothing to thaw, for freeze leaves nothing of the backbone",
            fix="Freeze less, or leave unfreezing out.",
        )


def _starts(stages: Sequence[Stage], steps_per_epoch: int, total_steps: int) -> list[int]:
    starts = [0]
    for stage in stages[:-1]:
        length = str(stage.length)
        unit = steps_per_epoch if "epoch" in length else total_steps / 100 if "%" in length else 1
        starts.append(starts[-1] + max(1, round(float(length.rstrip(" %epochst")) * unit)))
    if starts[-1] >= total_steps:
        raise SettingError(
            "unfreezing",
            ", ".join(str(stage.length) for stage in stages[:-1]),
            f"must end before the run does: its last stage would start at step {starts[-1]} of {total_steps}",
            fix="Raise training.epochs, or make the stages shorter.",
        )
    return starts
