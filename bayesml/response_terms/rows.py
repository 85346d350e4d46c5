"""The rows of each response: those of ``y | subset(s)`` alone, all where nothing is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesml.columns import evaluate, variables_of
from bayesml.errors import DataError
from bayesml.families.records import ResponseData
from bayesml.formula import ParsedFormula, Response, formula_variables
from bayesml.frame import Frame, read_frame
from bayesml.response_terms.base import Functions, term_texts

__all__ = ["needed_rows", "spread", "spread_data", "subset_rows"]

SUBSET = "subset"


def subset_rows(response: Response, frame: Frame, functions: Functions) -> np.ndarray | None:
    """Return whether each row is one of a response, ``(rows,)``; None where all are.

    Raises:
        DataError: the values are no truth values, or no row is left.
    """
    addition = next((a for a in response.additions if a.name == SUBSET), None)
    if addition is None:
        return None
    text = addition.arguments[0].text
    values = np.broadcast_to(evaluate(addition.arguments[0], frame, functions), (frame.n_rows,))
    wrong = np.flatnonzero(~np.isin(values, (0.0, 1.0)))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"`subset({text})` says True (1) or False (0) for each row; it is {values[row]:g} in row "
            f"{frame.rows[row] + 1} (counting from 1). Write False for rows that are to be left out."
        )
    if not values.any():
        raise DataError(f"`subset({text})` is False in all rows, so that nothing is left of `{response.name}`.")
    return None if values.all() else values.astype(bool)


def needed_rows(
    parsed: ParsedFormula, data: Any, available: Sequence[str], functions: Functions
) -> Mapping[str, np.ndarray]:
    """Return for each column the rows that need it: those of the responses whose formulas use it.

    Args:
        parsed: the formula.
        data: any supported container of columns.
        available: their names.
        functions: the caller's own functions.

    Returns:
        Columns that all rows need are left out.
    """
    every = [a for formula in parsed.responses for a in formula.response.additions if a.name == SUBSET]
    if not every:
        return {}
    names = list(dict.fromkeys(name for a in every for text in term_texts(a) for name in variables_of(text)))
    frame = read_frame(data, names, sparse=frozenset(names))
    for name in names:
        gaps = np.flatnonzero(np.isnan(np.asarray(frame.columns[name].values, dtype=float)))
        if gaps.size:
            raise DataError(
                f"The column `{name}` in `subset()` is missing in row {frame.rows[gaps[0]] + 1} (counting from 1); it "
                "says True or False for each row. Write False for rows that are to be left out."
            )
    rows: dict[str, np.ndarray] = {}
    for formula in parsed.responses:
        own = subset_rows(formula.response, frame, functions)
        mask = np.ones(frame.n_rows, dtype=bool) if own is None else own
        for name in formula_variables(replace(parsed, responses=(formula,)), available):
            rows[name] = rows.get(name, False) | mask
    return {name: mask for name, mask in rows.items() if name not in names and not mask.all()}


def spread(array: np.ndarray, rows: np.ndarray, fill: Any) -> np.ndarray:
    """Return an array of some rows as one of all rows, with ``fill`` in the others."""
    whole = np.empty((len(rows), *array.shape[1:]), dtype=array.dtype)
    whole[...] = fill
    whole[rows] = array
    return whole


def spread_data(data: ResponseData, rows: np.ndarray) -> ResponseData:
    """Return the data of a response in some rows as data in all rows.

    ``y`` is NaN in the others; ``filled`` is y with a value that is possible there, and ``subset`` says where.
    """
    arrays = {name: spread(array, rows, array[0]) for name, array in data.arrays.items()}
    y = np.asarray(data.arrays["y"], dtype=float)
    known = ~np.isnan(y if y.ndim == 1 else y[:, 0])
    arrays["filled"] = spread(y, rows, y[known][0])
    arrays["y"] = spread(y, rows, np.nan)
    arrays["subset"] = rows
    if "place" in arrays:
        arrays["place"] = spread(data.arrays["place"], rows, -1)
    unobserved = data.unobserved
    if unobserved is not None:
        unobserved = replace(unobserved, rows=np.flatnonzero(rows)[unobserved.rows])
    return replace(data, arrays=arrays, unobserved=unobserved)
