"""Responses of several columns, ``cbind(a, b, c)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bayesml.columns import bare_name, evaluate
from bayesml.errors import FormulaError
from bayesml.families import FAMILIES, AbstractFamily
from bayesml.formula import Expression, ParsedFormula, Response, ResponseFormula
from bayesml.frame import Frame
from bayesml.terms import Functions

__all__ = ["column_labels", "column_values", "with_columns"]


def with_columns(parsed: ParsedFormula, families: Sequence[AbstractFamily]) -> ParsedFormula:
    """Return the formula as families read it: ``cbind(a, b)`` may be two columns rather than successes and failures.

    Args:
        parsed: the formula.
        families: the family of each response.

    Raises:
        FormulaError: the family takes one column and there are more than two.
    """
    pairs = zip(parsed.responses, families, strict=True)
    return replace(parsed, responses=tuple(_with_columns(formula, family) for formula, family in pairs))


def _with_columns(formula: ResponseFormula, family: AbstractFamily) -> ResponseFormula:
    response = formula.response
    if not family.takes_columns:
        if len(response.columns) > 2:
            able = ", ".join(name for name, make in FAMILIES.items() if make().takes_columns)
            raise FormulaError(
                f"The family {family.name} takes one column, and `{response.name}` has {len(response.columns)}. "
                f"Shares of a whole have a family that takes several: {able}."
            )
        return formula
    if len(response.columns) != 2:
        return formula
    others = tuple(addition for addition in response.additions if addition.name != "trials")
    whole = Expression(response.name, response.expression.source, 0)
    return replace(formula, response=replace(response, additions=others, expression=whole))


def column_labels(response: Response) -> tuple[str, ...]:
    """Return a label for each column: its name, or its expression."""
    return tuple(bare_name(column.text) or column.text for column in response.columns)


def column_values(response: Response, frame: Frame, functions: Functions) -> np.ndarray:
    """Evaluate the columns, ``(rows, k)``."""
    return np.stack([evaluate(column, frame, functions) for column in response.columns], axis=1)
