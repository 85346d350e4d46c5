"""Points and weights for expectations of functions of independent standard normal numbers."""

from __future__ import annotations

from itertools import product
from math import ceil

import numpy as np

__all__ = ["normal_points"]

WIDEST_SPACING = 0.9
SPACING = 1.2
REACH = 5.5
NEGLIGIBLE = 1e-10
MOST_DIMENSIONS = 2
MANY = 500


def normal_points(dimensions: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return points ``(points, dimensions)`` and their weights, which sum to 1.

    In one and two dimensions they are the trapezoidal rule. Of functions such as softmax(scale z), whose poles lie pi /
    scale away from the real line, its error with spacing h is exp(-2 pi^2 / (scale h)), and that of the normal density
    itself exp(-2 pi^2 / h^2) (Trefethen and Weideman 2014). With more dimensions they are random, the same each time,
    with their mirror images and the exact second moments.

    Args:
        dimensions: how many numbers.
        scale: the largest factor that such a number has in the function.
    """
    if dimensions > MOST_DIMENSIONS:
        half = np.random.default_rng(0).standard_normal((MANY // 2, dimensions))
        # L^-1 z has the second moments of independent numbers exactly, where L L' are those of the z.
        half = half @ np.linalg.inv(np.linalg.cholesky(half.T @ half / len(half))).T
        return np.concatenate([half, -half]), np.full(MANY, 1.0 / MANY)
    spacing = min(WIDEST_SPACING, SPACING / max(scale, 1e-6))
    steps = ceil(REACH / spacing)
    line = spacing * np.arange(-steps, steps + 1)
    points = np.array(list(product(line, repeat=dimensions)))
    weights = np.exp(-0.5 * np.sum(points**2, axis=1))
    kept = weights > NEGLIGIBLE
    return points[kept], weights[kept] / weights[kept].sum()
