"""Fitting models with several linear predictors, and restoring their estimates from files."""

from __future__ import annotations

from bayesml.engines.base import Problem
from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.engines.point.several.model import restored, several_model
from bayesml.engines.point.several.penalty import several_penalty
from bayesml.posterior import StoredEstimate

__all__ = ["estimate_several", "restore_several"]


def estimate_several(problem: Problem, method: str, *, uses_priors: bool) -> SeveralEstimate:
    """Maximise Laplace's approximation of the likelihood, or of the posterior.

    Raises:
        ModelError: the likelihood is not finite where the search could start, or a prior has no form here.
    """
    model = several_model(problem, method)
    if not uses_priors:
        return SeveralEstimate.of(model, method, model.fitted())
    penalty = several_penalty(problem, model)
    bare = penalty.without_groups()
    return SeveralEstimate.of(model, method, model.fitted(penalty, bare), penalty, bare)


def restore_several(problem: Problem, method: str, stored: StoredEstimate, *, uses_priors: bool) -> SeveralEstimate:
    """Return a stored estimate; nothing is computed again.

    Raises:
        ValueError: the estimate does not belong to the model.
    """
    model = several_model(problem, method)
    fit = restored(model, method, stored)
    if not uses_priors:
        return SeveralEstimate.of(model, method, fit)
    penalty = several_penalty(problem, model)
    return SeveralEstimate.of(model, method, fit, penalty, penalty.without_groups())
