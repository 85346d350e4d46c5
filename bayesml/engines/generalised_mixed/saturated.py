"""The saturated model: each row has a linear predictor of its own, where the density of the row is highest.

For some rows there is no highest point. The density of a binomial row with no successes rises for ever as eta goes to
minus infinity; so does that of a count of zero. Such rows have a direction instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.problem import Problem
from bayesml.engines.generalised_mixed.response import RowDerivatives

__all__ = ["Saturated", "directions", "saturated_log_likelihood"]

FAR = 30.0
"""How far from the start a linear predictor stands for infinity: exp(-30) is 1e-13, next to a probability or a mean."""


@final
@dataclass(frozen=True)
class Saturated:
    """Where the density of each row is highest in its linear predictor eta.

    Attributes:
        direction: ``(n,)``, 1 or -1 if the density rises as eta goes to plus or minus infinity, 0 if it has a maximum.
        value: ``(n,)``, the log density at ``start + direction * FAR``, which for a direction of 0 is the start.
    """

    direction: np.ndarray
    value: np.ndarray


def directions(problem: Problem, psi: np.ndarray) -> Saturated:
    """Find the rows whose density has no interior maximum in eta (all failures, a count of zero, ...)."""
    start = np.broadcast_to(np.asarray(problem.response.start_eta(), dtype=float), (problem.n,))
    # Rows of this array: far below the start, at the start, far above it.
    density = problem.response.derivatives(np.stack([start - FAR, start, start + FAR]), psi).weighted(problem.weights)
    rises_below = (density.d1[0] <= 0) & (density.value[0] > density.value[1])
    rises_above = (density.d1[2] >= 0) & (density.value[2] > density.value[1])
    direction = np.where(rises_above, 1.0, np.where(rises_below, -1.0, 0.0))
    value = np.choose((direction + 1).astype(int), density.value)
    return Saturated(direction, value)


def saturated_log_likelihood(problem: Problem, psi: np.ndarray) -> float:
    """Return the log likelihood with one free linear predictor for each row.

    The deviance is twice its difference from the log likelihood of a model. Newton's method finds the maximum of each
    row, with steps of at most 1; rows without a maximum have their value far out.
    """
    saturated = directions(problem, psi)
    eta = np.array(np.broadcast_to(np.asarray(problem.response.start_eta(), dtype=float), (problem.n,)))
    density = _rows(problem, eta, psi)
    for _ in range(100):
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where((saturated.direction == 0) & (density.d2 < 0), -density.d1 / density.d2, 0.0)
        if np.abs(step).max(initial=0.0) < 1e-12 * (1.0 + np.abs(eta).max(initial=0.0)):
            break
        eta = eta + np.clip(step, -1.0, 1.0)
        density = _rows(problem, eta, psi)
    return float(np.where(saturated.direction == 0, density.value, saturated.value).sum())


def _rows(problem: Problem, eta: np.ndarray, psi: np.ndarray) -> RowDerivatives:
    found = problem.response.derivatives(eta, psi).weighted(problem.weights)
    assert isinstance(found, RowDerivatives)
    return found
