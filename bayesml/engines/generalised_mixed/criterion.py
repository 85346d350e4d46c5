"""The Laplace approximation of minus twice the log likelihood, and its exact gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.blocks import split
from bayesml.engines.generalised_mixed.fisher import fisher_slopes
from bayesml.engines.generalised_mixed.mode import Mode, gather, level_sums
from bayesml.engines.generalised_mixed.problem import Parameters, Problem

__all__ = ["Direct", "Value", "Weighting", "assemble", "laplace"]


@final
@dataclass(frozen=True)
class Value:
    """A criterion and its gradient in ``(theta, gamma, psi)``, flat, scaled coordinates."""

    value: float
    gradient: np.ndarray


@final
@dataclass(frozen=True)
class Weighting:
    """The curvature W whose ``log |M'WM + I|`` enters the criterion, with its slopes.

    Attributes:
        value: ``(n,)``.
        slope: its derivative in eta.
        auxiliary: its derivative with respect to each auxiliary parameter.
        solutions: derivative of the criterion in K, applied to each row: ``P m_i``, ``(q, n)`` for each factor.
    """

    value: np.ndarray
    slope: np.ndarray
    auxiliary: tuple[np.ndarray, ...]
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
    if problem.curvature == "observed":
        factor = mode.factor
        auxiliary = tuple(-part.d2 for part in mode.density.auxiliary)
        value, slope = -mode.density.d2, -mode.density.d3
    else:
        factor = problem.factorise(mode.density.fisher, mode.rows)
        slope, auxiliary = fisher_slopes(problem, mode.eta, mode.parameters.psi)
        value = mode.density.fisher
    weighting = Weighting(value, slope, auxiliary, problem.blocks.products(factor.inverse, mode.rows))
    return Value(mode.objective + factor.log_determinant, assemble(problem, mode, weighting, _direct(problem, mode)))


def _direct(problem: Problem, mode: Mode) -> Direct:
    eta = -2.0 * mode.density.d1
    psi = np.array([-2.0 * float(part.value.sum()) for part in mode.density.auxiliary])
    return Direct(eta, products(problem, eta, mode.u), psi)


def products(problem: Problem, rows: np.ndarray, effects: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return ``sum_i rows_i z_i effects_(level of i)'``, ``(q, q)`` for each factor."""
    pairs = zip(problem.columns, split(problem.columns, effects), strict=True)
    return tuple(part.slope(part.Z * rows, values[:, part.codes]) for part, values in pairs)


def assemble(problem: Problem, mode: Mode, weighting: Weighting, direct: Direct) -> np.ndarray:
    """Add to the direct derivatives what the mode and K contribute.

    With ``v_i = m_i'P m_i``, ``a = W' v``, ``t = K^-1 (M'a + du)`` and ``h = a - W_observed M t``: the derivative
    in the fixed part gains h; in Lambda ``sum_i h_i z_i u' + s_i z_i t' + 2 W_i z_i (P m_i)'``; in psi
    ``sum_i v_i dW_i + (M t)_i ds_i``.
    """
    assert mode.factor is not None
    columns, rows = problem.columns, mode.rows
    pairs = zip(rows, weighting.solutions, strict=True)
    leverage = sum((np.einsum("qn,qn->n", row, solved) for row, solved in pairs), np.zeros(problem.n))
    slope = weighting.slope * leverage
    right = level_sums(columns, rows, slope)
    shift = mode.factor.solve(right if direct.u is None else right + direct.u)
    moved = gather(columns, rows, shift)
    indirect = slope + mode.density.d2 * moved
    lambdas = _lambda_slopes(problem, mode, weighting, direct.lambdas, indirect, shift)
    psi = direct.psi.copy()
    for i, (part, change) in enumerate(zip(mode.density.auxiliary, weighting.auxiliary, strict=True)):
        psi[i] += float(leverage @ change) + float(np.sum(moved * part.d1))
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
        given + first + second + 2.0 * part.slope(part.Z * weighting.value, solved)
        for part, solved, given, first, second in parts
    ]
