"""The fit: start, minimise, settle on or off the boundary, and write down what was found."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesml.engines.linear_mixed.boundary import canonical, downhill, singular_directions, snap
from bayesml.engines.linear_mixed.criterion import (
    AbstractObjective,
    JointCriterion,
    Penalty,
    Point,
    ProfiledCriterion,
    deviance,
)
from bayesml.engines.linear_mixed.optimise import Minimum, minimise
from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.engines.linear_mixed.solution import Convergence, LinearMixedFit
from bayesml.engines.linear_mixed.start import expected_inverse_hessian, starting_point
from bayesml.errors import ModelError

__all__ = ["finite_difference_hessian", "fit_at", "fit_linear_mixed", "off_boundary", "refit"]

TOLERANCE = 1e-4
CONVERGED = 1e-3
LARGEST_RESTARTS = 3
LEAST_START = 0.1
LARGEST_RATIO = 1e7  # of a group standard deviation to the residual one
DIFFERENCE = (
    1e-4  # step of numerical second derivatives, in standard errors: the curvature changes fast near a zero variance
)


def fit_linear_mixed(
    problem: LinearMixedProblem,
    reml: bool = True,
    sigma: float | None = None,
    penalty: Penalty | None = None,
    start: np.ndarray | None = None,
    tolerance: float = TOLERANCE,
) -> LinearMixedFit:
    """Fit a linear mixed model by REML, maximum likelihood, or penalised likelihood.

    Args:
        problem: the model, from `prepare`.
        reml: minimise the REML criterion, else the ML deviance.
        sigma: the residual standard deviation where it is known.
        penalty: ``(theta, sigma) -> (value, d/dtheta, d/dsigma)`` added to the criterion, for instance -2 log prior;
            sigma is then estimated with theta instead of profiled out.
        start: theta to start from, in the user's coordinates.
        tolerance: stop when the Newton decrement is below.

    Raises:
        ModelError: the criterion cannot be computed, sigma is not positive, or the residual variance vanishes.

    Example:
        >>> import numpy as np
        >>> from bayesml.linalg import GroupBlock
        >>> from bayesml.engines.linear_mixed import fit_linear_mixed, prepare
        >>> # Dyestuff (Davies and Goldsmith 1972): yields of five samples from each of six batches.
        >>> y = np.array([1545, 1440, 1440, 1520, 1580, 1540, 1555, 1490, 1560, 1495, 1595, 1550, 1605, 1510, 1560,
        ...               1445, 1440, 1595, 1465, 1545, 1595, 1630, 1515, 1635, 1625, 1520, 1455, 1450, 1480, 1445])
        >>> batch = GroupBlock("Batch", np.repeat(np.arange(6), 5), 6, np.ones((30, 1)), (1,))
        >>> fit = fit_linear_mixed(prepare([batch], np.ones((30, 1)), y))
        >>> print(f"{fit.criterion:.4f} {fit.groups[0].sd[0]:.3f} {fit.sigma:.3f}")
        319.6543 42.001 49.510
    """
    if sigma is not None and not (np.isfinite(sigma) and sigma > 0):
        raise ModelError(f"sigma is {sigma}; a known residual standard deviation must be positive")
    criterion = ProfiledCriterion(problem, reml, sigma)
    first = starting_point(criterion, None if start is None else problem.internal(start))
    if first is None:
        raise ModelError("the likelihood cannot be computed in double precision; rescale the columns of the model")
    if penalty is not None:
        return _fit_penalised(problem, reml, sigma, penalty, first, tolerance)
    search = _Search.begin(criterion, first, tolerance)
    restarts, settled = 0, snap(criterion, search.minimum.point)
    while restarts < LARGEST_RESTARTS:
        inside = downhill(criterion, settled)
        moved = None if inside is None else criterion.evaluate(inside)
        if moved is None:
            break
        search = search.again(criterion, moved, tolerance)
        restarts, settled = restarts + 1, snap(criterion, search.minimum.point)
    return _fit(problem, reml, sigma, None, settled, search.ended(restarts))


def refit(fit: LinearMixedFit, y: np.ndarray) -> LinearMixedFit:
    """Fit the same model to another response, starting from the old estimate; only the column of y is formed anew."""
    problem = fit.problem.with_response(y)
    return fit_linear_mixed(problem, fit.reml, fit.fixed_sigma, fit.penalty, off_boundary(fit, LEAST_START))


def off_boundary(fit: LinearMixedFit, least: float) -> np.ndarray:
    """Return the estimated theta with internal standard deviations of at least ``least``, where a search can start."""
    layout = fit.problem.layout
    x = fit.point.x[: layout.size]
    return fit.problem.from_internal @ np.where(layout.is_diagonal, np.maximum(x, least), x)


def _is_zero(problem: LinearMixedProblem, theta: np.ndarray) -> np.ndarray:
    """Entries in a zero column of the canonical Lambda, which are zero in all coordinates."""
    layout = problem.layout
    lambdas = problem.layout.matrices(theta)
    return np.array([lambdas[g][c, c] == 0.0 for g, c in zip(layout.group, layout.column, strict=True)], dtype=bool)


@dataclass(frozen=True)
class _Search:
    """A minimisation and the work done so far."""

    minimum: Minimum
    evaluations: int
    gradients: int

    @classmethod
    def begin(cls, objective: AbstractObjective, first: Point, tolerance: float) -> _Search:
        problem = objective.problem
        size = problem.layout.size
        H = np.eye(len(first.x)) / (4.0 * problem.products.n)
        H[:size, :size] = expected_inverse_hessian(problem, first.x[:size])
        minimum = _minimise(objective, first, H, tolerance)
        return cls(minimum, minimum.evaluations + 1, minimum.gradients + 1)

    def again(self, objective: AbstractObjective, first: Point, tolerance: float) -> _Search:
        other = _Search.begin(objective, first, tolerance)
        best = other.minimum if other.minimum.point.value <= self.minimum.point.value else self.minimum
        return _Search(best, self.evaluations + other.evaluations, self.gradients + other.gradients)

    def ended(self, restarts: int) -> Convergence:
        decrement = self.minimum.decrement
        return Convergence(self.evaluations, self.gradients, decrement, decrement < CONVERGED, restarts, ())


def _minimise(objective: AbstractObjective, first: Point, H: np.ndarray, tolerance: float) -> Minimum:
    """Quasi-Newton; where it stalls before the tolerance, once more from the exact Hessian."""
    minimum = minimise(objective, first, H, tolerance)
    if minimum.decrement <= tolerance:
        return minimum
    values, vectors = np.linalg.eigh(finite_difference_hessian(objective, minimum.point.x))
    values = np.maximum(np.abs(values), 1e-8 * max(np.abs(values).max(), 1.0))
    return minimise(objective, minimum.point, (vectors / values) @ vectors.T, tolerance)


def finite_difference_hessian(objective: AbstractObjective, x: np.ndarray) -> np.ndarray:
    """Return the Hessian by central differences of the exact gradient, ``2 k`` gradients.

    Args:
        objective: whose coordinates are theta, or theta and log sigma.
        x: where.
    """
    rows = []
    for k, length in enumerate(DIFFERENCE * _expected_errors(objective, x)):
        move = np.zeros(len(x))
        move[k] = length
        sides = [objective.evaluate(x + sign * move) for sign in (1.0, -1.0)]
        if any(side is None for side in sides):
            raise ModelError("the curvature of the likelihood cannot be computed at the estimate")
        up, down = (objective.gradient(side) for side in sides if side is not None)
        rows.append((up - down) / (2.0 * move[k]))
    hessian = np.array(rows).reshape(len(x), len(x))
    return (hessian + hessian.T) / 2.0


def _expected_errors(objective: AbstractObjective, x: np.ndarray) -> np.ndarray:
    """Rough standard errors of theta and log sigma: the scale on which the criterion bends."""
    size = objective.problem.layout.size
    theta = np.sqrt(2.0 * np.diagonal(expected_inverse_hessian(objective.problem, x[:size])))
    return np.append(theta, np.full(len(x) - size, np.sqrt(0.5 / objective.problem.products.n)))


def _fit_penalised(
    problem: LinearMixedProblem, reml: bool, sigma: float | None, penalty: Penalty, first: Point, tolerance: float
) -> LinearMixedFit:
    if sigma is None:
        objective: AbstractObjective = JointCriterion(problem, reml, penalty)
        begin = objective.evaluate(np.append(first.x, np.log(first.sigma)))
    else:
        objective = ProfiledCriterion(problem, reml, sigma, penalty)
        begin = objective.evaluate(first.x)
    if begin is None:
        raise ModelError("the penalty is not finite at the start of the search; check the priors")
    search = _Search.begin(objective, begin, tolerance)
    size = problem.layout.size
    rectified = np.append(canonical(problem, search.minimum.point.x[:size]), search.minimum.point.x[size:])
    settled = objective.evaluate(rectified) or search.minimum.point
    return _fit(problem, reml, sigma, penalty, settled, search.ended(0))


def fit_at(
    problem: LinearMixedProblem, reml: bool, sigma: float | None, x: np.ndarray, convergence: Convergence
) -> LinearMixedFit:
    """Return the fit whose search ended at ``x``, coordinates of the criterion; its factorisation is computed again.

    Args:
        problem: the model, from `prepare`.
        reml: whether the REML criterion was minimised.
        sigma: the residual standard deviation where it is known.
        x: ``point.x`` of the fit.
        convergence: how the search ended; the directions without variance are found again.

    Raises:
        ValueError: the criterion cannot be computed there.
    """
    point = ProfiledCriterion(problem, reml, sigma).evaluate(x)
    if point is None:
        raise ValueError("the criterion cannot be computed at the estimate")
    return _fit(problem, reml, sigma, None, point, convergence)


def _fit(
    problem: LinearMixedProblem,
    reml: bool,
    sigma: float | None,
    penalty: Penalty | None,
    point: Point,
    search: Convergence,
) -> LinearMixedFit:
    theta = point.x[: problem.layout.size]
    if np.abs(theta).max(initial=0.0) > LARGEST_RATIO:
        raise ModelError(
            "the residual variance is estimated as zero: the group effects reproduce the response exactly (is it "
            "constant within the levels of a factor?). Give sigma or priors, or leave out a group term"
        )
    convergence = replace(search, singular=singular_directions(problem, theta))
    criterion = deviance(point.factorisation, point.sigma, reml)
    user_theta = np.where(_is_zero(problem, theta), 0.0, problem.from_internal @ theta)
    return LinearMixedFit(
        problem, reml, sigma, penalty, point, user_theta, point.sigma, point.value, criterion, convergence
    )
