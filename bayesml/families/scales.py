"""Parameters and links that several families share; link sets as in brms."""

from __future__ import annotations

from math import inf

from bayesml.distributions import beta, gamma, logistic, normal, student_t
from bayesml.families.records import DistributionalParameter

__all__ = [
    "ALPHA",
    "BETA",
    "COUNT_LINKS",
    "KAPPA",
    "NU",
    "PHI",
    "POSITIVE_LINKS",
    "PROBABILITY_LINKS",
    "QUANTILE",
    "REAL_LINKS",
    "SCALE_LINKS",
    "SIGMA",
    "UNBOUNDED_LINKS",
    "mu",
]

REAL_LINKS = (
    "identity", "log", "inverse", "softplus", "squareplus",
    "logit", "probit", "probit_approx", "cloglog", "cauchit", "softit",
)  # fmt: skip
UNBOUNDED_LINKS = ("identity", "log", "inverse", "softplus", "squareplus")
PROBABILITY_LINKS = ("logit", "probit", "probit_approx", "cloglog", "cauchit", "softit", "identity", "log")
COUNT_LINKS = ("log", "identity", "sqrt", "softplus", "squareplus")
POSITIVE_LINKS = ("log", "identity", "inverse", "softplus", "squareplus")
SCALE_LINKS = ("log", "identity", "softplus", "squareplus")

SIGMA = DistributionalParameter("sigma", SCALE_LINKS, (0.0, inf))
NU = DistributionalParameter("nu", ("logm1", "identity"), (1.0, inf), gamma(2, 0.1), normal(2.7, 0.8))
PHI = DistributionalParameter("phi", SCALE_LINKS, (0.0, inf), gamma(0.01, 0.01), student_t(3, 0, 2.5))
ALPHA = DistributionalParameter(
    "alpha", ("identity", "log", "softplus", "squareplus"), (-inf, inf), normal(0, 4), normal(0, 4), typical=0.5
)
BETA = DistributionalParameter("beta", SCALE_LINKS, (0.0, inf), gamma(1, 0.1), normal(1.7, 1.3))
KAPPA = DistributionalParameter("kappa", SCALE_LINKS, (0.0, inf), gamma(2, 0.01), normal(5, 0.8))
QUANTILE = DistributionalParameter(
    "quantile", ("logit", "identity"), (0.0, 1.0), beta(1, 1), logistic(0, 1), typical=0.5
)


def mu(links: tuple[str, ...], lower: float = -inf, upper: float = inf) -> DistributionalParameter:
    """Return the parameter mu, whose priors are scaled by the data."""
    return DistributionalParameter("mu", links, (lower, upper))
