"""A fit as if the responses of different rows did not depend on each other: without ``ar()`` and its kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from bayesml.formula import ResponseFormula
from bayesml.response_terms import RESIDUAL_TERMS, RESPONSE_TERMS
from bayesml.results.record.fit import AbstractFit
from bayesml.results.record.with_likelihoods import with_likelihoods

__all__ = ["without_residual_terms"]

F = TypeVar("F", bound=AbstractFit)


def without_residual_terms(fit: F) -> F:
    """Return the fit without its residual terms, for rows that stand in no series; draws stay as they are."""
    design = fit.problem.design
    has_latent = any(term.is_residual for predictor in design.schema.predictors for term in predictor.terms)
    if not design.likelihood.traits.rows_depend and not has_latent:
        return fit
    fit = with_likelihoods(fit, lambda likelihood: likelihood.without_residual_terms)
    design = fit.problem.design
    parsed = replace(design.schema.parsed, responses=tuple(map(_without, design.schema.parsed.responses)))
    predictors = tuple(
        replace(p, terms=tuple(t for t in p.terms if not t.is_residual)) for p in design.schema.predictors
    )
    schema = replace(design.schema, parsed=parsed, predictors=predictors)
    return replace(fit, problem=replace(fit.problem, design=replace(design, schema=schema)))


def _without(formula: ResponseFormula) -> ResponseFormula:
    kept = tuple(a for a in formula.response.additions if a.name in RESPONSE_TERMS)
    predictors = tuple(
        replace(p, specials=tuple(call for call in p.specials if call.name not in RESIDUAL_TERMS))
        for p in formula.predictors
    )
    return replace(formula, response=replace(formula.response, additions=kept), predictors=predictors)
