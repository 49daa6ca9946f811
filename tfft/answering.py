"""Read back the model that a run keeps, and fit to its answers what the config asks for.

The temperature by which logits are divided, then the decision, which stands on it, then what
tells unlike texts: all by the validation rows, and kept in the run's folder with the model.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tfft import calibration, classifier, finished, out_of_distribution, run_folder
from tfft.classifier import Classifier
from tfft.config import Config
from tfft.errors import SettingError
from tfft.ragged import Ragged
from tfft.tasks import Task

_log = logging.getLogger("tfft")


def check(settings: Config, task: Task) -> None:
    """Raise a SettingError for what a task cannot have, before a model is trained for it."""
    if settings.calibration is not None and task.kind == "number":
        raise SettingError(
            "calibration",
            settings.calibration,
            "must not be set with a task that has no probabilities",
            fix="Remove it.",
        )
    if settings.out_of_distribution is not None and task.kind == "tags":
        raise SettingError(
            "out_of_distribution",
            "a section",
            "must not be set with a task that has no vector for a text as a whole",
            fix="Remove it.",
        )


def read_back(
    settings: Config,
    task: Task,
    tokens: Mapping[str, Sequence[Ragged]],
    targets: np.ndarray | Ragged,
    directory: Path,
) -> Classifier:
    """Return the model that the folder keeps, with what the config wants to be fitted to its answers.

    Args:
        settings: The config.
        task: Of the run.
        tokens: Of each split.
        targets: Of the validation rows, to which it is fitted.
        directory: The run's folder, which keeps what was fitted.
    """
    decision, unlike = settings.threshold, settings.out_of_distribution
    if settings.calibration is None and decision is None and unlike is None:
        return finished.restore(directory)
    # The epoch before may have been published, and what was fitted to it is not for this one.
    kept = run_folder.read_json(directory / run_folder.DESCRIPTION)
    fitted = {**kept, "temperature": 1.0, "decision": None}
    run_folder.write_json(directory / run_folder.DESCRIPTION, fitted)
    model = finished.restore(directory)
    logits = finished.outputs(model.whole, model, tokens["validation"], "calibrating")
    if settings.calibration is not None:
        truths = targets.flat if isinstance(targets, Ragged) else targets
        fitted["temperature"], told = calibration.fit(logits, truths, model.outputs)
        _log.info(told)
        logits = logits / np.float32(fitted["temperature"])
    if decision is not None:
        fitted["decision"], told = task.tune(logits, targets, model.facts, decision.positive, decision.metric)
        _log.info(told)
    if unlike is not None:
        drawn = _drawn(tokens["train"], unlike.rows, settings.training.seed)
        known, others = (
            finished.outputs(model.encoder, model, part, "comparing texts")
            for part in (drawn, tokens["validation"])
        )
        content = out_of_distribution.to_bytes(
            out_of_distribution.fit(known, others, neighbors=unlike.neighbors)
        )
        run_folder.write_bytes((directory / run_folder.DESCRIPTION).with_name(classifier.KNOWN), content)
    run_folder.write_json(directory / run_folder.DESCRIPTION, fitted)
    return finished.restore(directory)


def _drawn(tokens: Sequence[Ragged], rows: int, seed: int) -> list[Ragged]:
    """Return the token ids of rows drawn at random, of each text."""
    count = len(tokens[0])
    places = np.sort(np.random.default_rng(seed).permutation(count)[:rows])
    taken = [text.take(places) for text in tokens]
    return [Ragged(flat, np.cumsum([0, *lengths])) for flat, lengths in taken]
