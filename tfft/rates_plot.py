"""The learning rate of every layer over the steps of a run, as a picture."""

import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure
import numpy as np

from tfft.errors import RunError
from tfft.layer_groups import Group
from tfft.learning_rates import Schedule
from tfft.phases import Phase

_POINTS = 2000  # steps that are drawn at most
_MADE_BY = "tfft rates"


def draw(
    groups: Sequence[Group], phases: Sequence[Phase], schedule: Schedule, total_steps: int, path: Path
) -> None:
    """Write a PNG with a line for each group of layers, broken where it is frozen.

    Args:
        groups: All layers from the input upward.
        phases: Of the run.
        schedule: Of the run.
        total_steps: Of the run.
        path: Of the picture. One that this function drew is replaced.

    Raises:
        RunError: Another file has that name, or it cannot be written.
    """
    if path.exists() and not (path.is_file() and _MADE_BY.encode() in path.read_bytes()):
        raise RunError(f"{path} exists and is no picture of tfft rates. Choose another name with --plot.")
    steps = np.unique(np.linspace(0, total_steps - 1, min(total_steps, _POINTS)).astype(int))
    rates = np.array([float(schedule(step)) for step in steps])
    figure = matplotlib.figure.Figure(figsize=(9, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(groups)))
    for group, colour in zip(groups, colours, strict=True):
        factors = np.full(len(steps), np.nan)
        for phase in phases:
            here = [phase.multiplier_of[v.path] for v in group.variables if phase.trains[v.path]]
            factors[steps >= phase.start] = max(here) if here else np.nan
        axes.plot(steps + 1, rates * factors, label=group.name, color=colour)
    for phase in phases[1:]:
        axes.axvline(phase.start + 1, color="0.7", linestyle=":")
    axes.set(xlabel="step", ylabel="learning rate", title="Learning rate of each layer")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right", fontsize="small")
    temporary = path.with_name(f".{path.name}.writing")
    try:
        figure.savefig(temporary, format="png", metadata={"Software": _MADE_BY})
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error}. Choose another place with --plot.") from error
