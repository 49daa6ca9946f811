"""What the model will see of a split, before anything is computed with it, ready for JSON.

Some rows are shown from the file to the token ids; the figures are of all rows, unless they say
of how many they are. What is asked of the preprocessor is what training asks of it, so that the
two cannot differ. `data_tables.py` and `data_page.py` are the two faces of it.
"""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from rich.console import Console
from rich.progress import Progress

from tfft.augmentations import Augmentation, change
from tfft.preprocessor import Preprocessor
from tfft.ragged import Ragged

_AT_ONCE = 4096  # rows
_TOKENS_AT_ONCE = 2**22
_SAMPLE = 1000  # rows at most in which words and characters are looked at one by one
_SHOWN = 10  # of words, characters, rows, bad rows
_BINS = 40  # of a histogram, at most
_CUT = (5, 1, 0)  # per cent of the rows
_HASHES = 2**63 - 1
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no part of a hash is lost


@dataclass(frozen=True)
class _Unusual:
    """Characters that text hardly ever needs.

    Attributes:
        name: For people.
        pattern: As Python and RE2 read it.
        step: The preparation that mends them, None where none can.
    """

    name: str
    pattern: str
    step: str | None


_UNUSUAL = (
    _Unusual("HTML entities", "&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);", "html_entities"),
    _Unusual("Windows-1252 leftovers", "[\x80-\x9f]", "cp1252"),
    # All but the white space among them.
    _Unusual("control characters", r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]", "white_space"),
    _Unusual("replacement characters", "\ufffd", None),
)


def sample(rows: int, number: int, seed: int) -> np.ndarray:
    """Return some of `rows` row numbers, from 0, in their order; all where there are not so many."""
    drawn = np.random.default_rng(seed).choice(rows, min(number, rows), replace=False, shuffle=False)
    return np.sort(drawn)


def examples(
    preprocessor: Preprocessor,
    table: pa.Table,
    rows: np.ndarray,
    encoded: np.ndarray,
    columns: Mapping[str, str],
    *,
    augmentations: Sequence[Augmentation] = (),
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return what becomes of some rows.

    Args:
        preprocessor: Of the model.
        table: Of the split, with the columns that the preprocessor reads, and `label`, if words have tags.
        rows: Their numbers, from 0.
        encoded: Targets of all rows, ids `[rows]` or of each word, 0 or 1 `[rows, labels]`, or numbers
            `[rows]`.
        columns: Name of a column here, to its name in the file.
        augmentations: What changes the texts before the preparation, in their order.
        seed: Of the augmentations.

    Returns:
        For each row: its number, from 1; its columns as they stand in the file; its texts, joined,
        augmented and prepared, each as parts that stayed, were removed or were added by the step; its
        words, if they have tags, each with its tag and how many tokens it has; its tokens, framed and cut
        as the model takes them, those of all windows one after the other; the padding behind them, if
        these rows were one batch; the tokens that are cut; its target.
    """
    chosen = table.take(rows)
    fields = _fields(chosen, preprocessor)
    joined = preprocessor.read.join(fields)
    if is_words := isinstance(joined[0], tf.RaggedTensor):
        tokens = preprocessor.tokenize(fields)
        clean = tuple(words.with_flat_values(preprocessor.prepare(words.flat_values)) for words in joined)
        joined, prepared = (tuple(_spaced(words) for words in step) for step in (joined, clean))
        augmented = joined
    else:
        augmented = change(joined, augmentations, tf.constant([seed, 0], tf.int64))
        prepared = tuple(preprocessor.prepare(text) for text in augmented)
        tokens = preprocessor.ids(augmented)
    of_texts = tokens[: len(preprocessor.read.texts)]
    packed = preprocessor.pack(*tokens)["token_ids"].numpy()
    marked = preprocessor.pack(*_marks(of_texts), *tokens[len(of_texts) :])["token_ids"].numpy()
    texts = [zip(*(text.numpy() for text in step), strict=True) for step in (joined, augmented, prepared)]
    shown = []
    for row, (number, *steps) in enumerate(zip(rows.tolist(), *texts, strict=True)):
        own = [ids[row].numpy() for ids in of_texts]
        of_text = np.repeat(np.arange(len(own)), [len(ids) for ids in own])
        held = _held(preprocessor, marked[row], len(of_text))
        ids = packed[row][held]
        # Of each token that the model takes its place among those of the row's texts, below 0 of a
        # special one.
        places = -1 - marked[row][held]
        is_cut = np.isin(np.arange(len(of_text)), places, invert=True)
        shown.append(
            {
                "row": number + 1,
                "columns": [
                    {"column": columns[name], "value": chosen[name][row].as_py()}
                    for name in chosen.column_names
                ],
                "texts": [
                    {
                        "joined": plain,
                        "augmented": _changes(plain, changed) if augmentations else None,
                        "prepared": _changes(changed, clean),
                    }
                    for plain, changed, clean in zip(*map(_decoded, steps), strict=True)
                ],
                "words": _tagged(chosen, row, tokens[1][row].numpy().tolist()) if is_words else None,
                "tokens": _spelt(
                    preprocessor,
                    ids,
                    [int(of_text[place]) if place >= 0 else None for place in places],
                ),
                "padding": packed[row].size - len(ids),
                "cut": _spelt(preprocessor, np.concatenate(own)[is_cut], of_text[is_cut].tolist()),
                "target": _target(encoded, number),
            }
        )
    return shown


def _held(preprocessor: Preprocessor, marked: np.ndarray, length: int) -> np.ndarray:
    """Return which tokens of a row are no padding, bool `[tokens]` or `[windows, tokens]`.

    Args:
        preprocessor: Of the model.
        marked: What `pack` made of the marks of the row.
        length: Tokens of the row, uncut.
    """
    # As many windows as it has read all that has not been cut; of each, what is framed is at its start.
    windows = np.atleast_2d(marked)
    number = min(int(preprocessor.windows(np.array(length))), preprocessor.at_most)
    is_there = np.arange(len(windows)) < number
    own = (windows < 0).sum(axis=1)
    if length == 0:
        own[0] = preprocessor.sizes(np.array(0))[0] - preprocessor.special
    width = np.where(is_there, own + preprocessor.special, 0)
    return np.reshape(np.arange(windows.shape[1]) < width[:, None], marked.shape)


def _tagged(chosen: pa.Table, row: int, pieces: Sequence[int]) -> list[dict[str, Any]]:
    words, tags = ((*chosen[name][row].as_py(),) for name in ("text", "label"))
    return [
        {"word": word, "tag": tag, "tokens": count}
        for word, tag, count in zip(words, tags, pieces, strict=True)
    ]


def _spaced(words: tf.RaggedTensor) -> tf.Tensor:
    return tf.strings.reduce_join(words, separator=" ", axis=1)


def _marks(tokens: Sequence[tf.RaggedTensor]) -> list[tf.RaggedTensor]:
    """Return in place of each token a mark of its place among all of its row, int32 `[N, (tokens)]`.

    Packed like the tokens, marks tell which of them stay, and where: they are below 0, where no id
    of a special token is.
    """
    start = tf.zeros([tokens[0].nrows()], tf.int64)
    marks = []
    for ids in tokens:
        marks.append(tf.cast(-1 - (tf.ragged.range(ids.row_lengths()) + start[:, None]), tf.int32))
        start += ids.row_lengths()
    return marks


def _decoded(texts: Sequence[bytes]) -> list[str]:
    return [text.decode(errors="replace") for text in texts]


def as_texts(table: pa.Table) -> pa.Table:
    """Return rows whose words, where a column holds lists of them, are one text with spaces between."""
    return pa.table(
        {
            name: pc.binary_join(column.combine_chunks(), " ") if pa.types.is_list(column.type) else column
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    )


def targets(kind: str, labels: Sequence[str], values: np.ndarray | Ragged) -> dict[str, Any]:
    """Return how often each label stands, or how numbers are spread.

    Args:
        kind: As a task tells it: `label`, `rank`, `labels`, `tags` or `number`.
        labels: Names, in the order of their ids.
        values: Of all rows: ids `[rows]` or of each word, 0 or 1 `[rows, labels]`, or numbers in units of
            the data `[rows]`.
    """
    if isinstance(values, Ragged):
        values = values.flat  # words are what is counted
    if kind == "number":
        return {
            "kind": kind,
            "mean": float(values.mean()),
            "standard_deviation": float(values.std()),
            "lowest": float(values.min()),
            "highest": float(values.max()),
            "histogram": _histogram(values, np.histogram_bin_edges(values, _BINS // 2)),
        }
    if kind == "labels":
        counts = values.sum(axis=0, dtype=np.int64)
    else:
        counts = np.bincount(values, minlength=len(labels))
    found: dict[str, Any] = {
        "kind": kind,
        "labels": [
            {"label": label, "rows": int(count), "share": float(count / len(values))}
            for label, count in zip(labels, counts, strict=True)
        ],
    }
    if kind == "labels":
        per_row = values.sum(axis=1, dtype=np.int64)
        found["labels_per_row"] = [
            {"labels": number, "rows": int(count)} for number, count in enumerate(np.bincount(per_row))
        ]
        found["mean_labels_per_row"] = float(per_row.mean())
    return found


def token_lengths(lengths: np.ndarray, preprocessor: Preprocessor) -> dict[str, Any]:
    """Return how long rows are, and which sequence lengths would cut how many of them.

    Args:
        lengths: Tokens of each row in all its texts, uncut and without special tokens, `[rows]`.
        preprocessor: Of the model.
    """
    special = preprocessor.special
    median, high, highest = np.percentile(lengths, (50, 95, 99))
    ordered = np.sort(lengths)
    longest = int(ordered[-1])
    width = longest // _BINS + 1  # whole tokens
    return {
        "median": float(median),
        "percentile_95": float(high),
        "percentile_99": float(highest),
        "longest": longest,
        "without_tokens": int((lengths == 0).sum()),
        "special": special,
        "room": preprocessor.room(),
        "sequence_length": preprocessor.sequence_length,
        "windows": preprocessor.at_most,
        "histogram": _histogram(lengths, np.arange(0, longest + width + 1, width)),
        "enough": [
            {
                "cut": percent / 100,
                "sequence_length": int(most) + special,
                "windows": int(preprocessor.windows(most)),
            }
            for percent in _CUT
            # As many rows as may be cut are at most longer than this one.
            for most in [ordered[-1 - len(ordered) * percent // 100]]
        ],
    }


def padding(
    lengths: np.ndarray,
    preprocessor: Preprocessor,
    batches: Sequence[np.ndarray],
    unsorted: Sequence[np.ndarray],
    multiple: int = 1,
) -> dict[str, Any]:
    """Return the share of padding among all tokens that the model computes in an epoch.

    Args:
        lengths: Tokens of each row in all its texts, uncut and without special tokens, `[rows]`.
        preprocessor: Of the model.
        batches: Rows of each batch, as training makes them.
        unsorted: Rows of each batch, if rows came as they are drawn.
        multiple: Of which the width of a batch is, as far as the sequence length lets it.
    """
    widest, real = preprocessor.sizes(lengths)
    windows = np.minimum(preprocessor.windows(lengths), preprocessor.at_most)
    longest = preprocessor.sequence_length

    def measured(batches: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return of each batch its rows, its windows, their width and its tokens that are no padding."""
        sizes = np.array([len(batch) for batch in batches])
        rows, starts = np.concatenate(batches), np.cumsum(sizes) - sizes
        widths = np.maximum.reduceat(widest[rows], starts)
        widths = np.minimum(-(-widths // multiple) * multiple, longest)
        if preprocessor.is_full:
            widths[:] = longest
        number = np.maximum.reduceat(windows[rows], starts)
        return sizes, number, widths, np.add.reduceat(real[rows], starts)

    sizes, number, widths, own = measured(batches)
    others, other_number, other_widths, other_own = measured(unsorted)
    widths, other_widths = number * widths, other_number * other_widths  # in all windows of a row
    # Upper ends of the buckets: 8, 16, 32 and so on.
    upper = 2 ** np.ceil(np.log2(np.maximum(widths, 8))).astype(int)
    buckets = []
    for end in np.unique(upper).tolist():
        here = upper == end
        buckets.append(
            {
                "from": end // 2 + 1 if end > 8 else 1,
                "to": min(end, longest * preprocessor.at_most),
                "batches": int(here.sum()),
                "rows": int(sizes[here].sum()),
                "padding": _padding_share(sizes[here], widths[here], own[here]),
            }
        )
    return {
        "batches": len(batches),
        "sorted": _padding_share(sizes, widths, own),
        "unsorted": _padding_share(others, other_widths, other_own),
        "full": _padding_share(sizes, number * longest, own),
        "buckets": buckets,
    }


def unknown(preprocessor: Preprocessor, table: pa.Table, tokens: Sequence[Ragged], seed: int) -> dict | None:
    """Return how many tokens are unknown, and the words that become so most often.

    Args:
        preprocessor: Of the model.
        table: Of the split.
        tokens: Ids of each text of all rows.
        seed: Of the sample of rows in which the words are looked for.

    Returns:
        The share and the number of unknown tokens, the rows that have one, how many of those were
        looked at, and the words; None where the tokenizer knows every text.
    """
    sought = preprocessor.tokenizer.unknown
    if sought is None:
        return None
    number, has = 0, np.zeros(table.num_rows, bool)
    for ids in tokens:
        for start in range(0, len(ids.flat), _TOKENS_AT_ONCE):
            places = np.flatnonzero(ids.flat[start : start + _TOKENS_AT_ONCE] == sought) + start
            number += len(places)
            has[np.searchsorted(ids.offsets, places, side="right") - 1] = True
    rows = np.flatnonzero(has)
    looked_at = rows[sample(len(rows), _SAMPLE, seed)]
    words: Counter[str] = Counter()
    if len(looked_at):
        joined = preprocessor.read.join(_fields(table.take(looked_at), preprocessor))
        texts = [
            text.decode(errors="replace") for part in joined for text in preprocessor.prepare(part).numpy()
        ]
        words = _unknown_words(preprocessor, texts)
    return {
        "tokens": number,
        "share": number / max(sum(len(ids.flat) for ids in tokens), 1),
        "rows": len(rows),
        "looked_at": len(looked_at),
        "words": [{"word": word, "times": times} for word, times in _most(words)],
    }


def characters(preprocessor: Preprocessor, table: pa.Table) -> dict[str, Any]:
    """Return what the preparation does to all rows, and which unusual characters stand before and after it.

    Args:
        preprocessor: Of the model.
        table: Of the split.
    """
    empty: list[np.ndarray] = []
    changed = 0
    times, left, rows = (np.zeros(len(_UNUSUAL), np.int64) for _ in range(3))
    looked_at = [0] * len(_UNUSUAL)
    found: list[Counter[str]] = [Counter() for _ in _UNUSUAL]

    def both(fields: Mapping[str, tf.Tensor]) -> tuple[tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
        joined = preprocessor.read.join(fields)
        return joined, tuple(preprocessor.prepare(text) for text in joined)

    for batch, (joined, prepared) in _in_graph(preprocessor, table, both, "looking at characters"):
        before, after = ([_arrow(text) for text in texts] for texts in (joined, prepared))
        is_empty = np.zeros(batch.num_rows, bool)
        is_changed = np.zeros(batch.num_rows, bool)
        for plain, clean in zip(before, after, strict=True):
            is_empty |= _numpy(pc.equal(pc.utf8_trim_whitespace(clean), ""))
            is_changed |= _numpy(pc.not_equal(plain, clean))
        empty.append(is_empty)
        changed += int(is_changed.sum())
        for number, kind in enumerate(_UNUSUAL):
            has = np.zeros(batch.num_rows, bool)
            for plain, clean in zip(before, after, strict=True):
                here = _numpy(pc.count_substring_regex(plain, kind.pattern))
                times[number] += here.sum()
                left[number] += _numpy(pc.count_substring_regex(clean, kind.pattern)).sum()
                has |= here > 0
            rows[number] += has.sum()
            some = np.flatnonzero(has)[: _SAMPLE - looked_at[number]]
            looked_at[number] += len(some)
            for plain in before:
                for text in plain.take(pa.array(some)).to_pylist():
                    found[number].update(re.findall(kind.pattern, text))
    numbers = np.flatnonzero(np.concatenate(empty))
    return {
        "changed": changed,
        "empty": {"rows": len(numbers), "first": [int(row) + 1 for row in numbers[:_SHOWN]]},
        "unusual": [
            {
                "name": kind.name,
                "step": kind.step,
                "times": int(times[number]),
                "rows": int(rows[number]),
                "left": int(left[number]),
                "looked_at": looked_at[number],
                "most": [{"character": one, "times": often} for one, often in _most(found[number])],
            }
            for number, kind in enumerate(_UNUSUAL)
        ],
    }


def text_hashes(preprocessor: Preprocessor, table: pa.Table) -> np.ndarray:
    """Return a hash of the texts of each row, as they are joined, uint64 `[rows]`.

    Two in ten million rows have one hash by chance with a probability of one in 200,000.
    """

    def hashed(fields: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        joined = preprocessor.read.join(fields)
        return [tf.strings.to_hash_bucket_fast(text, _HASHES) for text in joined]

    parts = []
    for batch, hashes in _in_graph(preprocessor, table, hashed, "looking for repeated rows"):
        key = np.zeros(batch.num_rows, np.uint64)
        for of_text in hashes:
            key = key * _FACTOR + of_text.numpy().astype(np.uint64)
        parts.append(key)
    return np.concatenate(parts)


def repeated(hashes: Mapping[str, np.ndarray], split: str) -> dict[str, Any]:
    """Return how many rows of a split repeat texts.

    Args:
        hashes: For each split the hash of each row's texts, `[rows]`.
        split: That which is looked at.

    Returns:
        The rows that repeat an earlier row of the split, the most rows of one text, and for each
        other split the rows of this one whose texts stand in it, and its rows whose texts stand here.
    """
    own = hashes[split]
    counts = np.unique(own, return_counts=True)[1]
    return {
        "rows": len(own) - len(counts),
        "most": int(counts.max()),
        "shared": [
            {
                "split": other,
                "rows": int(np.isin(own, of_other).sum()),
                "other_rows": int(np.isin(of_other, own).sum()),
            }
            for other, of_other in hashes.items()
            if other != split
        ],
    }


def visible(text: str) -> str:
    """Return a text with all that cannot be seen, or would move other text, written as in \\x92.

    Line breaks and tabs are kept.
    """
    return _INVISIBLE.sub(lambda found: _escaped(found[0]), text)


# Controls, soft hyphen, what has no width, what turns the direction of writing, tags, noncharacters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _fields(table: pa.Table, preprocessor: Preprocessor) -> dict[str, tf.Tensor]:
    return {
        name: tf.ragged.constant(table[name].to_pylist(), tf.string, ragged_rank=1)
        if pa.types.is_list(table[name].type)
        else tf.constant(table[name].to_pylist(), tf.string, [table.num_rows])
        for name in preprocessor.read.columns
    }


def _in_graph(
    preprocessor: Preprocessor,
    table: pa.Table,
    function: Callable[[Mapping[str, tf.Tensor]], Any],
    title: str,
) -> Iterator[tuple[pa.RecordBatch, Any]]:
    """Yield some rows after others, and what a function of their columns gives, compiled once."""
    names = [*preprocessor.read.columns]
    signature = {name: tf.TensorSpec([None], tf.string, name=name) for name in names}
    compiled = tf.function(function, input_signature=[signature], autograph=False).get_concrete_function()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=table.num_rows)
        for batch in table.select(names).to_batches(max_chunksize=_AT_ONCE):
            given = {name: tf.constant(batch[name].to_pylist(), tf.string) for name in names}
            yield batch, compiled(given)
            bar.update(task, advance=batch.num_rows)


def _arrow(text: tf.Tensor) -> pa.Array:
    return pa.array(text.numpy(), pa.string())


def _numpy(values: pa.Array) -> np.ndarray:
    return values.to_numpy(zero_copy_only=False)


def _changes(before: str, after: str) -> list[tuple[str, str]]:
    """Return a text in parts, each `same`, `removed` or `added`, by words and single other characters."""
    old, new = (re.findall(r"\w+|\W", text) for text in (before, after))
    parts: list[tuple[str, str]] = []
    for _, start, stop, from_, to in difflib.SequenceMatcher(None, old, new).get_opcodes():
        gone, come = "".join(old[start:stop]), "".join(new[from_:to])
        if gone == come:
            parts.append(("same", gone))
        else:
            parts += [(name, text) for name, text in (("removed", gone), ("added", come)) if text]
    return parts


def _spelt(preprocessor: Preprocessor, ids: np.ndarray, parts: Sequence[int | None]) -> list[dict[str, Any]]:
    """Return tokens: id, piece, the number of the text, None of a special one, and whether it is unknown."""
    numbers, unknown = ids.tolist(), preprocessor.tokenizer.unknown
    return [
        {
            "id": number,
            "piece": piece,
            "text": part,
            "unknown": part is not None and number == unknown,
        }
        for number, piece, part in zip(numbers, preprocessor.tokenizer.spell(numbers), parts, strict=True)
    ]


def _target(encoded: np.ndarray | Ragged, row: int) -> Any:
    """Return one row's target: an id, a number, the ids of the labels that it has, or of all its tags."""
    if isinstance(encoded, Ragged):
        return encoded.take(np.array([row]))[0].tolist()
    own = encoded[row]
    return np.flatnonzero(own).tolist() if np.ndim(own) else own.item()


def _histogram(values: np.ndarray, edges: np.ndarray) -> dict[str, list]:
    """Return counts between edges; but for the last, a bin is without its upper edge."""
    counts, edges = np.histogram(values, edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _padding_share(sizes: np.ndarray, widths: np.ndarray, real: np.ndarray) -> float:
    return float(1 - real.sum() / (sizes * widths).sum())


def _most(counted: Counter[str]) -> list[tuple[str, int]]:
    """Return the most frequent, of equals the first by its text: the order of rows does not decide."""
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]


def _unknown_words(preprocessor: Preprocessor, texts: Sequence[str]) -> Counter[str]:
    """Count the words that become one unknown token; of a word with other tokens, its parts that do so.

    Parts are runs of letters and digits, then single characters.
    """
    sought, found = preprocessor.tokenizer.unknown, Counter[str]()
    counted = Counter(word for text in texts for word in text.split())
    for finer in (lambda word: re.findall(r"\w+|\W", word), list, None):
        words, counted_before, counted = [*counted], counted, Counter()
        ids = preprocessor.tokenizer.tokenize(tf.constant(words, tf.string, [len(words)])).to_list()
        for word, own in zip(words, ids, strict=True):
            if sought not in own:
                continue
            if finer is None or own == [sought]:
                found[word] += counted_before[word]
            else:
                for part in finer(word):
                    counted[part] += counted_before[word]
    return found
