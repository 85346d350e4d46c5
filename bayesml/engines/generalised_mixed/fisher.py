"""How the Fisher information changes with eta and psi, by differences of its closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesml.engines.generalised_mixed.information import RowNumbers
from bayesml.engines.generalised_mixed.problem import Problem
from bayesml.engines.generalised_mixed.response import AbstractDerivatives, RowDerivatives

__all__ = ["fisher_information"]

STEP = 1e-5  # central differences: relative error 1e-10, rounding 1e-11


def fisher_information(
    problem: Problem, density: AbstractDerivatives, eta: np.ndarray, psi: np.ndarray
) -> tuple[RowNumbers, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]]:
    """Return the Fisher information of rows with one linear predictor, and its slopes as in `Weighting`."""
    assert isinstance(density, RowDerivatives)

    def slopes(leverages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slope = (_fisher(problem, eta + STEP, psi) - _fisher(problem, eta - STEP, psi)) / (2 * STEP)
        by_psi = np.zeros(len(psi))
        for i in range(len(psi)):
            step = np.zeros(len(psi))
            step[i] = STEP
            change = _fisher(problem, eta, psi + step) - _fisher(problem, eta, psi - step)
            by_psi[i] = float(leverages @ change) / (2 * STEP)
        return slope * leverages, by_psi

    return RowNumbers(density.fisher), slopes


def _fisher(problem: Problem, eta: np.ndarray, psi: np.ndarray) -> np.ndarray:
    found = problem.response.derivatives(eta, psi).weighted(problem.weights)
    assert isinstance(found, RowDerivatives)
    return found.fisher
