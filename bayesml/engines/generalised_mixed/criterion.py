"""The Laplace approximation of minus twice the log likelihood, and its exact gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.blocks import split
from bayesml.engines.generalised_mixed.fisher import fisher_information
from bayesml.engines.generalised_mixed.information import AbstractInformation
from bayesml.engines.generalised_mixed.mode import Mode, gather, level_sums
from bayesml.engines.generalised_mixed.problem import Parameters, Problem

__all__ = ["Direct", "Value", "Weighting", "assemble", "laplace"]


@final
@dataclass(frozen=True)
class Value:
    """A criterion and its gradient in ``(theta, gamma, psi)``, flat, scaled coordinates."""

    value: float
    gradient: np.ndarray


Slopes = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From the leverages to the derivatives in eta and psi of the sum of their products with W."""


@final
@dataclass(frozen=True)
class Weighting:
    """The curvature W whose ``log |M'WM + I|`` enters the criterion, with its slopes.

    Attributes:
        value: W.
        slopes: how it changes with eta and psi.
        solutions: derivative of the criterion in K, applied to each row: ``P m_i``, ``(q, N)`` for each factor.
    """

    value: AbstractInformation
    slopes: Slopes
    solutions: tuple[np.ndarray, ...]


@final
@dataclass(frozen=True)
class Direct:
    """Derivatives of the criterion with the mode and K held fixed.

    Attributes:
        eta: ``(n,)`` in the fixed part of the linear predictor.
        lambdas: in Lambda of each factor.
        psi: in the auxiliary parameters.
        u: in the mode, flat; zero for Laplace, where the mode is stationary.
    """

    eta: np.ndarray
    lambdas: tuple[np.ndarray, ...]
    psi: np.ndarray
    u: np.ndarray | None = None


def laplace(problem: Problem, mode: Mode) -> Value:
    """Return ``-2 sum log f + |u|^2 + log |K|`` at the mode and its gradient.

    With the observed curvature this is the Laplace approximation (Tierney and Kadane 1986); with the Fisher
    information it is the criterion of penalised iteratively reweighted least squares. They agree for canonical links.

    Raises:
        NotPositiveDefinite: K is not positive definite.
    """
    assert mode.factor is not None
    factor, value = mode.factor, mode.density.information
    slopes: Slopes = mode.density.information_slopes
    if problem.curvature == "fisher":
        value, slopes = fisher_information(problem, mode.density, mode.eta, mode.parameters.psi)
        factor = problem.factorise(value, mode.rows)
    weighting = Weighting(value, slopes, problem.blocks.products(factor.inverse, mode.rows))
    return Value(mode.objective + factor.log_determinant, assemble(problem, mode, weighting, _direct(problem, mode)))


def _direct(problem: Problem, mode: Mode) -> Direct:
    eta = -2.0 * mode.density.d1
    return Direct(eta, products(problem, eta, mode.u), -2.0 * mode.density.psi)


def products(problem: Problem, rows: np.ndarray, effects: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return ``sum_i rows_i z_i effects_(level of i)'``, ``(q, q)`` for each factor."""
    pairs = zip(problem.columns, split(problem.columns, effects), strict=True)
    return tuple(part.slope(part.Z * rows, values[:, part.codes]) for part, values in pairs)


def assemble(problem: Problem, mode: Mode, weighting: Weighting, direct: Direct) -> np.ndarray:
    """Add to the direct derivatives what the mode and K contribute.

    With the leverages ``v_i = m_i'P m_i``, ``a = W' v``, ``t = K^-1 (M'a + du)`` and ``h = a - W_observed M t``: the
    derivative in the fixed part gains h; in Lambda ``sum_i h_i z_i u' + s_i z_i t' + 2 W_i z_i (P m_i)'``; in psi
    ``sum_i v_i dW_i + (M t)_i ds_i``. With several linear predictors in a row, v_i and W_i are matrices, and products
    of the two sums over their entries.
    """
    assert mode.factor is not None
    columns, rows = problem.columns, mode.rows
    slope, by_psi = weighting.slopes(weighting.value.leverages(rows, weighting.solutions))
    right = level_sums(columns, rows, slope)
    shift = mode.factor.solve(right if direct.u is None else right + direct.u)
    moved = np.broadcast_to(gather(columns, rows, shift), (problem.n,))
    indirect = slope - mode.density.information.times(moved)
    lambdas = _lambda_slopes(problem, mode, weighting, direct.lambdas, indirect, shift)
    psi = direct.psi + by_psi + mode.density.psi_sums(moved)
    gamma = problem.basis_sums(indirect + direct.eta)
    return Parameters(problem.layout.gather(lambdas), gamma, psi).flat


def _lambda_slopes(
    problem: Problem,
    mode: Mode,
    weighting: Weighting,
    direct: Sequence[np.ndarray],
    indirect: np.ndarray,
    shift: np.ndarray,
) -> list[np.ndarray]:
    by_mode, by_shift = products(problem, indirect, mode.u), products(problem, mode.density.d1, shift)
    parts = zip(problem.columns, weighting.solutions, direct, by_mode, by_shift, strict=True)
    return [
        given + first + second + 2.0 * part.slope(part.Z, weighting.value.times(solved))
        for part, solved, given, first, second in parts
    ]
