"""Response terms, what stands behind the bar of ``y | trials(n) ~ x``: one file each, listed here.

A term adds arrays that the likelihood reads (``trials``, ``se``), weights rows, or wraps the likelihood (``cens``,
``trunc``, ``rate``): a wrapper needs a log density and, where it says so, distribution functions, and no family knows
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bayesml.columns import variables_of
from bayesml.errors import FormulaError
from bayesml.families import AbstractLikelihood
from bayesml.formula import Addition, Expression, ParsedFormula, Predictor, SpecialCall, formula_variables
from bayesml.frame import Frame
from bayesml.lazy import LazyRegistry
from bayesml.response_terms.base import AbstractResponseTerm, Functions, term_texts
from bayesml.response_terms.residuals.calls import residual_addition, residual_matrices, with_residual_terms
from bayesml.response_terms.residuals.registry import PRODUCTS, RESIDUAL_TERMS
from bayesml.response_terms.rows import needed_rows, spread, spread_data, subset_rows
from bayesml.response_terms.sigma import has_sigma

__all__ = [
    "RESIDUAL_TERMS",
    "RESPONSE_TERMS",
    "AbstractResponseTerm",
    "has_sigma",
    "needed_rows",
    "needed_terms",
    "residual_addition",
    "residual_matrices",
    "response_term",
    "sparse_columns",
    "spread",
    "spread_data",
    "subset_rows",
    "term_arrays",
    "term_texts",
    "terms_taken",
    "whole_columns",
    "with_residual_terms",
    "with_terms",
]

RESPONSE_TERMS: LazyRegistry[type[AbstractResponseTerm]] = LazyRegistry(
    "bayesml.response_terms",
    {
        "bhaz": "bhaz:BaselineHazard",
        "rate": "rate:Rate",
        "trunc": "trunc:Truncation",
        "cens": "cens:Censoring",
        "mi": "mi:MissingResponses",
        "se": "se:StandardErrors",
        "trials": "trials:Trials",
        "thres": "thres:Thresholds",
        "dec": "dec:Decisions",
        "vint": "own_data:WholeData",
        "vreal": "own_data:RealData",
        "subset": "subset:Subset",
        "index": "subset:RowNumbers",
        "weights": "weights:Weights",
    },
)
"""The terms behind the bar, in the order in which they wrap a likelihood: censoring is of the truncated response.

The file of a kind is imported when a formula has it. Residual terms wrap after them.
"""


def response_term(name: str) -> AbstractResponseTerm:
    """Return the kind of that name."""
    return next(kinds[name]() for kinds in (RESPONSE_TERMS, RESIDUAL_TERMS, PRODUCTS) if name in kinds)


def term_arrays(additions: Sequence[Addition], frame: Frame, functions: Functions) -> dict[str, np.ndarray]:
    """Return what the terms of a formula give for each row.

    Raises:
        DataError: a value is impossible.
    """
    by_name: dict[str, np.ndarray] = {}
    for addition in additions:
        by_name |= response_term(addition.name).arrays(addition, frame, functions)
    return by_name


def sparse_columns(parsed: ParsedFormula, columns: Sequence[str]) -> frozenset[str]:
    """Return the columns that only some rows need, as the upper ends of intervals in ``cens(c, y2 = upper)``.

    Args:
        parsed: the formula.
        columns: names of the columns of the data.
    """

    def without(addition: Addition) -> Addition:
        sparse = response_term(addition.name).sparse
        return replace(addition, options=tuple(option for option in addition.options if option[0] not in sparse))

    responses = []
    for formula in parsed.responses:
        additions = tuple(without(addition) for addition in formula.response.additions)
        response = replace(formula.response, additions=additions)
        if any(addition.name == "mi" for addition in additions):
            response = replace(response, expression=_NOTHING)
        predictors = tuple(_without_missing(predictor) for predictor in formula.predictors)
        responses.append(replace(formula, response=response, predictors=predictors))
    elsewhere = formula_variables(replace(parsed, responses=tuple(responses)), columns)
    return frozenset(formula_variables(parsed, columns)).difference(elsewhere)


_NOTHING = Expression("1", "1", 0)


def _without_missing(predictor: Predictor) -> Predictor:
    """Return a predictor whose calls of ``mi()`` name no column."""

    def bare(call: SpecialCall) -> SpecialCall:
        arguments = (_NOTHING, *call.arguments[1:]) if call.name == "mi" else call.arguments
        return replace(call, arguments=arguments, others=tuple(map(bare, call.others)))

    groups = tuple(replace(group, specials=tuple(map(bare, group.specials))) for group in predictor.groups)
    return replace(predictor, specials=tuple(map(bare, predictor.specials)), groups=groups)


def with_terms(
    likelihood: AbstractLikelihood, additions: Sequence[Addition], arrays: Mapping[str, np.ndarray], text: str
) -> AbstractLikelihood:
    """Return the likelihood with the terms of a formula.

    Args:
        likelihood: the likelihood of the family.
        additions: the terms as written.
        arrays: what ``term_arrays`` returned.
        text: the formula, for messages.

    Raises:
        FormulaError: the likelihood has no such term; lists those it has.
    """
    order = (*RESPONSE_TERMS, *RESIDUAL_TERMS, *PRODUCTS)
    for addition in sorted(additions, key=lambda addition: order.index(addition.name)):
        kind = response_term(addition.name)
        if not kind.is_taken_by(likelihood.traits):
            raise _refusal(likelihood, addition, text)
        likelihood = kind.wrapped(likelihood, addition, dict(arrays))
    return likelihood


def needed_terms(additions: Sequence[Addition], *, response: bool = False, weights: bool = False) -> tuple[str, ...]:
    """Return the names of the terms that a prediction needs.

    Args:
        additions: the terms of the formula.
        response: whether an observed response is looked at.
        weights: whether rows are weighted.
    """
    purposes = {"always", *(["response"] if response else []), *(["weights"] if weights else [])}
    return tuple(a.name for a in additions if response_term(a.name).needed in purposes)


def terms_taken(likelihood: AbstractLikelihood) -> tuple[str, ...]:
    """Return the names of the response terms that a likelihood takes, in alphabetic order."""
    return tuple(sorted(name for name, kind in RESPONSE_TERMS.items() if kind().is_taken_by(likelihood.traits)))


def whole_columns(additions: Sequence[Addition]) -> frozenset[str]:
    """Return the columns in terms of whole numbers, which have no mean."""
    whole = (addition for addition in additions if response_term(addition.name).whole)
    return frozenset(name for addition in whole for text in term_texts(addition) for name in variables_of(text))


def _refusal(likelihood: AbstractLikelihood, addition: Addition, text: str) -> FormulaError:
    possible = ", ".join(f"`{name}()`" for name in terms_taken(likelihood))
    message = f"The family {likelihood.family.name} has no response term `{addition.name}()`; it takes {possible}."
    return FormulaError.at(message, text, addition.start, addition.start + len(addition.name))
