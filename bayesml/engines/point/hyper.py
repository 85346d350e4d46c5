"""The covariance of variance and family parameters around a point estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["HyperCovariance", "pseudo_inverse"]

Natural = Callable[[np.ndarray], tuple[tuple[np.ndarray, ...], np.ndarray]]


@final
@dataclass(frozen=True)
class HyperCovariance:
    """What is known about variance and family parameters, in the coordinates of the numerics.

    Attributes:
        center: ``(k,)`` the estimate.
        covariance: ``(k, k)``.
        with_beta: ``(k, p)`` covariances with the coefficients.
        free: ``(k,)`` whether each is free; the others lie on the boundary or are known.
        natural: from coordinates to Lambda of each term and the family parameters on the unbounded scale.
        auxiliary: names of these family parameters.
    """

    center: np.ndarray
    covariance: np.ndarray
    with_beta: np.ndarray
    free: np.ndarray
    natural: Natural
    auxiliary: tuple[str, ...]


def pseudo_inverse(hessian: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return the inverse over the free coordinates, zero elsewhere; directions without curvature are left out."""
    out = np.zeros_like(hessian)
    chosen = np.ix_(free, free)
    if not free.any():
        return out
    values, vectors = np.linalg.eigh(hessian[chosen])
    keep = values > 1e-10 * max(values.max(), 0.0)
    out[chosen] = (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
    return out
