"""One response of a formula: its left-hand side evaluated, its family bound to it, its data encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.columns import bare_name, evaluate
from bayesml.errors import FormulaError, did_you_mean
from bayesml.expansion import refuse_unused_terms
from bayesml.families import AbstractFamily, AbstractLikelihood, RawResponse, ResponseData
from bayesml.formula import Response, ResponseFormula
from bayesml.frame import Frame
from bayesml.response_columns import column_labels, column_values
from bayesml.response_terms import (
    has_sigma,
    spread,
    spread_data,
    subset_rows,
    term_arrays,
    with_residual_terms,
    with_terms,
)
from bayesml.terms import Functions

__all__ = ["ResponseDesign", "encoded_response", "response_values"]


@final
@dataclass(frozen=True)
class ResponseDesign:
    """One response of a model.

    Attributes:
        name: its name among several responses; empty where it is the only one.
        likelihood: its distribution.
        data: the encoded response.
        weights: ``(rows,)`` likelihood weights, or None.
        rows: ``(rows,)`` whether a row is one of the response, ``subset()``; None where all are.
        index: ``(rows,)`` the number of each row, ``index()``, or None.
    """

    name: str
    likelihood: AbstractLikelihood
    data: ResponseData
    weights: np.ndarray | None
    rows: np.ndarray | None = None
    index: np.ndarray | None = None

    @property
    def weighted_arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays of the response, its weights among them where it has any."""
        return self.data.arrays if self.weights is None else {**self.data.arrays, "weights": self.weights}


def encoded_response(
    formula: ResponseFormula, family: AbstractFamily, frame: Frame, functions: Functions
) -> tuple[ResponseFormula, ResponseDesign]:
    """Return the formula, residual terms among its response terms, and the encoded response."""
    rows = subset_rows(formula.response, frame, functions)
    frame = frame if rows is None else frame.select(rows)
    raw = response_values(formula.response, frame, functions, family.takes_columns)
    predicted = frozenset(p.key.dpar for p in formula.predictors)
    own, others = _fixed(formula, family)
    free = family.bind(raw).with_formula(predicted, own)
    bound, formula = _held(free, others), with_residual_terms(formula, free.traits)
    raw = replace(raw, additions=term_arrays(formula.response.additions, frame, functions))
    likelihood = with_terms(bound, formula.response.additions, raw.additions, formula.text)
    _check_dpars(formula, likelihood)
    refuse_unused_terms(formula, likelihood)
    data = likelihood.encode(raw)
    if data.unobserved is not None:
        likelihood = likelihood.with_unobserved(len(data.unobserved.rows))
    weights, index = raw.additions.get("weights"), raw.additions.get("index")
    if rows is not None:
        data = spread_data(data, rows)
        weights = None if weights is None else spread(weights, rows, 1.0)
        index = None if index is None else spread(index, rows, np.nan)
    return formula, ResponseDesign(formula.name, likelihood, data, weights, rows, index)


def _fixed(
    formula: ResponseFormula, family: AbstractFamily
) -> tuple[Mapping[str, float | str], Mapping[str, float | str]]:
    """Return the fixed parameters that the family holds itself, and the others."""
    fixed = {each.key.parameter: each.value for each in formula.fixed}
    own = {name: value for name, value in fixed.items() if family.can_fix(name)}
    return own, {name: value for name, value in fixed.items() if name not in own}


def _held(likelihood: AbstractLikelihood, fixed: Mapping[str, float | str]) -> AbstractLikelihood:
    """Return the likelihood with parameters held at numbers or at the values of others."""
    if not fixed:
        return likelihood
    from bayesml.families import with_fixed

    return with_fixed(likelihood, fixed)


def _check_dpars(formula: ResponseFormula, likelihood: AbstractLikelihood) -> None:
    mains = ["mu"] if any(p.kind == "mu" for p in likelihood.dpars) else []
    known = list(dict.fromkeys([*(p.name for p in likelihood.dpars), *mains]))
    for predictor in formula.predictors:
        dpar = predictor.key.dpar
        if dpar not in known:
            hint = did_you_mean(dpar, known)
            if any(p.nonlinear is not None for p in formula.predictors):
                hint += " and no nonlinear formula names it"
            raise FormulaError(
                f"`{dpar}` is not a parameter of the family {likelihood.family.name}{hint}; "
                f"it has {', '.join(f'`{k}`' for k in known)}."
            )
    named = [*(p.key.dpar for p in formula.predictors), *(each.key.parameter for each in formula.fixed)]
    if not has_sigma(formula.response.additions) and "sigma" in named:
        raise FormulaError(
            "`se()` replaces `sigma`, which then cannot have a formula or a value. Write `se(x, sigma=True)` for both."
        )


def response_values(response: Response, frame: Frame, functions: Functions, takes_columns: bool = False) -> RawResponse:
    """Evaluate the left-hand side of a formula.

    Args:
        response: the left-hand side.
        frame: the data.
        functions: the caller's own functions.
        takes_columns: whether ``cbind(a, b)`` is two columns.

    Raises:
        DataError: the response or an addition term has impossible values.
    """
    expression, label, rows = response.expression, response.name, frame.rows
    additions = term_arrays(response.additions, frame, functions)
    if takes_columns and response.columns:
        values, labels = column_values(response, frame, functions), column_labels(response)
        return RawResponse(label, values, None, additions, rows=rows, columns=labels)
    name = bare_name(expression.text)
    column = frame.columns.get(name) if name else None
    if column is not None:
        ordered = column.ordered or column.is_boolean
        return RawResponse(label, column.values, column.levels, additions, column.is_boolean, rows, ordered=ordered)
    return RawResponse(label, evaluate(expression, frame, functions), None, additions, rows=rows)
