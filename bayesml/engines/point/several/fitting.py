"""Fitting models with several linear predictors, and restoring their estimates from files."""

from __future__ import annotations

from bayesml.engines.base import Problem
from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.engines.point.several.model import restored, several_model
from bayesml.posterior import StoredEstimate

__all__ = ["estimate_several", "restore_several"]


def estimate_several(problem: Problem, method: str) -> SeveralEstimate:
    """Maximise Laplace's approximation of the likelihood.

    Raises:
        ModelError: the likelihood is not finite where the search could start.
    """
    model = several_model(problem, method)
    return SeveralEstimate.of(model, method, model.fitted())


def restore_several(problem: Problem, method: str, stored: StoredEstimate) -> SeveralEstimate:
    """Return a stored estimate; nothing is computed again.

    Raises:
        ValueError: the estimate does not belong to the model.
    """
    model = several_model(problem, method)
    return SeveralEstimate.of(model, method, restored(model, method, stored))
