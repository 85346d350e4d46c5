"""``bhaz(gr=g, df=5)``: the baseline hazard of the family cox, its splines and groups with one of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bayesml.errors import DataError, FormulaError
from bayesml.families import Traits
from bayesml.families.cox import DEGREE, DF, GROUPS, INTERCEPT, KNOTS
from bayesml.formula import Addition, Expression
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions

__all__ = ["BaselineHazard"]

WHOLE = {"df": (DF, 1), "degree": (DEGREE, 0)}
"""Whole numbers, each with the least that it may be."""


@final
@dataclass(frozen=True)
class BaselineHazard(AbstractResponseTerm):
    """The label of the group of each row, and options of the splines, the same in every row."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm(
        "bhaz",
        least=0,
        most=0,
        keywords=("gr", "df", "knots", "degree", "intercept"),
        truths=frozenset({"intercept"}),
    )

    def is_taken_by(self, traits: Traits) -> bool:
        """A family with a baseline hazard."""
        return traits.baseline_hazard

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return labels of groups, where there are any, and the options that are given."""
        found: Arrays = {}
        for key, value in addition.options:
            if key == "gr":
                found[GROUPS] = _labels(value, frame)
            elif key in WHOLE:
                name, least = WHOLE[key]
                if isinstance(value, bool) or not isinstance(value, int) or value < least:
                    raise DataError(f"`{key}` of `bhaz()` is a whole number of at least {least}; got {_shown(value)}.")
                found[name] = np.full(frame.n_rows, float(value))
            elif key == "knots":
                found[KNOTS] = np.tile(_numbers(value), (frame.n_rows, 1))
            else:
                found[INTERCEPT] = np.full(frame.n_rows, float(bool(value)))
        return found


def _labels(value: object, frame: Frame) -> np.ndarray:
    name = value.text.strip("`") if isinstance(value, Expression) else ""
    if name not in frame.columns:
        raise FormulaError(
            f"`gr={_shown(value)}` of `bhaz()` is no column; a group is named by one column of the data."
        )
    codes, levels = frame.factor(name)
    return np.asarray(levels, dtype=str)[codes]


def _numbers(value: object) -> np.ndarray:
    elements = value if isinstance(value, tuple) else (value,)
    if not elements or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in elements):
        raise DataError(f"`knots` of `bhaz()` are numbers, `knots = c(10, 30)`; got {_shown(value)}.")
    return np.array(elements, dtype=float)


def _shown(value: object) -> str:
    return value.text if isinstance(value, Expression) else repr(value)
