"""Are ranks uniform? The simultaneous confidence bands of the empirical distribution function, exact.

Saeilynoja, Buerkner & Vehtari (2022), Graphical test for discrete uniformity and its applications in goodness-of-fit
evaluation and multiple sample comparison. Statistics and Computing 32, 32. Of N independent ranks uniform on 0, ..., L,
the number C_k that are at most k is binomial(N, (k + 1) / (L + 1)). The band of level gamma holds every C_k between
its gamma / 2 and 1 - gamma / 2 quantiles; the probability that all C_k stay inside is a recursion over the Markov chain
C_0, C_1, ... (their section 2.2). The p-value of a sample is one minus that probability for the widest band that the
sample leaves, so that "p-value below alpha" is "outside the simultaneous band of level alpha".
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

__all__ = ["band", "outside_probability", "p_value", "pointwise_level"]


def pointwise_level(ranks: np.ndarray, most: int) -> float:
    """Return the smallest two-sided pointwise tail probability over the evaluation points.

    Args:
        ranks: whole numbers in 0, ..., ``most``.
        most: L, the number of posterior draws that each rank was taken among.
    """
    below, points = _counts(ranks, most), _points(most)
    lower = binom.cdf(below, len(ranks), points)
    upper = binom.sf(below - 1, len(ranks), points)
    return float(min(1.0, 2.0 * np.minimum(lower, upper).min()))


def p_value(ranks: np.ndarray, most: int) -> float:
    """Return the probability that uniform ranks stray at least as far from the diagonal, somewhere, as these do."""
    # A tail probability that equals gamma / 2 is as far out as the sample: the band must not contain it.
    return outside_probability(pointwise_level(ranks, most) * (1.0 + 1e-9), len(ranks), most)


def outside_probability(gamma: float, n: int, most: int) -> float:
    """Return the probability that uniform ranks leave the band of pointwise level ``gamma`` at least once.

    Args:
        gamma: counts whose tail probability is at most ``gamma / 2`` lie outside.
        n: N, the number of ranks.
        most: L.
    """
    lower, upper = band(gamma, n, most)
    points = np.concatenate([[0.0], _points(most)])
    counts, inside = np.array([0]), np.array([1.0])
    for k in range(most):
        step = (points[k + 1] - points[k]) / (1.0 - points[k])
        following = np.arange(lower[k], upper[k] + 1)
        moves = following[:, None] - counts
        inside = binom.pmf(moves, n - counts, step) @ inside
        counts = following
    return float(np.clip(1.0 - inside.sum(), 0.0, 1.0))


def band(gamma: float, n: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest count inside the band at each evaluation point, ``(L,)`` each."""
    points = _points(most)
    lower = binom.ppf(0.5 * gamma, n, points).astype(int)
    lower = np.where(binom.cdf(lower, n, points) <= 0.5 * gamma, lower + 1, lower)
    upper = binom.isf(0.5 * gamma, n, points).astype(int)
    upper = np.where(binom.sf(upper - 1, n, points) <= 0.5 * gamma, upper - 1, upper)
    return lower, upper


def _points(most: int) -> np.ndarray:
    """Return P(rank <= k) for k = 0, ..., L - 1; all ranks are at most L."""
    return np.arange(1, most + 1) / (most + 1)


def _counts(ranks: np.ndarray, most: int) -> np.ndarray:
    return np.cumsum(np.bincount(np.asarray(ranks), minlength=most + 1))[:most]
