"""A sample of rows -> which column is the text, which the label, and what the task is.

Each guess is made by a rule that can be told in one line, and comes with the
line: a name that is usual, what the values look like, how often they repeat. A
guess that cannot be made is an error that names the option to say it with.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import pyarrow as pa

from tfft import inputs, labels
from tfft.errors import DataError, SettingError
from tfft.looks import Look, look
from tfft.sample import Sample

_TEXTS = (
    "text", "sentence", "review", "review_text", "review_body", "comment", "comment_text", "tweet", "message",
    "utterance", "query", "question", "content", "body", "post", "document", "article", "abstract",
    "description", "headline", "title", "summary", "sms", "email",
)  # fmt: skip
_PAIRS = (
    ("premise", "hypothesis"), ("text_a", "text_b"), ("text1", "text2"), ("sentence1", "sentence2"),
    ("question1", "question2"), ("question", "answer"), ("question", "sentence"), ("question", "passage"),
    ("question", "context"), ("query", "document"), ("query", "passage"), ("claim", "evidence"),
    ("context", "response"),
)  # fmt: skip
_LABELS = (  # a name of the label stands before its number, for it is what the model will answer
    "label_text", "label_name", "label", "labels", "gold_label", "gold", "target", "class", "category",
    "categories", "intent", "intents", "sentiment", "topic", "topics", "emotion", "emotions", "genre",
    "genres", "tag", "tags", "stars", "rating", "score", "similarity", "polarity", "is_duplicate", "spam",
    "y",
)  # fmt: skip
_CLASSES = ("label", "gold_label", "gold", "class", "category", "intent", "target", "topic", "y")
_MANY_LABELS = ("labels", "tags", "categories", "topics", "emotions", "genres", "intents")
_TOKENS = ("tokens", "words", "token", "word")
_TAGS = ("tags", "ner_tags", "labels", "ner", "pos_tags", "pos", "upos")
_LEFT_ALONE = {  # part -> names; the index that pandas writes has none
    "id": r"id|idx|index|uid|uuid|guid|row|number|nr|no|unnamed:_0||.*_(id|uid|idx)|path|file|file_?name|url",
    "date": r"date|time|datetime|timestamp|year|month|day|created|updated|.*_(at|date|time)",
    "weight": r"weights?|.*_weight",
    "group": r"group|user|user_?name|author|speaker|session|conversation|thread|annotator|worker",
    "split": r"split|fold|partition|subset",
    "language": r"lang|language|locale",
}
_NO_NAME = r"(v|x|c|f|col|column|field|var)_?[12ab]"  # of columns that only are numbered
_MANY = 50  # whole numbers from which on they are an amount and no names
_SEPARATORS = (";", "|", ",")


@dataclass(frozen=True)
class Column:
    """The part of one column.

    Attributes:
        name: Of the column.
        part: `text`, `label`, or what it is that is left alone: `id`, `date`, `weight`, …, `other`.
        evidence: Why, in one line.
    """

    name: str
    part: str
    evidence: str


@dataclass(frozen=True)
class Guess:
    """What the columns are, and what is learned from them.

    Attributes:
        task: Name of the task.
        evidence: Why this task, in one line.
        texts: One column, or two of a pair, or templates, as `data.text_column` takes them.
        label: The column of the target.
        separator: Between the labels in one field of CSV; None where there is none, or white space.
        columns: All columns in their order.
        types: Of the columns that are read, as a source wants them.
    """

    task: str
    evidence: str
    texts: tuple[str, ...]
    label: str
    separator: str | None
    columns: tuple[Column, ...]
    types: Mapping[str, pa.DataType]


def columns(
    sample: Sample,
    where: str,
    source: str,
    *,
    task: str | None = None,
    texts: Sequence[str] = (),
    label: str | None = None,
) -> Guess:
    """Guess what the columns of a sample are.

    Args:
        sample: Rows.
        where: The file, for the text of an error.
        source: Name of the source that reads it.
        task: The user's, None to guess it.
        texts: The user's column of the text, two of a pair, or templates; none to guess.
        label: The user's column of the target, None to guess it.

    Raises:
        DataError: The columns do not say what they are, or cannot be learned from.
        SettingError: The user named a column that is not there, or a task that the target does not fit.
    """
    looks = {name: look(name, values) for name, values in sample.columns.items()}
    named = [column for text in texts for column in inputs.read(text).columns.values()]
    for option, name in (*(("--text-column", name) for name in named), ("--label-column", label)):
        if name is not None and name not in looks:
            _refuse_name(option, name, looks)
    if source == "delimited":
        _check_header(looks, where)
    if len(looks) < 2:
        raise DataError(
            f"{where}: one column only, {next(iter(looks))!r}; a text and its label are two. Add the "
            "other, or correct the delimiter or the format."
        )
    may_be_tokens = task in (None, "token_classification") and len(texts) < 2
    if may_be_tokens and (found := _tokens_and_tags(looks, source, *texts[:1], label=label)):
        return _of_tokens(looks, source, *found)
    chosen = tuple(texts) or _texts(looks, label, where)
    read = [*inputs.read(chosen[0] if len(chosen) == 1 else chosen).columns.values()]
    rest = {name: seen for name, seen in looks.items() if name not in read}
    if label in read:
        raise SettingError(
            "--label-column", label, "must not be a column of the text", fix="Name another, or --text-column."
        )
    target = _label(rest, label, task, where, sample.is_whole)
    _refuse_written_lists(target, where)
    separator = _separator(target) if source == "delimited" and target.kind == "text" else None
    wanted, why = _task(target, separator)
    if source != "delimited" and target.kind == "text" and _separator(target):
        why += ', each taken whole; several labels of a row must be a list, as in ["a", "b"]'
    if task is not None and task != wanted:
        why = _fit(task, target, source)
    wanted = task or wanted
    kind = pa.list_(pa.string()) if wanted in ("multi_label", "token_classification") else pa.string()
    text_kind = pa.list_(pa.string()) if wanted == "token_classification" else pa.string()
    return Guess(
        wanted,
        why,
        chosen,
        target.name,
        (separator or None) if wanted == "multi_label" else None,
        tuple(_parts(looks, read, target.name, sample.size)),
        dict.fromkeys(read, text_kind) | {target.name: kind},
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _usual(looks: Mapping[str, Look], names: Sequence[str]) -> list[Look]:
    """Return the columns with usual names, the most usual first."""
    found = [look for look in looks.values() if _plain(look.name) in names]
    return sorted(found, key=lambda look: names.index(_plain(look.name)))


def _refuse_name(option: str, name: str, looks: Mapping[str, Look]) -> NoReturn:
    near = difflib.get_close_matches(name, looks, 3, 0.5)
    shown = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise SettingError(
        option,
        name,
        "must be a column of the data",
        fix=f"{shown}The columns are {', '.join(map(repr, looks))}.",
    )


def _check_header(looks: Mapping[str, Look], where: str) -> None:
    """Refuse a first row that holds values: a number, a long text, or one that recurs below it.

    A usual name among them, or numbers from 0 on as pandas gives them, are names of columns.
    """
    known = {*_TEXTS, *_LABELS, *_TOKENS, *(name for pair in _PAIRS for name in pair)}
    is_numbered = [*looks] == [str(place) for place in range(len(looks))]
    if is_numbered or any(_plain(name) in known for name in looks):
        return
    for seen in looks.values():
        recurs = seen.members.count(seen.name)
        is_number = look("", [seen.name]).kind == "number" and seen.kind == "number"
        if recurs or is_number or len(seen.name) > 60 or len(seen.name.split()) > 8:
            again = f", which also stands in {recurs} of those below" if recurs else ""
            raise DataError(
                f"{where}:1: the first row looks like data, not like the names of columns: {seen.name[:60]!r}"
                f"{again}. Add a header row above it, as in text,label."
            )


def _tokens_and_tags(
    looks: Mapping[str, Look], source: str, text: str | None = None, *, label: str | None = None
) -> tuple[str, str] | None:
    """Return two columns of lists that are equally long in each row; in CSV, of words between spaces.

    Those that the user names or else those with usual names; and, where no column is prose, the two lists
    with the most different members.
    """
    kinds, split = (("text", "number"), str.split) if source == "delimited" else (("list",), list)
    able = {name: seen for name, seen in looks.items() if seen.kind in kinds}
    by_variety = sorted(able.values(), key=lambda seen: -len(seen.distinct))
    has_prose = source == "delimited" or any(seen.is_prose for seen in looks.values())
    firsts = _usual(able, _TOKENS) if has_prose else [*_usual(able, _TOKENS), *by_variety[:1]]
    seconds = [*_usual(able, _TAGS), *by_variety[1:]]
    for first in firsts if text is None else [able[text]] if text in able else []:
        for second in seconds if label is None else [able[label]] if label in able else []:
            if second is not first and _equally_long(first, second, split):
                return first.name, second.name
    return None


def _equally_long(first: Look, second: Look, split: Callable) -> bool:
    if len(first.values) != len(second.values):
        return False
    pairs = zip(first.values, second.values, strict=True)
    lengths = [(len(split(a)), len(split(b))) for a, b in pairs]
    return all(a == b for a, b in lengths) and max((a for a, _ in lengths), default=0) > 1


def _of_tokens(looks: Mapping[str, Look], source: str, tokens: str, tags: str) -> Guess:
    rows = len(looks[tokens].values)
    names = looks[tags].distinct
    if source == "delimited":
        names = list({tag for value in looks[tags].values for tag in value.split()})
    said = f"as many as {tokens!r} in each of {rows:,} rows"
    parts = {
        tokens: Column(tokens, "text", "a list of words"),
        tags: Column(tags, "label", f"{len(names):,} tags, {said}"),
    }
    return Guess(
        "token_classification",
        f"each row of {tags!r} has {said}: a tag for each word",
        (tokens,),
        tags,
        None,
        tuple(parts.get(name) or _left_alone(seen, rows) for name, seen in looks.items()),
        dict.fromkeys((tokens, tags), pa.list_(pa.string())),
    )


def _texts(looks: Mapping[str, Look], label: str | None, where: str) -> tuple[str, ...]:
    """Return a pair by its names, else the column whose name is most usual, else the longest texts."""
    able = {name: seen for name, seen in looks.items() if seen.kind == "text" and name != label}
    by_plain = {_plain(name): name for name in able}
    numbered = [
        (name, name[:-1] + second)
        for name in by_plain
        for first, second in (("a", "b"), ("1", "2"))
        if re.fullmatch(rf"\w*[_a-z]{first}", name) and not re.fullmatch(_NO_NAME, name)
    ]
    for pair in (*_PAIRS, *numbered):
        if all(name in by_plain and len(able[by_plain[name]].distinct) > 1 for name in pair):
            both = tuple(by_plain[name] for name in pair)
            if pair in _PAIRS or all(able[name].is_prose for name in both):
                return both
    usual = [seen for seen in _usual(able, _TEXTS) if len(seen.distinct) > 1]
    if usual and _plain(usual[0].name) == "text":
        return (usual[0].name,)
    usual = [seen for seen in usual if seen.is_prose] or usual
    labels_by_name = _usual(able, _LABELS)
    prose = [seen for seen in able.values() if seen.is_prose and seen not in labels_by_name]
    if best := usual or prose:
        return (max(best, key=lambda seen: seen.mean_tokens).name,)
    shown = ", ".join(f"{name!r} ({_holds(seen)})" for name, seen in looks.items())
    raise DataError(
        f"{where}: no column looks like a text of several words: {shown}. Name it by --text-column, or "
        "correct the file."
    )


def _holds(seen: Look) -> str:
    if seen.kind in ("other", "empty"):
        return {"other": "neither text nor numbers", "empty": "empty"}[seen.kind]
    what = {"text": "text", "number": "numbers", "date": "dates", "list": "lists"}[seen.kind]
    return f"{what}, {len(seen.distinct):,} different"


def _label(rest: Mapping[str, Look], label: str | None, task: str | None, where: str, is_whole: bool) -> Look:
    """Return the user's column of the target, else one with a usual name, else the last that repeats."""
    if label is not None:
        _check_label(rest[label], task, where, is_whole)
        return rest[label]

    def can_be_learned(seen: Look) -> bool:
        is_wanted = task == "regression" and seen.kind == "number" and len(seen.distinct) > 1
        return is_wanted or _repeats(seen) or _is_amount(seen)

    usual = _usual(rest, _LABELS)
    others = [seen for seen in rest.values() if _part_by_name(seen.name) is None]
    able = [*filter(can_be_learned, others)]
    if good := [*filter(can_be_learned, usual)]:
        return good[0]
    if not usual and able:
        flags = [seen.name for seen in able if set(seen.distinct) == {"0", "1"}]
        if len(flags) > 2:
            raise DataError(
                f"{where}: the columns {', '.join(map(repr, flags))} hold 0 and 1, as if each were a label. "
                "Write the labels of a row in one column, in CSV as a;b, or name one by --label-column."
            )
        return able[-1]
    suspects = usual or others or [*rest.values()]
    for seen in suspects:
        _refuse_written_lists(seen, where)
        if not is_whole and len(seen.distinct) == 1:
            raise DataError(
                f"{where}: the column {seen.name!r} has one value only, {seen.distinct[0]!r}, in the first "
                "part of the file, to which a look is limited. If others follow, name it by --label-column."
            )
        _check_label(seen, task, where, True)
    raise DataError(
        f"{where}: no column beside the text looks like a label, whose values repeat. Name it by "
        "--label-column."
    )


def _repeats(seen: Look) -> bool:
    """Return whether a column may hold labels: at least two, each in two rows on the average."""
    if seen.kind == "list" or (seen.kind == "text" and _separator(seen) is not None):
        return len(seen.distinct) > 1
    return seen.kind in ("text", "number") and 1 < len(seen.distinct) <= len(seen.values) / 2


def _check_label(seen: Look, task: str | None, where: str, is_whole: bool) -> None:
    """Raise a DataError where there is nothing to learn from a column."""
    how = "Name another column by --label-column"
    if seen.kind in ("other", "empty"):
        raise DataError(f"{where}: the column {seen.name!r} is {_holds(seen)}; a label is a text. {how}.")
    if is_whole and len(seen.distinct) == 1:
        raise DataError(
            f"{where}: the column {seen.name!r} has one value only, {seen.distinct[0]!r}; there is nothing "
            f"to learn. {how}, or add rows with other labels."
        )
    is_one_each = seen.kind != "list" and len(seen.distinct) == len(seen.values)
    if is_one_each and not _is_amount(seen) and task != "regression":
        raise DataError(
            f"{where}: the column {seen.name!r} has another value in each of {len(seen.values):,} rows, as "
            f"ids have; a label repeats. {how}, or, for numbers to be learned, --task regression."
        )


def _refuse_written_lists(seen: Look, where: str) -> None:
    """Raise a DataError where each value is a list as Python or JSON writes it, which no source splits."""
    if seen.kind == "text" and all(value[0] + value[-1] == "[]" for value in map(str.strip, seen.values)):
        raise DataError(
            f"{where}: the column {seen.name!r} has lists written as text, as in {seen.values[0][:40]!r}. "
            "Write JSON Lines, or the labels as a;b."
        )


def _is_amount(seen: Look) -> bool:
    """Return whether a column holds numbers to be learned as such, not as names."""
    if seen.kind != "number":
        return False
    if (seen.numbers % 1 != 0).any():
        return True
    if len(seen.distinct) <= _MANY:
        return False
    low, high = seen.numbers.min(), seen.numbers.max()
    is_numbering = low in (0, 1) and high - low < 1.2 * len(seen.distinct)
    is_id = len(seen.distinct) == len(seen.values)
    return not is_id and not (is_numbering and _plain(seen.name) in _CLASSES)


def _separator(seen: Look) -> str | None:
    """Return what stands between the labels of a field; "" for white space, None where each has one.

    By a separator the labels of a field vary in number, and those of all fields are fewer than the fields
    that they make together.
    """
    tried = (*_SEPARATORS, "") if _plain(seen.name) in _MANY_LABELS else _SEPARATORS
    for separator in tried:
        lists = [value.split(separator or None) for value in seen.values]
        members = {member.strip() for parts in lists for member in parts}
        several = sum(len(parts) > 1 for parts in lists)
        varies = len({len(parts) for parts in lists}) > 1
        if varies and 50 * several >= len(lists) and "" not in members and len(members) < len(seen.distinct):
            return separator
    return None


def _task(seen: Look, separator: str | None) -> tuple[str, str]:
    """Return a task and the evidence for it."""
    name, rows = seen.name, f"{len(seen.values):,} rows"
    if seen.kind == "list":
        return "multi_label", f"{name!r} holds lists, of {len(seen.distinct):,} labels in {rows}"
    if separator is not None:
        return (
            "multi_label",
            f"fields of {name!r} hold several labels, with {separator or ' '!r} between them",
        )
    if _is_amount(seen):
        low, high = seen.numbers.min(), seen.numbers.max()
        return "regression", (
            f"{name!r} holds numbers from {low:g} to {high:g}, {len(seen.distinct):,} different in {rows}"
        )
    evidence = f"{name!r} has {len(seen.distinct):,} values in {rows}"
    if len(seen.distinct) > 2 and labels.are_numbers(seen.distinct):
        return "text_classification", (
            f"{evidence}, whole numbers taken as names; if they have an order, --task ordinal or regression"
        )
    return "text_classification", evidence


def _fit(task: str, seen: Look, source: str) -> str:
    """Return that a task is the user's, where the target fits it."""

    def refuse(expected: str, fix: str) -> NoReturn:
        raise SettingError("--task", task, f"needs {expected} in the column {seen.name!r}", fix=fix)

    if task == "token_classification":
        refuse(
            "a list as long as that of the words", "Write the tokens and their tags as lists of one length."
        )
    if task == "multi_label" and seen.kind != "list" and source != "delimited":
        refuse("a list", 'Write the labels of a row as a list, as in ["a", "b"].')
    if task != "multi_label" and seen.kind == "list":
        refuse("one value a row", "Leave the option out: lists are of the task multi_label.")
    if task == "regression" and seen.kind != "number":
        refuse("a number in each row", "Leave the option out, or correct the column.")
    if task == "ordinal" and not labels.are_numbers(seen.distinct):
        refuse(
            "whole numbers, which tell the order,",
            "Leave the option out, and write task: {name: ordinal, order: [low, …, high]} in the config.",
        )
    return "as you say"


def _parts(looks: Mapping[str, Look], texts: Sequence[str], label: str, rows: int) -> Iterator[Column]:
    for name, seen in looks.items():
        different = f"{len(seen.distinct):,} values in {rows:,} rows"
        if name in texts:
            yield Column(name, "text", f"{seen.mean_tokens:.0f} tokens on the average, {different}")
        elif name == label:
            yield Column(name, "label", different)
        else:
            yield _left_alone(seen, rows)


def _part_by_name(name: str) -> str | None:
    return next((part for part, names in _LEFT_ALONE.items() if re.fullmatch(names, _plain(name))), None)


def _left_alone(seen: Look, rows: int) -> Column:
    if part := _part_by_name(seen.name):
        return Column(seen.name, part, "left alone: so by its name")
    if seen.kind == "date":
        return Column(seen.name, "date", "left alone: dates")
    if seen.kind == "text" and not seen.is_prose and len(seen.distinct) == rows:
        return Column(seen.name, "id", "left alone: another value in each row")
    return Column(seen.name, "other", f"left alone: {_holds(seen)}")
