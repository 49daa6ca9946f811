"""Time: what is learned from the past is measured on what came later."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfft import numbers
from tfft.errors import DataError, SettingError
from tfft.splitters import Basis, Splitter, wanted

_TIME = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?"
# What a column may hold: its pattern, and the type that reads it.
_FORMS = {
    "an ISO date or time without an offset": (rf"^(\d{{4}}-\d{{2}}-\d{{2}}|{_TIME})$", pa.timestamp("us")),
    "an ISO time with an offset": (rf"^{_TIME}(Z|[+-]\d{{2}}(:?\d{{2}})?)$", pa.timestamp("us", "UTC")),
}
_NUMBER = "a number"


def build(*, column: str) -> Splitter:
    """The latest rows, of all for the test split and of the rest for validation. Equal times stay together.

    Args:
        column: Of the training file, with ISO dates or times (`2024-12-31`, `2024-12-31T23:59:59+01:00`), all
            with an offset or all without, or with numbers, such as seconds since 1970.
    """

    def set_aside(basis: Basis, fraction: float, seed: int, split: str) -> np.ndarray:
        times = _read(basis.values, column)
        count = wanted(len(times), fraction, split)
        distinct, place, rows = np.unique(times, return_inverse=True, return_counts=True)
        if len(distinct) < 2:
            raise DataError(
                f"data.{split}: all rows have the same time in the column {column!r}, and equal times stay "
                "together. Name another column, or name a file."
            )
        # Rows from each time on, but for the first, before which there would be none left.
        later = np.cumsum(rows[::-1])[::-1][1:]
        first = 1 + int(np.abs(later - count).argmin())
        return np.flatnonzero(place >= first)

    def folds(basis: Basis, count: int, seed: int) -> np.ndarray:
        raise SettingError(
            "data.splitter",
            "time",
            "must not be set with folds, of which all but the last would be answered by who knows the future",
            fix="Set data.test to a share instead, or take another splitter.",
        )

    def tell(basis: Basis) -> dict[str, Any]:
        times = _read(basis.values, column)
        return {
            "first": basis.values[int(times.argmin())].as_py(),
            "last": basis.values[int(times.argmax())].as_py(),
        }

    return Splitter(set_aside, folds, column, tell)


def _read(values: Any, column: str) -> np.ndarray:
    """Return what orders the rows, `[rows]`: float64, or int64 microseconds.

    Args:
        values: Texts, `[rows]`.
        column: Their name, for the error's text.

    Raises:
        DataError: A value cannot be read, or not as the first one was.
    """
    text = pc.utf8_trim_whitespace(values)
    as_numbers = numbers.read(text)
    if not np.isnan(as_numbers[0]):
        if np.isnan(as_numbers).any():
            raise _unread(values, column, np.isnan(as_numbers), _NUMBER)
        return as_numbers
    for form, (pattern, kind) in _FORMS.items():
        is_like = pc.match_substring_regex(text, pattern).to_numpy()
        if is_like[0]:
            if not is_like.all():
                raise _unread(values, column, ~is_like, form)
            # Arrow refuses what is finer than the unit.
            text = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
            try:
                return pc.cast(text, kind).cast(pa.int64()).to_numpy()
            except pa.ArrowInvalid:  # such as the 30th of February: look for it
                raise _unread(values, column, np.array([not _is(one, kind) for one in text]), form) from None
    is_first = np.arange(len(values)) == 0
    raise _unread(values, column, is_first, " or ".join([*_FORMS, _NUMBER]))


def _is(value: pa.Scalar, kind: pa.DataType) -> bool:
    try:
        value.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _unread(values: Any, column: str, is_bad: np.ndarray, expected: str) -> DataError:
    row = int(is_bad.argmax())
    alike = ", as in row 1" if row else ""
    return DataError(
        f"data.splitter: row {row + 1} of the training rows has {values[row].as_py()!r} in the column "
        f"{column!r}, expected {expected}{alike}. Correct the column, or name another."
    )
