"""Columns that stand beside the rows of a check: groups, and places along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import DataError, ModelError, did_you_mean
from bayesml.frame import Column, column_names, read_frame
from bayesml.frame.index import index_of, positions_of

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = ["group_masks", "numbers_of_rows"]

MOST_GROUPS = 40
GIVEN = "given"


def group_masks(fit: AbstractFit, newdata: Any, asked: Any, count: int) -> list[tuple[str, np.ndarray]]:
    """Return label and rows of each group.

    Args:
        fit: the fit.
        newdata: the rows of the check, those of the fit if None.
        asked: name of a column, or a value for each row.
        count: number of rows.

    Raises:
        ModelError: there is no such column, its length is wrong, or it has too many values.
    """
    column, name = _column(fit, newdata, asked, "group", count)
    shown = f"{name} = " if name else ""
    if column.levels is not None:
        found = [(f"{shown}{label}", column.values == k) for k, label in enumerate(column.levels)]
    else:
        distinct = np.unique(column.values)
        if len(distinct) > MOST_GROUPS:
            raise ModelError(
                f"`group` has {len(distinct)} different values, which do not fit into one picture; at most "
                f"{MOST_GROUPS} do. Cut numbers into a few classes, or choose rows with `newdata`."
            )
        words = [str(bool(value)) if column.is_boolean else f"{value:g}" for value in distinct]
        found = [(f"{shown}{word}", column.values == value) for word, value in zip(words, distinct, strict=True)]
    found = [(label, rows) for label, rows in found if rows.any()]
    if len(found) > MOST_GROUPS:
        raise ModelError(f"`group` has {len(found)} levels, of which at most {MOST_GROUPS} fit into one picture.")
    return found


def numbers_of_rows(fit: AbstractFit, newdata: Any, asked: Any, count: int) -> tuple[np.ndarray, str]:
    """Return a number for each row, and what they are called; see ``group_masks``."""
    column, name = _column(fit, newdata, asked, "x", count)
    if column.levels is not None and not column.is_boolean:
        raise ModelError(
            f"`x` is a column of numbers; {f'`{name}`' if name else 'what was given'} has categories: group=."
        )
    return np.asarray(column.values, dtype=float), name or "x"


def _column(fit: AbstractFit, newdata: Any, asked: Any, option: str, count: int) -> tuple[Column, str]:
    if isinstance(asked, str):
        return _named(fit, newdata, asked, option), asked
    given, name = _in_order(fit, newdata, asked, option), str(getattr(asked, "name", None) or "")
    try:
        column = read_frame({GIVEN: given}, [GIVEN], missing="error").columns[GIVEN]
    except (DataError, TypeError) as error:
        raise ModelError(f"`{option}` is the name of a column, or a value for each row: {error}") from None
    if len(column.values) != count:
        raise ModelError(f"`{option}` has {len(column.values)} values, and the check has {count} rows.")
    return column, name


def _named(fit: AbstractFit, newdata: Any, name: str, option: str) -> Column:
    known = list(fit.frame.columns) if newdata is None else list(column_names(newdata))
    if name not in known:
        there = ", ".join(f"`{column}`" for column in known)
        more = ", or values for each row" if newdata is None else ""
        raise ModelError(
            f"`{option}` is a column that the fit uses{more}; there is no `{name}`{did_you_mean(name, known)}, but "
            f"{there}."
            if newdata is None
            else f"`{option}` is a column of `newdata`; there is no `{name}`{did_you_mean(name, known)}, but {there}."
        )
    return fit.frame.columns[name] if newdata is None else read_frame(newdata, [name], missing="error").columns[name]


def _in_order(fit: AbstractFit, newdata: Any, asked: Any, option: str) -> Any:
    """Return a value for each row; a pandas Series with labels is brought into the order of the fit."""
    index = index_of(asked) if newdata is None else None
    labels = fit.frame.labels()
    if index is None:
        return asked
    positions = positions_of(labels, index)
    if positions is None:
        raise ModelError(f"The index of `{option}` is not that of the rows of the fit.")
    return asked.iloc[positions]
