"""The mode of the standardised group effects u, by Newton's method with step halving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.blocks import Columns, split, total_size
from bayesml.engines.generalised_mixed.problem import Parameters, Problem
from bayesml.engines.generalised_mixed.response import AbstractDerivatives
from bayesml.linalg import ArrowFactor, NotPositiveDefinite

__all__ = ["Mode", "find_mode", "gather", "level_sums"]

TOLERANCE = 1e-20  # of the squared Newton step in the metric K, relative to 1 + |u|^2
ROUNDING = 1e-13  # a step that stops shrinking below this is at the limit of double precision
MOST_STEPS = 60
MOST_HALVINGS = 20


@final
@dataclass(frozen=True)
class Mode:
    """The maximum of ``sum log f(eta) - |u|^2 / 2`` over u at one point of the parameters.

    Attributes:
        parameters: the point.
        lambdas: Lambda of each factor, scaled coordinates.
        rows: ``M' = Lambda'Z'`` of each factor, ``(q, n)``.
        u: all effects, factor by factor ``(q, levels)``, flat.
        eta: ``(n,)``.
        density: log densities and derivatives at eta, times the row weights.
        deviance: minus twice their sum.
        factor: ``K = M'WM + I`` with the observed curvature W; None during the search.
        decrement: squared length of the last Newton step in the metric K.
        steps: Newton steps taken.
    """

    parameters: Parameters
    lambdas: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]
    u: np.ndarray
    eta: np.ndarray
    density: AbstractDerivatives
    deviance: float
    factor: ArrowFactor | None = None
    decrement: float = np.inf
    steps: int = 0

    @property
    def objective(self) -> float:
        """``-2 sum log f + |u|^2``."""
        return self.deviance + float(self.u @ self.u)


def gather(columns: Sequence[Columns], rows: Sequence[np.ndarray], effects: np.ndarray) -> np.ndarray:
    """Return ``M effects`` ``(n,)`` of a flat vector of effects."""
    total: np.ndarray | float = 0.0
    for part, row, values in zip(columns, rows, split(columns, effects), strict=True):
        for a in range(len(row)):
            total = total + row[a] * values[a][part.codes]
    return np.asarray(total)


def level_sums(columns: Sequence[Columns], rows: Sequence[np.ndarray], values: np.ndarray) -> np.ndarray:
    """Return ``M' values``, flat, for ``(n,)`` values."""
    parts = [part.sums(one * values) for part, row in zip(columns, rows, strict=True) for one in row]
    return np.concatenate(parts) if parts else np.empty(0)


def find_mode(problem: Problem, parameters: Parameters, previous: Mode | None = None) -> Mode:
    """Find the mode of u.

    Args:
        problem: the data.
        parameters: the point.
        previous: the mode at a point nearby, to start from.

    Raises:
        NotPositiveDefinite: there is no interior maximum where the search ended.
        FloatingPointError: the log density is not finite at the start, or the search does not converge.
    """
    lambdas = problem.layout.matrices(parameters.theta)
    rows = tuple(part.times(lam) for lam, part in zip(lambdas, problem.columns, strict=True))
    base = problem.fixed_part(parameters.gamma)
    template = _Search(problem, parameters, lambdas, rows, base)
    mode = template.start(previous)
    last = np.inf
    for _ in range(MOST_STEPS):
        convex, step = template.newton(mode)
        size = 1.0 + float(mode.u @ mode.u)
        if convex.decrement <= TOLERANCE * size or ROUNDING * size > convex.decrement > 0.25 * last:
            return template.confirmed(convex)
        last = convex.decrement
        mode = template.advance(convex, step)
    raise FloatingPointError(f"the modes of the group effects were not found in {MOST_STEPS} Newton steps")


@final
@dataclass(frozen=True)
class _Search:
    """What stays fixed while u moves."""

    problem: Problem
    parameters: Parameters
    lambdas: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]
    base: np.ndarray

    def at(self, u: np.ndarray) -> Mode:
        """Evaluate the rows at u."""
        eta = self.base + gather(self.problem.columns, self.rows, u)
        density = self.problem.response.derivatives(eta, self.parameters.psi).weighted(self.problem.weights)
        deviance = -2.0 * float(density.value.sum())
        return Mode(self.parameters, self.lambdas, self.rows, u, eta, density, deviance)

    def start(self, previous: Mode | None) -> Mode:
        """Start where the mode is to first order, else at zero."""
        if previous is not None:
            mode = self.at(self._predict(previous))
            if np.isfinite(mode.objective):
                return mode
        mode = self.at(np.zeros(total_size(self.problem.columns)))
        if not np.isfinite(mode.objective):
            raise FloatingPointError("the log density is not finite at the starting point of the group effects")
        return mode

    def _predict(self, previous: Mode) -> np.ndarray:
        """One Newton step with the old factor and the old derivatives, carried linearly to the new point."""
        if previous.factor is None or not len(previous.u):
            return previous.u
        moved = self.base + gather(self.problem.columns, self.rows, previous.u) - previous.eta
        slope = previous.density.d1 - previous.density.information.times(moved)
        slope = slope + previous.density.carried(self.parameters.psi - previous.parameters.psi)
        gradient = level_sums(self.problem.columns, self.rows, slope) - previous.u
        return previous.u + previous.factor.solve(gradient)

    def newton(self, mode: Mode) -> tuple[Mode, np.ndarray]:
        """Factorise K here and return the Newton step; negative curvatures are left out where K is indefinite."""
        gradient = level_sums(self.problem.columns, self.rows, mode.density.d1) - mode.u
        curvature = mode.density.information
        try:
            factor = self.problem.factorise(curvature, self.rows)
        except NotPositiveDefinite:
            if not curvature.is_finite or curvature.is_nonnegative:
                raise FloatingPointError("the curvature of the log density is not finite") from None
            factor = self.problem.factorise(curvature.nonnegative(), self.rows)
            step = factor.solve(gradient)
            return replace(mode, decrement=float(gradient @ step)), step
        step = factor.solve(gradient)
        return replace(mode, factor=factor, decrement=float(gradient @ step)), step

    def advance(self, mode: Mode, step: np.ndarray) -> Mode:
        """Go along the step, half as far as long as the objective rises."""
        highest = mode.objective + 1e-13 * abs(mode.objective)
        for halving in range(MOST_HALVINGS):
            trial = self.at(mode.u + step * 0.5**halving)
            if trial.objective <= highest:
                return replace(trial, steps=mode.steps + 1)
        raise FloatingPointError("no step along the Newton direction of the group effects lowers the deviance")

    def confirmed(self, mode: Mode) -> Mode:
        """Return the mode if it is a maximum."""
        if mode.factor is None:
            raise NotPositiveDefinite
        return mode
