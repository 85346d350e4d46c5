"""The mode of a density, climbed by damped Newton steps on whatever holds its Hessian.

One compiled function serves throughout, the density with its gradient: products of the Hessian with vectors are
differences of gradients. A map built from slightly wrong ones is as exact as any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

__all__ = ["SMALLEST_EIGENVALUE", "Curvature", "Evaluate", "climb", "clipped_roots", "hessian_products"]

SMALLEST_EIGENVALUE = 0.05
"""Directions in which the density is flatter than this, or curved the wrong way, are left to the sampler."""
ITERATIONS = 60
DECREMENT = 1e-3
SLOW = 0.25
"""A curvature serves for further steps as long as each brings the decrement below this share of the one before."""
DIFFERENCE = 1e-3
"""Distance of the two gradients whose difference is a product with the Hessian; coordinates are of unit size.

The error of a difference of smooth gradients is some 1e-6 of it. Those of exact processes have rounding errors of 1e-6,
which a shorter distance would blow up."""

Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""``x -> (log density, gradient)``."""


class Curvature(Protocol):
    """Minus the Hessian at a point, made positive definite."""

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """Return the Newton step."""


Held = TypeVar("Held", bound=Curvature)


def climb(evaluate: Evaluate, curvature_at: Callable[[np.ndarray], Held], start: np.ndarray) -> tuple[np.ndarray, Held]:
    """Climb from ``start`` to the mode.

    Args:
        evaluate: the log density and its gradient.
        curvature_at: returns the curvature at a point.
        start: ``(d,)``.

    Returns:
        The mode and the curvature there.

    Raises:
        ArithmeticError: the density has no usable mode near ``start``.
    """
    x = np.asarray(start, float)
    value, gradient = evaluate(x)
    curvature, is_here, before = curvature_at(x), True, np.inf
    for _ in range(ITERATIONS):
        step = curvature.solve(gradient)
        decrement = float(gradient @ step)
        if decrement < DECREMENT and is_here:
            return x, curvature
        if not is_here and (decrement < DECREMENT or decrement > SLOW * before):
            curvature, is_here = curvature_at(x), True
            continue
        x, value, gradient = _advance(evaluate, x, step, value, decrement)
        is_here, before = False, decrement
    return x, curvature_at(x)


def _advance(
    evaluate: Evaluate, x: np.ndarray, step: np.ndarray, value: float, decrement: float
) -> tuple[np.ndarray, float, np.ndarray]:
    for halving in range(30):
        length = 0.5**halving
        tried, gradient = evaluate(x + length * step)
        if np.isfinite(tried) and tried >= value + 1e-4 * length * decrement:
            return x + length * step, tried, gradient
    raise ArithmeticError("no step from the pilot raises the density")


def hessian_products(evaluate: Evaluate, x: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return minus the Hessian at ``x`` times each row of ``directions``, by central differences of gradients."""
    products = np.empty_like(directions)
    for row, direction in enumerate(directions):
        ahead, behind = (evaluate(x + sign * DIFFERENCE * direction)[1] for sign in (1.0, -1.0))
        products[row] = (behind - ahead) / (2.0 * DIFFERENCE)
    return products


def clipped_roots(precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``V / sqrt(lambda)`` and ``lambda`` of symmetric matrices ``(..., d, d)``, eigenvalues clipped below.

    Raises:
        ArithmeticError: an entry is not finite.
    """
    if not np.all(np.isfinite(precision)):
        raise ArithmeticError("the Hessian at the pilot is not finite")
    eigenvalues, vectors = np.linalg.eigh(0.5 * (precision + np.swapaxes(precision, -1, -2)))
    eigenvalues = np.maximum(eigenvalues, SMALLEST_EIGENVALUE)
    return vectors / np.sqrt(eigenvalues)[..., None, :], eigenvalues
