"""A fit whose responses have other likelihoods; draws stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from bayesml.families import AbstractLikelihood
from bayesml.results.record.fit import AbstractFit

__all__ = ["with_likelihoods"]

F = TypeVar("F", bound=AbstractFit)


def with_likelihoods(fit: F, change: Callable[[AbstractLikelihood], AbstractLikelihood]) -> F:
    """Return the fit with the changed likelihood of each response."""
    design = fit.problem.design
    responses = tuple(replace(each, likelihood=change(each.likelihood)) for each in design.responses)
    joint = design.joint
    if joint is not None:
        joint = replace(joint, parts=tuple((each.name, each.likelihood) for each in responses))
    return replace(fit, problem=replace(fit.problem, design=replace(design, responses=responses, joint=joint)))
