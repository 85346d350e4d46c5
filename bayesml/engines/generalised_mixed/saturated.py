"""The best that each row alone could have: a finite linear predictor, or one that runs away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.problem import Problem
from bayesml.engines.generalised_mixed.response import RowDerivatives

__all__ = ["Saturated", "directions", "saturated_log_likelihood"]

FAR = 30.0  # on every link of a probability or a count, exp(-30) is nothing


@final
@dataclass(frozen=True)
class Saturated:
    """Where a row's density is highest.

    Attributes:
        direction: ``(n,)`` 1 or -1 where the density rises as eta goes to plus or minus infinity, else 0.
        value: ``(n,)`` log density at the start, or far out in that direction.
    """

    direction: np.ndarray
    value: np.ndarray


def directions(problem: Problem, psi: np.ndarray) -> Saturated:
    """Find the rows whose density has no interior maximum in eta (all failures, a count of zero, ...)."""
    start = np.broadcast_to(np.asarray(problem.response.start_eta(), dtype=float), (problem.n,))
    there = problem.response.derivatives(np.stack([start - FAR, start, start + FAR]), psi).weighted(problem.weights)
    down = (there.d1[0] <= 0) & (there.value[0] > there.value[1])
    up = (there.d1[2] >= 0) & (there.value[2] > there.value[1])
    direction = np.where(up, 1.0, np.where(down, -1.0, 0.0))
    value = np.choose((direction + 1).astype(int), there.value)
    return Saturated(direction, value)


def saturated_log_likelihood(problem: Problem, psi: np.ndarray) -> float:
    """Return the log likelihood with one free linear predictor per row, what deviance residuals are measured from."""
    ends = directions(problem, psi)
    eta = np.array(np.broadcast_to(np.asarray(problem.response.start_eta(), dtype=float), (problem.n,)))
    density = _rows(problem, eta, psi)
    for _ in range(100):
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where((ends.direction == 0) & (density.d2 < 0), -density.d1 / density.d2, 0.0)
        if np.abs(step).max(initial=0.0) < 1e-12 * (1.0 + np.abs(eta).max(initial=0.0)):
            break
        eta = eta + np.clip(step, -1.0, 1.0)
        density = _rows(problem, eta, psi)
    return float(np.where(ends.direction == 0, density.value, ends.value).sum())


def _rows(problem: Problem, eta: np.ndarray, psi: np.ndarray) -> RowDerivatives:
    return problem.response.derivatives(eta, psi).weighted(problem.weights)
