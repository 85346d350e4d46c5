"""The mode of a density, climbed by damped Newton steps on whatever holds its Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np

__all__ = ["SMALLEST_EIGENVALUE", "Curvature", "climb", "clipped_roots"]

SMALLEST_EIGENVALUE = 0.05
"""Directions in which the density is flatter than this, or curved the wrong way, are left to the sampler."""
ITERATIONS = 40
DECREMENT = 1e-3


class Curvature(Protocol):
    """Minus the Hessian at a point, made positive definite."""

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """Return the Newton step."""


def climb(
    density: Callable[[Any, Any], Any], curvature_at: Callable[[np.ndarray], Any], start: np.ndarray, data: Any
) -> tuple[np.ndarray, Any]:
    """Climb from ``start`` to the mode.

    Args:
        density: ``(q, data) -> log density``.
        curvature_at: returns the curvature at a point.
        start: ``(d,)``.
        data: the second argument of ``density``.

    Returns:
        The mode and the curvature there.

    Raises:
        ArithmeticError: the density has no usable mode near ``start``.
    """
    value_and_gradient = jax.jit(jax.value_and_grad(density))
    q = np.asarray(start, float)
    value, gradient = value_and_gradient(q, data)
    for _ in range(ITERATIONS):
        curvature = curvature_at(q)
        step = curvature.solve(np.asarray(gradient))
        decrement = float(np.asarray(gradient) @ step)
        if decrement < DECREMENT:
            return q, curvature
        q, value, gradient = _advance(value_and_gradient, q, step, float(value), decrement, data)
    return q, curvature_at(q)


def _advance(
    value_and_gradient: Callable[..., Any], q: np.ndarray, step: np.ndarray, value: float, decrement: float, data: Any
) -> tuple[np.ndarray, float, np.ndarray]:
    for halving in range(30):
        length = 0.5**halving
        tried, gradient = value_and_gradient(q + length * step, data)
        if np.isfinite(float(tried)) and float(tried) >= value + 1e-4 * length * decrement:
            return q + length * step, float(tried), np.asarray(gradient)
    raise ArithmeticError("no step from the pilot raises the density")


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
