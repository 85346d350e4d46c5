"""``y | subset(s)``: the rows of one of several responses; it may be missing in the others, and its predictors too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, final

import numpy as np

from bayesml.columns import evaluate, variables_of
from bayesml.errors import DataError
from bayesml.families.records import ResponseData, Traits
from bayesml.formula import Addition, ParsedFormula, Response, formula_variables
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame, read_frame
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions, term_texts, value_of_rows

__all__ = ["RowNumbers", "Subset", "needed_rows", "spread", "spread_data", "subset_rows"]


@final
@dataclass(frozen=True)
class Subset(AbstractResponseTerm):
    """Truth values: whether a row is one of the response. They are read before the response is, see ``subset_rows``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("subset")
    needed: ClassVar[Literal["weights", "response", "always", "never"]] = "never"

    def is_taken_by(self, traits: Traits) -> bool:
        """Any likelihood whose rows do not depend on each other."""
        return not traits.rows_depend

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Nothing: the rows that are left all belong to the response."""
        return {}


@final
@dataclass(frozen=True)
class RowNumbers(AbstractResponseTerm):
    """``index(id)``: a number for each row, by which ``mi(x, idx)`` finds it from the rows of another response."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("index")
    needed: ClassVar[Literal["weights", "response", "always", "never"]] = "never"
    whole: ClassVar[bool] = True

    def is_taken_by(self, traits: Traits) -> bool:
        """Any likelihood."""
        return True

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return the numbers, no two alike."""
        numbers = value_of_rows(addition.arguments[0], frame, functions)
        first = np.unique(numbers, return_index=True)[1]
        if len(first) < len(numbers):
            row = int(np.setdiff1d(np.arange(len(numbers)), first)[0])
            raise DataError(
                f"`index({addition.arguments[0].text})` is {numbers[row]:g} in row {frame.rows[row] + 1} (counting "
                "from 1) and in a row before; give each row of the response a number of its own."
            )
        return {"index": numbers}


def subset_rows(response: Response, frame: Frame, functions: Functions) -> np.ndarray | None:
    """Return whether each row is one of a response, ``(rows,)``; None where all are.

    Raises:
        DataError: the values are no truth values, or no row is left.
    """
    addition = next((a for a in response.additions if a.name == Subset.grammar.name), None)
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
    every = [a for formula in parsed.responses for a in formula.response.additions if a.name == Subset.grammar.name]
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
