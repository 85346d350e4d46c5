"""``by=``: what a smooth or a Gaussian process is multiplied by, numbers or the levels of a factor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.columns import bare_name, evaluate
from bayesml.formula import Expression, SpecialCall, Value, special_fault
from bayesml.frame import Column, Frame, match_levels
from bayesml.terms.base import Functions

__all__ = ["By", "read_by", "refuse_repeated"]


@final
@dataclass(frozen=True)
class By:
    """What a smooth is multiplied by.

    Attributes:
        expression: numbers, or the name of a factor.
        factor: the factor as it was in the fit, without rows; None for numbers.
    """

    expression: Expression
    factor: Column | None

    @property
    def levels(self) -> tuple[str, ...]:
        """Labels of the levels that have a curve; one empty label for numbers.

        An ordered factor has none for its first level, as in mgcv: beside ``s(x)`` the others are differences from it.
        """
        if self.factor is None:
            return ("",)
        return self.every_level[self._first :]

    @property
    def every_level(self) -> tuple[str, ...]:
        """Labels of all levels; none for numbers."""
        return () if self.factor is None else self.factor.levels or ("False", "True")

    @property
    def _first(self) -> int:
        return int(self.factor is not None and self.factor.ordered)

    def weights(self, frame: Frame, functions: Functions) -> np.ndarray:
        """Return what each row is multiplied by in each curve, ``(rows, curves)``."""
        if self.factor is None:
            return evaluate(self.expression, frame, functions)[:, None]
        return self.cells(frame)[:, self._first :]

    def cells(self, frame: Frame) -> np.ndarray:
        """Return 1 for the level of each row and 0 for all others, ``(rows, levels)``.

        Raises:
            DataError: a level was not there in the fit.
        """
        assert self.factor is not None
        matched = match_levels(frame, {self.factor.name: self.factor}, (self.factor.name,))
        codes = matched.columns[self.factor.name].values
        return (codes[:, None] == np.arange(len(self.every_level))).astype(np.float64)


def read_by(value: Value, call: SpecialCall, frame: Frame) -> By | None:
    """Return the argument ``by`` of a call; None where there is none.

    Raises:
        FormulaError: it is not a column.
    """
    if value is None:
        return None
    if not isinstance(value, Expression):
        raise special_fault(f"`by` of `{call.spelling}` is a column, not {value!r}.", call)
    name = bare_name(value.text)
    column = frame.columns.get(name) if name else None
    is_factor = column is not None and (column.levels is not None or column.is_boolean)
    return By(value, replace(column, values=np.zeros(0)) if is_factor and column is not None else None)


def refuse_repeated(call: SpecialCall) -> None:
    """Refuse a call that has a covariate twice.

    Raises:
        FormulaError: it has.
    """
    texts = [expression.text for expression in call.arguments]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise special_fault(f"`{call.spelling}` has `{twice}` twice among its covariates.", call)
