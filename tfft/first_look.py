"""From data to a first config: what `tfft init` does, top to bottom, without TensorFlow."""

import dataclasses
import difflib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tfft import data_files, first_config, guess, plugins, sample, sources, tables
from tfft.data_files import DataFiles
from tfft.errors import DataError, SettingError
from tfft.guess import Guess
from tfft.sample import Counted, Sample


@dataclass(frozen=True)
class Seen:
    """What was seen of a data set.

    Attributes:
        files: Of its splits.
        sample: Of the training rows.
    """

    files: DataFiles
    sample: Sample


def look(where: str) -> Seen:
    """Look at a file, a pattern or a folder.

    Raises:
        DataError: There is none, or nothing in it that a source reads.
    """
    files = data_files.find(where)
    return Seen(files, sample.take(data_files.paths(files.train, files.source), files.source))


def guessed(
    seen: Seen, *, task: str | None = None, texts: Sequence[str] = (), label: str | None = None
) -> Guess:
    """Guess what is learned from which columns; what the user says is not guessed.

    Args:
        seen: As of `look`.
        task: Name of the task, None to guess it.
        texts: Column of the text, two of a pair, or templates; none to guess.
        label: Column of the target, None to guess it.

    Raises:
        DataError: The columns do not say what they are, or cannot be learned from.
        SettingError: There is no such task or column, or the task does not fit.
    """
    known = plugins.names("tasks")
    if task is not None and task not in known:
        near = difflib.get_close_matches(task, known, 1)
        fix = f"Did you mean {near[0]!r}? " if near else ""
        raise SettingError("--task", task, "must be a task", fix=f"{fix}The tasks are {', '.join(known)}.")
    files = seen.files
    found = guess.columns(seen.sample, files.train, files.source["name"], task=task, texts=texts, label=label)
    if found.task not in known:
        raise DataError(
            f"{files.train}: {found.evidence}. That is of the task {found.task}, which this version of tfft "
            f"does not have; it has {', '.join(known)}. Name others by --text-column and --label-column."
        )
    return found


def shown(seen: Seen, found: Guess) -> str:
    """Return tables of the guesses and of three rows, and the task."""
    rows = [
        {name: values[row] for name, values in seen.sample.columns.items()}
        for row in range(3)[: seen.sample.size]
    ]
    about = "" if seen.sample.is_whole else "about "
    said = f"{seen.files.train}: {about}{seen.sample.rows:,} rows, read as {seen.files.source['name']}"
    splits = [
        f"{split}: {getattr(seen.files, split)}"
        for split in ("validation", "test")
        if getattr(seen.files, split)
    ]
    parts = [(column.name, column.part, column.evidence) for column in found.columns]
    return "\n".join(
        [
            said,
            tables.text(tables.columns(parts)),
            tables.text(tables.rows(rows)),
            *splits,
            f"task: {found.task} ({found.evidence})",
        ]
    )


def config(seen: Seen, found: Guess, preset: str, name: str) -> str:
    """Return the text of a config.

    Args:
        seen: As of `look`.
        found: As of `guessed`.
        preset: Of the backbone.
        name: Of the file that it will be, for the commands in it.

    Raises:
        DataError: There are too few rows, or too few of a label, or no row can be used.
        SettingError: The preset cannot be taken without its hash.
    """
    counted = _counted(seen, seen.files.train, seen.sample, found)
    unused: dict[str, Any] = {}
    notes = []
    for split in ("validation", "test"):
        if (origin := getattr(seen.files, split)) is None:
            continue
        rows = sample.take(data_files.paths(origin, seen.files.source), seen.files.source)
        of_split = _counted(seen, origin, rows, found) if set(found.types) <= set(rows.columns) else None
        if reason := next(_faults(of_split, counted, rows, found), None):
            unused[split] = None
            notes.append(f"Not used for {split}, for {reason}: {origin}")
        elif of_split is not None:
            bad = [*counted.bad_rows, *of_split.bad_rows]
            counted = dataclasses.replace(counted, bad_rows=bad, bad=counted.bad + of_split.bad)
    files = dataclasses.replace(seen.files, **unused)
    return first_config.text(files, seen.sample, found, counted, preset=preset, notes=notes, config=name)


def _counted(seen: Seen, origin: str, rows: Sample, found: Guess) -> Counted:
    """Return what the source makes of a split's rows; of files that are too long, what the sample tells."""
    if not rows.is_whole:
        values = [value for value in rows.columns[found.label] if value is not None]
        return sample.counted(values, rows.rows)
    settings = {key: value for key, value in seen.files.source.items() if key != "name"}
    if found.separator:
        settings["separator"] = found.separator
    read = functools.partial(plugins.load("sources", seen.files.source["name"]), **settings)
    counted = sample.count(read, sources.files(origin), found.types, found.label)
    if not counted.rows and origin == seen.files.train:
        raise DataError(f"{counted.bad_rows[0]}. No row can be used; correct them.")
    return counted


def _faults(of_split: Counted | None, of_train: Counted, rows: Sample, found: Guess) -> Iterator[str]:
    """Yield why the rows of a split cannot be compared with those for training."""
    if of_split is None:
        absent = [name for name in found.types if name not in rows.columns]
        yield f"it has no column {', '.join(map(repr, absent))}"
        return
    if not of_split.rows:
        yield "no row of it can be used"
    strange = [label for label in of_split.labels if label not in of_train.labels]
    if strange and found.task != "regression" and of_train.is_whole:
        yield f"no training row has its label {strange[0]!r}"
