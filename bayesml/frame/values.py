"""Levels of a grouping factor. A level is a tuple of values; its text is only for printing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

__all__ = [
    "MISSING_TEXT",
    "TRUTH_LABELS",
    "Levels",
    "Value",
    "combine",
    "frozen_array",
    "number_labels",
    "recode",
    "value_texts",
]

Value = str | bool | int | float | None
"""One value of a grouping column. None is a missing value, which new data may have."""

MISSING_TEXT = "(missing)"
TRUTH_LABELS = ("False", "True")
_WHOLE = 2.0**53  # up to here every whole number is exact in double precision


@final
@dataclass(frozen=True, eq=False)
class Levels:
    """The levels of a grouping factor, each a tuple of values, one for each of its columns.

    Attributes:
        values: the distinct values of each column.
        codes: ``(levels, columns)``; a level's value in column i is ``values[i][code]``.
    """

    values: tuple[tuple[Value, ...], ...]
    codes: np.ndarray

    def __len__(self) -> int:
        """Number of levels."""
        return len(self.codes)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """How the levels are printed: ``a_b``. Different levels have different labels.

        If joining with ``_`` gives two levels the same label, they are joined with ``:`` instead. If the labels are
        still the same, they are numbered, ``a:b (2)``.
        """
        texts = [np.asarray(value_texts(values), dtype=object) for values in self.values]
        rows = list(zip(*(text[self.codes[:, i]] for i, text in enumerate(texts)), strict=True))
        return _unique_labels(rows)

    def places_in(self, other: Levels) -> np.ndarray:
        """Return the position of each level among the levels of ``other``, -1 if it is not there."""
        columns = [
            recode(self.codes[:, i], values, other_values)
            for i, (values, other_values) in enumerate(zip(self.values, other.values, strict=True))
        ]
        known = np.logical_and.reduce([column >= 0 for column in columns])
        both = [np.concatenate([other.codes[:, i], column[known]]) for i, column in enumerate(columns)]
        _, ids = combine(both, [len(values) for values in other.values])
        table = np.full(len(ids) + 1, -1, dtype=np.int64)
        table[ids[: len(other)]] = np.arange(len(other))
        places = np.full(len(self), -1, dtype=np.int64)
        places[known] = table[ids[len(other) :]]
        return places


def combine(columns: Sequence[np.ndarray], sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Number the combinations of codes that occur, ordered by the first column, then the second, and so on.

    Args:
        columns: codes of each column, ``(rows,)`` each.
        sizes: number of different values of each column; codes are smaller.

    Returns:
        The combinations, ``(combinations, columns)``, and the number of each row's combination, ``(rows,)``.
    """
    rows = len(columns[0])
    ids, combinations = np.zeros(rows, dtype=np.int64), np.zeros((min(rows, 1), 0), dtype=np.int64)
    for codes, size in zip(columns, sizes, strict=True):
        # A combination of the columns so far and a code of this one, as a single number.
        pairs, ids = _distinct(ids * size + codes, len(combinations) * size)
        combinations = np.column_stack([combinations[pairs // size], pairs % size])
    return combinations, ids


def _distinct(codes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the same as ``np.unique(codes, return_inverse=True)``, without sorting if the codes are small numbers."""
    if size > 4 * len(codes) + 1000:
        distinct, ids = np.unique(codes, return_inverse=True)
        return distinct, ids.astype(np.int64)
    present = np.bincount(codes, minlength=size) > 0
    return np.flatnonzero(present), (np.cumsum(present) - 1)[codes]


def recode(codes: np.ndarray, values: Sequence[Value], frozen: Sequence[Value]) -> np.ndarray:
    """Translate codes of ``values`` to codes of ``frozen``; -1 for a value that is not there, or is missing.

    Values are compared as Python compares them: 1, 1.0 and True are equal, and large whole numbers are exact. If the
    values are text on one side only, for example because a file was read with other types, their texts are compared.
    """
    codes = np.asarray(codes, dtype=np.int64)
    if not len(values) or tuple(values) == tuple(frozen):
        return codes
    compared: Sequence[Value] = values
    if _is_text(values) != _is_text(frozen):
        printed = value_texts(values)
        compared = [None if value is None else text for value, text in zip(values, printed, strict=True)]
        frozen = value_texts(frozen)
    known = {value: code for code, value in enumerate(frozen)}
    return np.array([known.get(value, -1) for value in compared], dtype=np.int64)[codes]


def _is_text(values: Sequence[Value]) -> bool:
    return all(value is None or isinstance(value, str) for value in values)


def value_texts(values: Sequence[Value]) -> tuple[str, ...]:
    """Return the texts of values; different values of one type have different texts."""
    if all(type(value) is float for value in values):
        return number_labels(np.array(values, dtype=np.float64))
    return tuple(map(_text, values))


def _text(value: Value) -> str:
    if value is None:
        return MISSING_TEXT
    return number_labels(np.array([value]))[0] if isinstance(value, float) else str(value)


def number_labels(values: np.ndarray, is_boolean: bool = False) -> tuple[str, ...]:
    """Return the label of each number: ``308``, ``0.5``, ``True``; different numbers have different labels.

    A label depends on its number alone. It has 15 digits if these determine the number, else all 17.
    """
    if is_boolean:
        return tuple(TRUTH_LABELS[bool(value)] for value in values)
    return tuple(_number_label(value) for value in values.tolist())


def _number_label(value: float) -> str:
    if abs(value) < _WHOLE and value == int(value):
        return str(int(value))
    short = format(value, ".15g")
    return short if float(short) == value else repr(value)


def _unique_labels(rows: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    labels = ["_".join(row) for row in rows]
    if len(set(labels)) == len(labels):
        return tuple(labels)
    counts = Counter(labels)
    labels = [label if counts[label] == 1 else ":".join(row) for label, row in zip(labels, rows, strict=True)]
    taken, given = set(labels), set[str]()
    for i, label in enumerate(labels):
        if label in given:
            number = next(n for n in range(2, len(labels) + 2) if f"{label} ({n})" not in taken)
            labels[i] = f"{label} ({number})"
            taken.add(labels[i])
        given.add(labels[i])
    return tuple(labels)


def frozen_array(values: np.ndarray) -> np.ndarray:
    """Return ``values`` as a contiguous array that cannot be written to."""
    values = np.ascontiguousarray(values)
    values.setflags(write=False)
    return values
