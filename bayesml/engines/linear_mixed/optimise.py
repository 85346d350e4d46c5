"""Quasi-Newton minimisation that evaluates little: each value of a large crossed model costs a factorisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesml.engines.linear_mixed.criterion import AbstractObjective, Point

__all__ = ["Minimum", "minimise"]

SUFFICIENT = 1e-4
LARGEST_ITERATIONS = 200
LARGEST_STEP = 2.0  # of one coordinate, in units of 1 or of its size
LAST_STEP = 0.1  # below this decrement the quadratic approximation is good enough for one more step without a gradient


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended.

    Attributes:
        point: the best point.
        gradient: one step before it, where the search stopped.
        inverse_hessian: the quasi-Newton approximation.
        evaluations: number of values computed.
        gradients: number of gradients computed.
        decrement: ``sqrt(g' H^-1 g)`` where the search stopped; half its square bounds the distance of the criterion
            from its minimum, and the last step took most of that.
    """

    point: Point
    gradient: np.ndarray
    inverse_hessian: np.ndarray
    evaluations: int
    gradients: int
    decrement: float


def minimise(objective: AbstractObjective, start: Point, inverse_hessian: np.ndarray, tolerance: float) -> Minimum:
    """Minimise by BFGS from an evaluated start.

    The criterion is even in every column of Lambda, so theta needs no bounds: a minimum on the boundary is an
    ordinary stationary point.

    Args:
        objective: value and gradient.
        start: an evaluated point.
        inverse_hessian: a positive definite first guess.
        tolerance: stop when the decrement ``sqrt(g' H^-1 g)`` is below.
    """
    point, H = start, inverse_hessian
    gradient = objective.gradient(point)
    evaluations, gradients = 1, 1
    for _ in range(LARGEST_ITERATIONS):
        step = -H @ gradient
        slope = float(gradient @ step)
        if -slope < tolerance**2:
            break
        excess = float(np.max(np.abs(step) / np.maximum(1.0, np.abs(point.x)))) / LARGEST_STEP
        step, slope = step / max(excess, 1.0), slope / max(excess, 1.0)
        new, used = _search(objective, point, step, slope)
        evaluations += used
        if new is None:
            break
        new_gradient = objective.gradient(new)
        gradients += 1
        H = _update(H, new.x - point.x, new_gradient - gradient)
        point, gradient = new, new_gradient
    decrement = float(np.sqrt(max(gradient @ H @ gradient, 0.0)))
    last = objective.evaluate(point.x - H @ gradient) if decrement < LAST_STEP else None
    if last is not None and last.value <= point.value + _noise(point):
        point = last
    return Minimum(point, gradient, H, evaluations + 1, gradients, decrement)


def _search(objective: AbstractObjective, point: Point, step: np.ndarray, slope: float) -> tuple[Point | None, int]:
    """Shorten the step until the value falls enough, by quadratic interpolation."""
    noise, length = _noise(point), 1.0
    for used in range(1, 30):
        new = objective.evaluate(point.x + length * step)
        if new is not None and new.value <= point.value + SUFFICIENT * length * slope + noise:
            return new, used
        if new is None:
            length *= 0.25
        else:
            curve = new.value - point.value - length * slope
            length *= min(max(-0.5 * length * slope / curve, 0.1), 0.5)
    return None, 29


def _noise(point: Point) -> float:
    """Differences of the criterion below this are rounding."""
    return 1e-13 * (abs(point.value) + 1.0)


def _update(H: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """BFGS update of the inverse Hessian, left out where the curvature along the step is not positive."""
    curvature = float(step @ change)
    if curvature <= 1e-10 * float(np.sqrt((step @ step) * (change @ change))):
        return H
    moved = H @ change
    factor = (1.0 + float(change @ moved) / curvature) / curvature
    cross = np.outer(moved, step) / curvature
    return H + factor * np.outer(step, step) - cross - cross.T
