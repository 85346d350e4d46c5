"""Kullback-Leibler divergences of distributions that their means decide, as functions of the means.

Of each row ``sum_y p(y) log(p(y) / q(y))``, where p has the mean ``own`` and q the mean ``other``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["binomial_divergence", "normal_divergence", "poisson_divergence"]

Data = Mapping[str, np.ndarray]


def normal_divergence(own: np.ndarray, other: np.ndarray, data: Data) -> np.ndarray:
    """Return (own - other)^2 / 2, that of normal distributions of variance 1."""
    return 0.5 * (own - other) ** 2


def poisson_divergence(own: np.ndarray, other: np.ndarray, data: Data) -> np.ndarray:
    """Return own log(own / other) - own + other."""
    return _times_log(own, other) - own + other


def binomial_divergence(own: np.ndarray, other: np.ndarray, data: Data) -> np.ndarray:
    """Return own log(own / other) + (n - own) log((n - own) / (n - other)), n trials, 1 where the data have none."""
    trials = data.get("trials", np.ones(()))
    return _times_log(own, other) + _times_log(trials - own, trials - other)


def _times_log(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return own log(own / other); 0 where ``own`` is 0."""
    positive = own > 0
    with np.errstate(divide="ignore"):
        return np.where(positive, own * np.log(np.where(positive, own / other, 1.0)), 0.0)
