"""Arrow columns of many types, turned into text a column at a time, for the sources that have types."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfft.errors import DataError
from tfft.sources import NOT_BLANK, is_list

_BINARY = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_OTHER = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_decimal,
    pa.types.is_null,
)
_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def check(schema: pa.Schema, columns: Mapping[str, pa.DataType], where: object) -> None:
    """Check that a table has the columns, once each, with values that can be told as text.

    Raises:
        DataError: It does not.
    """
    absent = [column for column in columns if column not in schema.names]
    if absent:
        raise DataError(
            f"{where}: no column {' or '.join(map(repr, absent))}; the columns are "
            f"{', '.join(map(repr, schema.names))}. Set data.text_column and data.label_column."
        )
    for column, kind in columns.items():
        if schema.names.count(column) > 1:
            raise DataError(f"{where}: the column {column!r} stands twice; rename one.")
        found = schema.field(column).type
        has_lists = _is_any(found, _LISTS)
        single = found.value_type if has_lists else found
        if pa.types.is_dictionary(single):
            single = single.value_type
        if has_lists != is_list(kind) or not _is_any(single, (*_BINARY, *_TEXT, *_OTHER)):
            expected = (
                "lists of text, numbers or true/false" if is_list(kind) else "text, numbers or true/false"
            )
            raise DataError(
                f"{where}: the column {column!r} holds {found}; expected {expected}. Name another column, "
                "or write this one anew."
            )


def text_batches(
    batches: Iterable[pa.RecordBatch],
    columns: Mapping[str, pa.DataType],
    report: Callable[[int, str], None],
) -> Iterator[pa.RecordBatch]:
    """Yield the columns as text, and report each bad row by its number from 1, in its place."""
    schema = pa.schema(list(columns.items()))
    above = 0
    for batch in batches:
        read = [_column(batch.column(name), kind) for name, kind in columns.items()]
        rows = pa.RecordBatch.from_arrays([texts for texts, _ in read], schema=schema)
        is_good = np.all([good for _, good in read], axis=0)
        start = 0
        for bad in np.flatnonzero(~is_good).tolist():
            if bad > start:
                yield rows.slice(start, bad - start)
            report(above + bad + 1, next(_faults(batch, columns, bad)))
            start = bad + 1
        if start < len(rows):
            yield rows.slice(start)
        above += len(rows)


def class_names(ids: pa.Array, names: list[str]) -> pa.Array:
    """Return the name of each class id; null for those below 0, which stand for `not told`."""
    return pa.array(names, pa.string()).take(pc.if_else(pc.less(ids, 0), None, ids))


def list_array(members: pa.Array, lengths: np.ndarray) -> pa.Array:
    """Return lists of the given lengths, filled with members one after another."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), members)


def members_of(lists: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return the members of all lists, and the length of each; that of a missing one is 0."""
    plain = lists.cast(pa.list_(lists.type.value_type))
    return plain.flatten(), pc.fill_null(pc.list_value_length(plain), 0).to_numpy(zero_copy_only=False)


def _column(values: pa.Array, kind: pa.DataType) -> tuple[pa.Array, np.ndarray]:
    """Return a column as text, and for each row whether it can be used."""
    if not is_list(kind):
        texts = _texts(values)
        return texts, _usable(texts)
    members, lengths = members_of(values)
    texts = _texts(members)
    is_good = values.is_valid().to_numpy(zero_copy_only=False)
    row_of_member = np.repeat(np.arange(len(lengths)), lengths)
    is_good[row_of_member[~_usable(texts)]] = False
    return list_array(texts, lengths), is_good


def _usable(texts: pa.Array) -> np.ndarray:
    return (
        pc.fill_null(pc.match_substring_regex(texts, NOT_BLANK), False).to_numpy(zero_copy_only=False).copy()
    )


def _texts(values: pa.Array) -> pa.Array:
    """Return values as text; null where one is missing, no finite number, or not UTF-8."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False)
        # Arrow writes 1.0 as `1`; numpy knows the fewest digits of a float32, Python when to write an `e`.
        texts = [repr(float(text)) for text in numbers.astype(str)]
        return pa.array(texts, pa.string(), mask=~np.isfinite(numbers))
    if _is_any(values.type, (*_BINARY, *_TEXT)):  # a file's text need not be UTF-8, whatever its type says
        coded = values.cast(pa.binary())
        values = coded.view(pa.string())
        try:
            values.validate(full=True)
        except pa.ArrowInvalid:
            return pa.array([_decoded(value) for value in coded.to_pylist()], pa.string())
    return values.cast(pa.string())


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _faults(batch: pa.RecordBatch, columns: Mapping[str, pa.DataType], row: int) -> Iterator[str]:
    """Yield all that is wrong with a row."""
    for name, kind in columns.items():
        value = batch.column(name).slice(row, 1)
        if value.null_count:
            yield f"{name!r} is missing"
        elif not is_list(kind):
            if fault := _fault(value):
                yield f"{name!r} {fault}"
        else:
            members, _ = members_of(value)
            for place in range(len(members)):
                if fault := _fault(members.slice(place, 1)):
                    yield f"value {place + 1} of {name!r} {fault}"


def _fault(value: pa.Array) -> str | None:
    """Return what is wrong with the one value of an array."""
    text = _texts(value)[0].as_py()
    if text is None and pa.types.is_floating(value.type) and not value.null_count:
        return f"is {value[0].as_py()}, no number"
    if text is None and not value.null_count and _is_any(value.type, (*_BINARY, *_TEXT)):
        return "holds a byte that is not utf-8"
    if text is None:
        return "is missing"
    return None if text.strip() else "is empty"


def _is_any(kind: pa.DataType, tests: tuple[Callable[[Any], bool], ...]) -> bool:
    return any(test(kind) for test in tests)
