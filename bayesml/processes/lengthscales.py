"""The default prior of a length-scale, from the distances between places.

It is the inverse gamma distribution with 1% of its mass below the smallest distance and 1% above the largest: a process
that changes faster than the places lie, or more slowly than they reach, cannot be distinguished from other terms.

Source: Betancourt (2017), Robust Gaussian processes in Stan; brms's ``inv_gamma`` prior of class ``lscale``.
"""

from __future__ import annotations

import numpy as np

from bayesml.distributions import Distribution, inv_gamma, normal
from bayesml.lazy import lazy_module
from bayesml.processes.positions import largest_distance, smallest_distance

__all__ = ["default_prior"]

optimize, special = map(lazy_module, ("scipy.optimize", "scipy.special"))

TAIL = 0.01
SMALLEST = 0.01
"""The smallest distance that counts, by the largest."""
FALLBACK = 0.5
DIGITS = 6
LOG_SHAPES = (-4.0, 14.0)
"""Between these lies the logarithm of alpha where there is one."""


def default_prior(points: np.ndarray) -> Distribution:
    """Return the prior for places ``(points, covariates)``; ``normal(0, 0.5)`` where there is no such inverse gamma.

    Its arguments are rounded to six digits behind the point, as in brms.

    Example:
        >>> import numpy as np
        >>> str(default_prior(np.linspace(0.0, 1.0, 101)[:, None]))
        'inv_gamma(1.494197, 0.056607)'
    """
    upper = largest_distance(points)
    lower = smallest_distance(points, SMALLEST * upper)
    ends = [_excess(end, upper / lower) for end in LOG_SHAPES]
    if not ends[0] > 0.0 > ends[1]:
        return normal(0, FALLBACK)
    log_alpha = optimize.brentq(_excess, *LOG_SHAPES, args=(upper / lower,), xtol=1e-14, rtol=1e-14)
    alpha = float(np.exp(log_alpha))
    beta = upper * float(special.gammaincinv(alpha, TAIL))
    return inv_gamma(round(alpha, DIGITS), round(beta, DIGITS)) if beta > 0.1**DIGITS else normal(0, FALLBACK)


def _excess(log_alpha: float, ratio: float) -> float:
    """Return how far the logarithm of the mass below the smallest distance is from that wanted.

    beta is such that the mass above the largest distance is as wanted: with G the distribution function of the gamma
    distribution, P(X > u) = G(beta / u).
    """
    alpha = float(np.exp(log_alpha))
    mass = special.gammaincc(alpha, ratio * special.gammaincinv(alpha, TAIL))
    return float(np.log(max(mass, 1e-300)) - np.log(TAIL))
