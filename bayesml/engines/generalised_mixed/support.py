"""Where the priors of a model have density: a start inside, and a barrier that keeps the search there.

A prior may be cut off at a bound (``exponential(1)``, ``uniform(0, 1)``) on the other side of which the likelihood is
larger. The mode of the posterior is then at the bound, where the gradient is not zero. The search adds
``-2 mu log(distance)`` for every bound and lets mu go to nearly 0 (Nocedal and Wright 2006, section 19.6): the point it
ends at is the bound up to ``2 mu`` over the slope of the criterion there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from bayesml.engines.generalised_mixed.problem import Parameters, PenaltyValue, Problem

__all__ = ["BARRIERS", "SHARES", "Point", "Support", "moved_inside", "users_point"]

Point = tuple[np.ndarray, np.ndarray, np.ndarray]
"""theta, beta and psi in the user's coordinates."""

BARRIERS = (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)
SHARES = (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4, 1e-6)


class Support(Protocol):
    """The bounds of the priors, in the user's coordinates."""

    def inside(self, point: Point, share: float) -> Point:
        """Move what lies outside its bounds inside: ``share`` of the way from the bound to a typical value."""

    def barrier(self, point: Point) -> PenaltyValue:
        """Return minus twice the sum of the logarithms of all distances to bounds; NaN outside of them."""

    def reached(self, before: Point, now: Point) -> tuple[tuple[str, float], ...]:
        """Return what came much nearer to a bound as the barrier was lowered, and the bound: it lies there."""

    def held(self, at_bounds: frozenset[str]) -> np.ndarray:
        """Return the combinations of the coefficients that lie at a bound, ``(r, p)``."""


def users_point(problem: Problem, parameters: Parameters) -> Point:
    """Return parameters in the user's coordinates."""
    return problem.theta(parameters.theta), problem.beta(parameters.gamma), parameters.psi


def moved_inside(problem: Problem, support: Support, start: Parameters, share: float) -> np.ndarray:
    """Return the start as a vector in scaled coordinates, with every parameter inside its bounds."""
    theta, beta, psi = support.inside(users_point(problem, start), share)
    theta = np.linalg.solve(problem.from_internal, theta) if len(theta) else theta
    return np.concatenate([theta, problem.fixed.R @ beta, psi])
