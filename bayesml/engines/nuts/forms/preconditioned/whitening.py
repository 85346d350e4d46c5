"""The mode of a density and the linear map that makes its surroundings a standard normal.

q = mode + A x with A A' = H^-1, H minus the Hessian at the mode, its eigenvalues clipped below at 0.05: directions in
which the density is flatter than that (or curved the wrong way) are left for the sampler's own adaptation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np

__all__ = ["Whitening", "find_whitening"]

SMALLEST_EIGENVALUE = 0.05
ITERATIONS = 40
DECREMENT = 1e-3


@final
@dataclass(frozen=True)
class Whitening:
    """The map x -> mode + factor x."""

    mode: np.ndarray
    factor: np.ndarray


def find_whitening(density: Callable[[Any, Any], Any], start: np.ndarray, data: Any) -> Whitening:
    """Climb to the mode by damped Newton steps and factor the inverse Hessian there.

    Raises:
        ArithmeticError: the density has no usable mode near ``start``.
    """
    value_and_gradient = jax.jit(jax.value_and_grad(density))
    hessian = jax.jit(jax.hessian(density))
    q = np.asarray(start, float)
    value, gradient = value_and_gradient(q, data)
    for _ in range(ITERATIONS):
        eigenvalues, vectors = _eigen(hessian(q, data))
        step = vectors @ ((vectors.T @ np.asarray(gradient)) / eigenvalues)
        decrement = float(np.asarray(gradient) @ step)
        if decrement < DECREMENT:
            return Whitening(q, vectors / np.sqrt(eigenvalues))
        q, value, gradient = _advance(value_and_gradient, q, step, float(value), decrement, data)
    eigenvalues, vectors = _eigen(hessian(q, data))
    return Whitening(q, vectors / np.sqrt(eigenvalues))


def _advance(
    value_and_gradient: Callable[..., Any], q: np.ndarray, step: np.ndarray, value: float, decrement: float, data: Any
) -> tuple[np.ndarray, float, np.ndarray]:
    for halving in range(30):
        length = 0.5**halving
        tried, gradient = value_and_gradient(q + length * step, data)
        if np.isfinite(float(tried)) and float(tried) >= value + 1e-4 * length * decrement:
            return q + length * step, float(tried), np.asarray(gradient)
    raise ArithmeticError("no step from the pilot raises the density")


def _eigen(hessian: Any) -> tuple[np.ndarray, np.ndarray]:
    precision = -np.asarray(hessian)
    if not np.all(np.isfinite(precision)):
        raise ArithmeticError("the Hessian at the pilot is not finite")
    eigenvalues, vectors = np.linalg.eigh(0.5 * (precision + precision.T))
    return np.maximum(eigenvalues, SMALLEST_EIGENVALUE), vectors
