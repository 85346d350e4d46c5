"""The normalising constant of the Conway-Maxwell-Poisson distribution where its sum is nearly an integral.

log Z = log sum_k (mu^k / k!)^nu is, with the integral in place of the sum and Stirling's series in place of log k!,
nu mu - (nu - 1) / 2 log(2 pi mu) - log(nu) / 2 + sum_n d_n(nu^2) / (nu mu)^n, an asymptotic series (Gaunt, Iyengar,
Olde Daalhuis and Simsek 2019 give its first terms). Its coefficients are those of the logarithm of E exp(R), where t is
standard normal, s = t / sqrt(nu mu) and R what the exponent has beyond -t^2 / 2 at k = mu (1 + s), in powers of
1 / (nu mu).
"""

from __future__ import annotations

from math import log, pi
from typing import TYPE_CHECKING

from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast

__all__ = ["log_constant", "near_integral", "series_mean", "series_variance"]

LEAST_INFORMATION = 30.0
"""Value of nu mu from which on the terms left out are below 2e-12."""
LEAST_VARIANCE = 1.5
"""Value of mu / nu, nearly the variance, from which on sum and integral differ by exp(-2 pi^2 mu / nu) < 3e-13."""
SERIES = (
    (-1 / 24, 1 / 24),
    (-1 / 48, 1 / 48),
    (-161 / 5760, 17 / 576, -1 / 640),
    (-367 / 5760, 41 / 576, -43 / 5760),
    (-120257 / 580608, 33667 / 138240, -5107 / 138240, 305 / 580608),
    (-39793 / 45360, 37303 / 34560, -3611 / 17280, 4987 / 725760),
    (
        -6389072441 / 1393459200,
        81830645 / 13934592,
        -45075959 / 33177600,
        998141 / 13934592,
        -87983 / 199065600,
    ),
    (
        -993607187 / 34836480,
        8243537 / 217728,
        -8342147 / 829440,
        635009 / 870912,
        -388919 / 34836480,
    ),
    (
        -5048071877071 / 24524881920,
        3145388274757 / 11147673600,
        -6228520591 / 74317824,
        42839559653 / 5573836800,
        -443737409 / 2229534720,
        339849 / 504627200,
    ),
    (
        -9718190078959 / 5748019200,
        1246771561279 / 522547200,
        -25401674807 / 32659200,
        5596907179 / 65318400,
        -1662741499 / 522547200,
        159995659 / 5748019200,
    ),
)
"""Coefficients of d_1, d_2, ... in powers of nu^2."""


def near_integral(log_mu: Broadcast, nu: Broadcast) -> Broadcast:
    """Return where the series is exact to rounding."""
    xp = array_namespace(log_mu, nu)
    log_nu = xp.log(nu)
    return (log_mu + log_nu >= log(LEAST_INFORMATION)) & (log_mu - log_nu >= log(LEAST_VARIANCE))


def log_constant(log_mu: Broadcast, nu: Broadcast) -> Broadcast:
    """Return log Z, in NumPy or JAX."""
    xp = array_namespace(log_mu, nu)
    total = nu * xp.exp(log_mu)
    return total - 0.5 * (nu - 1.0) * (log(2 * pi) + log_mu) - 0.5 * xp.log(nu) + _series(total, nu, 0)


def _series(total: Broadcast, nu: Broadcast, power: int) -> Broadcast:
    """Return sum_n n^power d_n(nu^2) / total^n; ``total`` is nu mu."""
    inverse, square, found = 1.0 / total, nu * nu, 0.0 * total
    for n in range(len(SERIES), 0, -1):
        polynomial = 0.0
        for coefficient in reversed(SERIES[n - 1]):
            polynomial = polynomial * square + coefficient
        found = (found + n**power * polynomial) * inverse
    return found


def series_mean(mu: Broadcast, nu: Broadcast) -> Broadcast:
    """Return the mean, d log Z / d log(mu) / nu, in NumPy or JAX."""
    return mu - (0.5 * (nu - 1.0) + _series(nu * mu, nu, 1)) / nu


def series_variance(mu: Broadcast, nu: Broadcast) -> Broadcast:
    """Return the variance, d mean / d log(mu) / nu."""
    return (mu + _series(nu * mu, nu, 2) / nu) / nu
