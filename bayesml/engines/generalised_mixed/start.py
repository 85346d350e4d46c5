"""Where the outer search starts, and what it takes for the curvature there."""

from __future__ import annotations

import numpy as np

from bayesml.engines.generalised_mixed.mode import Mode, level_sums
from bayesml.engines.generalised_mixed.outer import Criterion, Evaluation
from bayesml.engines.generalised_mixed.problem import Parameters, Problem
from bayesml.engines.generalised_mixed.response import AbstractDerivatives

__all__ = ["conditional_information", "group_deviations", "starting_metric", "starting_point", "working_scale"]

SMALLEST = 0.1  # least starting standard deviation, in units of the working residual
PSI_STEP = 1e-3


def starting_point(problem: Problem) -> Parameters:
    """Fit the model without group effects by scoring, then guess the group variances from its residuals."""
    psi = problem.psi_start
    gamma, density = _without_groups(problem, psi)
    return Parameters(group_deviations(problem, density), gamma, psi)


def _without_groups(problem: Problem, psi: np.ndarray) -> tuple[np.ndarray, AbstractDerivatives]:
    basis = problem.basis
    target = np.broadcast_to(np.asarray(problem.response.start_eta(), dtype=float), (problem.n,))
    target = target if problem.offset is None else target - problem.offset
    gamma = np.linalg.lstsq(basis @ basis.T, problem.basis_sums(target), rcond=None)[0] if len(basis) else np.empty(0)
    density = _rows(problem, gamma, psi)
    for _ in range(20):
        information = density.scoring.times(basis) @ basis.T
        gradient = problem.basis_sums(density.d1)
        if not np.isfinite(information).all() or not np.isfinite(gradient).all():
            break
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        if float(step @ gradient) < 1e-6:
            break
        better = _halved(problem, gamma, step, psi, float(density.value.sum()))
        if better is None:
            break
        gamma, density = better
    return gamma, density


def _halved(
    problem: Problem, gamma: np.ndarray, step: np.ndarray, psi: np.ndarray, before: float
) -> tuple[np.ndarray, AbstractDerivatives] | None:
    for halving in range(20):
        trial = gamma + step * 0.5**halving
        density = _rows(problem, trial, psi)
        if float(density.value.sum()) > before or not np.isfinite(before):
            return trial, density
    return None


def _rows(problem: Problem, gamma: np.ndarray, psi: np.ndarray) -> AbstractDerivatives:
    return problem.response.derivatives(problem.fixed_part(gamma), psi).weighted(problem.weights)


def working_scale(density: AbstractDerivatives) -> float:
    """Return the standard deviation of a working residual: one over the root of the mean curvature."""
    mean = float(np.mean(density.scoring.diagonal))
    return 1.0 / np.sqrt(mean) if np.isfinite(mean) and mean > 0 else 1.0


def group_deviations(problem: Problem, density: AbstractDerivatives) -> np.ndarray:
    """Guess theta from the model without group effects.

    Match ``sum_j S_j^2`` to ``sum_j I_j + I_j^2 theta^2`` for the scores S and informations I of each column.
    """
    floor = (SMALLEST * working_scale(density)) ** 2
    weights, diagonals = density.scoring.diagonal, []
    for part in problem.columns:
        scores = part.vectors(np.array([part.sums(z * density.d1) for z in part.Z]))
        information = part.vectors(np.array([part.sums(z * z * weights) for z in part.Z]))
        squares = np.maximum((information**2).sum(axis=1), np.finfo(float).tiny)
        variance = (scores**2 - information).sum(axis=1) / squares
        variance = np.where(np.isfinite(variance), variance, 0.0)
        diagonals.append(np.diag(np.sqrt(np.maximum(variance, floor))))
    return problem.layout.gather(diagonals)


def conditional_information(problem: Problem, mode: Mode) -> np.ndarray:
    """Return ``X'V^-1 X`` in the basis, V the marginal covariance of the working response at the mode."""
    assert mode.factor is not None
    basis, weights = problem.basis, mode.density.information.nonnegative()
    information = weights.times(basis) @ basis.T
    if len(mode.u) and len(basis):
        coupled = np.stack([level_sums(problem.columns, mode.rows, weights.times(x)) for x in basis], axis=1)
        information -= coupled.T @ mode.factor.solve(coupled)
    return information


def starting_metric(problem: Problem, criterion: Criterion, here: Evaluation) -> np.ndarray:
    """Guess the inverse Hessian: exact for beta given theta, expected information for theta, a difference for psi."""
    assert here.mode is not None
    k, p, m = problem.sizes
    inverse = np.zeros((problem.size, problem.size))
    inverse[np.arange(k), np.arange(k)] = 1.0 / _theta_information(problem, here.mode)
    values, vectors = np.linalg.eigh(2.0 * conditional_information(problem, here.mode))
    values = np.maximum(values, 1e-8 * max(values.max(initial=0.0), 1e-300))
    inverse[k : k + p, k : k + p] = (vectors / values) @ vectors.T
    for i in range(k + p, k + p + m):
        moved = here.flat.copy()
        moved[i] += PSI_STEP
        there = criterion.at(moved)
        second = (there.gradient[i] - here.gradient[i]) / PSI_STEP
        floor = max(abs(here.gradient[i]), 1e-3)
        inverse[i, i] = 1.0 / max(abs(second), floor) if np.isfinite(there.value) else 1.0 / floor
    return inverse


def _theta_information(problem: Problem, mode: Mode) -> np.ndarray:
    """Expected second derivatives in the entries of Lambda, from the share of each effect that the data determine."""
    assert mode.factor is not None
    layout, pairs = problem.layout, zip(problem.columns, mode.factor.level_blocks(), strict=True)
    blocks = [part.vector_blocks(own) for part, own in pairs]
    out = np.empty(layout.size)
    floor = 0.01 / working_scale(mode.density) ** 2
    for i, (g, r, c) in enumerate(zip(layout.group, layout.row, layout.column, strict=True)):
        share = np.clip(1.0 - blocks[g][r, r], 0.0, 1.0)
        variance = max(float((mode.lambdas[g][r] ** 2).sum()), 1e-300)
        total = 4.0 * float((share**2).sum()) if r == c else 2.0 * float(share.sum())
        out[i] = max(total / variance, floor * len(share))
    return out
