"""Dense BFGS with a weak Wolfe line search, for a criterion whose gradient comes with its value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np

from bayesml.engines.generalised_mixed.outer import Evaluation

__all__ = ["Descent", "Minimisable", "minimise"]

TOLERANCE = 1e-9  # of the squared Newton decrement: the criterion is within half of this of its minimum
MOST_ITERATIONS = 500
SUFFICIENT, FLAT_ENOUGH = 1e-4, 0.9  # the constants of the Wolfe conditions
MOST_TRIALS = 25
STALLED, MOST_STALLED = 1e-11, 4  # relative improvements this small, so often in a row, are rounding
NEARLY = 1e-5  # the squared decrement at which a stalled search counts as converged


class Minimisable(Protocol):
    """A criterion that keeps its last mode, or one with fewer coordinates built on it."""

    last: Any

    def at(self, flat: np.ndarray) -> Evaluation:
        """Evaluate value and gradient."""


@final
@dataclass(frozen=True)
class Descent:
    """Where a descent ended.

    Attributes:
        best: the last evaluation.
        inverse: the approximate inverse Hessian there.
        iterations: quasi-Newton steps taken.
        converged: the decrement is below the tolerance.
    """

    best: Evaluation
    inverse: np.ndarray
    iterations: int
    converged: bool


def minimise(criterion: Minimisable, start: Evaluation, inverse: np.ndarray, tolerance: float = TOLERANCE) -> Descent:
    """Minimise by BFGS (Nocedal and Wright 2006, chapter 6; line search of Lewis and Overton 2013).

    Args:
        criterion: what to minimise.
        start: its evaluation at the starting point, finite.
        inverse: positive definite guess of the inverse Hessian there.
        tolerance: stop when ``g'H^-1 g`` is below.
    """
    here, first, stalled = start, inverse, 0
    for iteration in range(MOST_ITERATIONS):
        direction = -inverse @ here.gradient
        slope = float(here.gradient @ direction)
        if -slope <= tolerance:
            return Descent(here, inverse, iteration, True)
        there = _search(criterion, here, direction, slope)
        improved = there is not None and here.value - there.value > STALLED * (1.0 + abs(here.value))
        stalled = 0 if improved else stalled + 1
        if stalled > MOST_STALLED or (there is None and inverse is first):
            return Descent(here, inverse, iteration, -slope <= NEARLY)
        if there is None:
            inverse = first
            continue
        inverse = _update(inverse, there.flat - here.flat, there.gradient - here.gradient)
        here = there
    return Descent(here, inverse, MOST_ITERATIONS, False)


def _search(criterion: Minimisable, here: Evaluation, direction: np.ndarray, slope: float) -> Evaluation | None:
    """Find a step that lowers the criterion enough and along which it has flattened; None where there is none."""
    low, high, step = 0.0, np.inf, 1.0
    rounding = 1e-13 * (1.0 + abs(here.value))
    accepted: Evaluation | None = None
    for _ in range(MOST_TRIALS):
        criterion.last = here.mode  # a trial that went too far is a bad place to start from
        there = criterion.at(here.flat + step * direction)
        if not there.value <= here.value + SUFFICIENT * step * slope + rounding:
            high = step
        elif float(there.gradient @ direction) < FLAT_ENOUGH * slope:
            low, accepted = step, there
        else:
            return there
        step = _between(low, high, step, slope, here.value, there.value) if np.isfinite(high) else 2.0 * low
    return accepted


def _between(low: float, high: float, step: float, slope: float, before: float, after: float) -> float:
    """Interpolate a parabola from the left end where that is still the start, else halve."""
    if low > 0.0 or not np.isfinite(after):
        return 0.5 * (low + high) if low > 0.0 else 0.25 * high
    vertex = -0.5 * slope * step**2 / (after - before - slope * step)
    return float(np.clip(vertex, 0.1 * high, 0.5 * high))


def _update(inverse: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """BFGS update of the inverse Hessian; unchanged where the curvature along the step is not positive."""
    curvature = float(step @ change)
    scaled = inverse @ change
    if curvature <= 1e-12 * np.sqrt(float(change @ scaled)) * np.sqrt(abs(float(step @ step))) or curvature <= 0.0:
        return inverse
    total = (curvature + float(change @ scaled)) / curvature**2
    cross = np.outer(scaled, step) / curvature
    return inverse + total * np.outer(step, step) - cross - cross.T
