"""Responses of several columns, ``cbind(a, b, c)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bayesml.columns import bare_name, evaluate
from bayesml.errors import FormulaError
from bayesml.families import FAMILIES, AbstractFamily
from bayesml.formula import Addition, Expression, ParsedFormula, Response, ResponseFormula
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
        _refuse_columns(response, family)
        return formula
    if not response.columns:
        return formula
    # Two columns arrive as successes and failures, whose trials are no term that was written.
    additions = response.additions[1:] if _is_pair(response) else response.additions
    if family.takes_counts and not any(addition.name == "trials" for addition in additions):
        total = Expression(" + ".join(f"({column.text})" for column in response.columns), response.expression.source, 0)
        additions = (Addition("trials", (total,), (), 0), *additions)
    whole = Expression(response.name, response.expression.source, 0)
    return replace(formula, response=replace(response, additions=additions, expression=whole))


def _is_pair(response: Response) -> bool:
    """Whether ``cbind(s, f)`` arrived as s with the trials s + f."""
    return len(response.columns) == 2 and response.expression == response.columns[0]


def _refuse_columns(response: Response, family: AbstractFamily) -> None:
    if len(response.columns) > 2:
        able = ", ".join(name for name, make in FAMILIES.items() if make().takes_columns)
        raise FormulaError(
            f"The family {family.name} takes one column, and `{response.name}` has {len(response.columns)}. "
            f"Shares of a whole and counts of categories have families that take several: {able}."
        )
    if response.columns and not _is_pair(response):
        trials = next(addition for addition in response.additions if addition.name == "trials")
        message = "`cbind(s, f)` already says how many trials there were; leave `trials(...)` out."
        raise FormulaError.at(message, response.expression.source, trials.start, trials.start + len("trials"))


def column_labels(response: Response) -> tuple[str, ...]:
    """Return a label for each column: its name, or its expression."""
    return tuple(bare_name(column.text) or column.text for column in response.columns)


def column_values(response: Response, frame: Frame, functions: Functions) -> np.ndarray:
    """Evaluate the columns, ``(rows, k)``."""
    return np.stack([evaluate(column, frame, functions) for column in response.columns], axis=1)
