"""The columns that say which rows form a series and in which order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesml.columns import bare_name, evaluate
from bayesml.errors import DataError, FormulaError
from bayesml.formula import Addition, Expression
from bayesml.frame import Frame
from bayesml.frame.values import number_labels
from bayesml.response_terms.base import Functions
from bayesml.response_terms.residuals.grid import grid_tables, ranks

__all__ = ["LABEL", "SERIES", "SERIES_COLUMNS", "TIME", "codes_and_labels", "ranked_tables", "series_columns"]

SERIES, TIME, LABEL = "series", "series_time", "series_label"
SERIES_COLUMNS = frozenset({SERIES, TIME, LABEL})


def series_columns(addition: Addition, frame: Frame, functions: Functions) -> dict[str, np.ndarray]:
    """Return for each row the code of its series, that of its time, and its time as text.

    Without a time rows follow each other as they stand in the data; without a group all rows are one series.

    Raises:
        DataError: two rows of a series have the same time.
        FormulaError: the group is no column.
    """
    given = dict(addition.options)
    time, group = given.get("time"), given.get("gr")
    series = np.zeros(frame.n_rows, np.int64) if group is None else codes_and_labels(group, frame, functions, "gr")[0]
    codes, labels = (
        (np.arange(frame.n_rows), np.arange(1, frame.n_rows + 1).astype(str))
        if time is None
        else codes_and_labels(time, frame, functions, "time")
    )
    _refuse_ties(addition, frame, series, codes, labels)
    return {SERIES: series, TIME: codes, LABEL: labels}


def codes_and_labels(value: object, frame: Frame, functions: Functions, which: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a code for each row, which grows with the value, and the value as text.

    Args:
        value: a column, an expression, or an interaction of columns, ``g:h``.
        frame: the data.
        functions: the caller's own functions.
        which: the argument that it is, for messages.
    """
    if not isinstance(value, Expression):
        raise FormulaError(f"`{which}` of a residual term is a column of the data, not {value!r}.")
    written = value.text.split(":")
    columns = [name for part in written if (name := bare_name(part)) is not None and name in frame.columns]
    if len(columns) == len(written):
        each = [(np.asarray(codes), np.asarray(levels, dtype=str)) for codes, levels in map(frame.factor, columns)]
        labels = each[0][1][each[0][0]]
        for codes, levels in each[1:]:
            labels = np.char.add(np.char.add(labels, "_"), levels[codes])
        return frame.interaction(columns)[0] if len(columns) > 1 else each[0][0], labels
    values, codes = np.unique(evaluate(value, frame, functions), return_inverse=True)
    return codes, np.asarray(number_labels(values), dtype=str)[codes]


def _refuse_ties(addition: Addition, frame: Frame, series: np.ndarray, time: np.ndarray, labels: np.ndarray) -> None:
    order = np.lexsort((time, series))
    same = (np.diff(series[order]) == 0) & (np.diff(time[order]) == 0)
    if not same.any():
        return
    place = int(np.flatnonzero(same)[0])
    first, second = sorted(int(frame.rows[order[i]]) + 1 for i in (place, place + 1))
    has_group = dict(addition.options).get("gr") is not None
    cure = "Give each series its own level of `gr`" if has_group else "Say which rows form a series, `gr=`"
    raise DataError(
        f"`{addition.name}()`: the time {labels[order[place]]} occurs twice in a series, in rows {first} and {second} "
        f"(counting from 1). {cure}, or keep one row for each time."
    )


def ranked_tables(additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tables of a grid in which the rows of a series follow each other without gaps."""
    series, step = additions[SERIES], ranks(additions[SERIES], additions[TIME])
    return grid_tables(series, step, int(step.max(initial=-1)) + 1)
