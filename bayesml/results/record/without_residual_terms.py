"""A fit as if the responses of different rows did not depend on each other: without ``ar()`` and its kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from bayesml.formula import ResponseFormula
from bayesml.response_terms import response_term
from bayesml.results.record.fit import AbstractFit

__all__ = ["without_residual_terms"]

F = TypeVar("F", bound=AbstractFit)


def without_residual_terms(fit: F) -> F:
    """Return the fit without its residual terms, for rows that stand in no series; draws stay as they are."""
    design = fit.problem.design
    if not design.likelihood.traits.rows_depend:
        return fit
    responses = tuple(replace(each, likelihood=each.likelihood.without_residual_terms) for each in design.responses)
    joint = design.joint
    if joint is not None:
        joint = replace(joint, parts=tuple((each.name, each.likelihood) for each in responses))
    parsed = replace(design.schema.parsed, responses=tuple(map(_without, design.schema.parsed.responses)))
    plain = replace(design, responses=responses, joint=joint, schema=replace(design.schema, parsed=parsed))
    return replace(fit, problem=replace(fit.problem, design=plain))


def _without(formula: ResponseFormula) -> ResponseFormula:
    kept = tuple(a for a in formula.response.additions if not response_term(a.name).stands_right)
    return replace(formula, response=replace(formula.response, additions=kept))
