"""How the Fisher information changes with eta and psi, by differences of its closed form."""

from __future__ import annotations

import numpy as np

from bayesml.engines.generalised_mixed.problem import Problem

__all__ = ["fisher_slopes"]

STEP = 1e-5  # central differences: relative error 1e-10, rounding 1e-11


def fisher_slopes(problem: Problem, eta: np.ndarray, psi: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the derivative of each row's Fisher information in eta and in each auxiliary parameter."""
    slope = (_fisher(problem, eta + STEP, psi) - _fisher(problem, eta - STEP, psi)) / (2 * STEP)
    auxiliary = []
    for i in range(len(psi)):
        step = np.zeros(len(psi))
        step[i] = STEP
        auxiliary.append((_fisher(problem, eta, psi + step) - _fisher(problem, eta, psi - step)) / (2 * STEP))
    return slope, tuple(auxiliary)


def _fisher(problem: Problem, eta: np.ndarray, psi: np.ndarray) -> np.ndarray:
    return problem.response.derivatives(eta, psi).weighted(problem.weights).fisher
