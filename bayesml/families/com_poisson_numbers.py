"""Moments and random numbers of the Conway-Maxwell-Poisson distribution, on NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.families.com_poisson_series import near_integral, series_mean, series_variance
from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast

__all__ = ["draw_com_poisson", "mean_and_variance"]

special = lazy_module("scipy.special")

MOST_TERMS = 50_000
ROUNDING = 1e-16
MOST_PROPOSALS = 10_000


def mean_and_variance(mu: Broadcast, nu: Broadcast) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance: by the series of log Z where it is exact, else by sums."""
    mu, nu = np.broadcast_arrays(np.asarray(mu, dtype=float), np.asarray(nu, dtype=float))
    mean, variance = np.zeros(mu.shape), np.zeros(mu.shape)
    with np.errstate(all="ignore"):
        by_series = near_integral(np.log(mu), nu)
        inside = mu[by_series], nu[by_series]
        mean[by_series], variance[by_series] = series_mean(*inside), series_variance(*inside)
        mean[~by_series], variance[~by_series] = _summed(mu[~by_series], nu[~by_series])
    return mean, variance


def _summed(mu: np.ndarray, nu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance by sums over the distances from the mode, upwards and downwards."""
    log_mu, mode = np.log(mu), np.floor(mu)
    up, down = np.ones_like(mu), np.ones_like(mu)
    mass, first, second = np.ones_like(mu), np.zeros_like(mu), np.zeros_like(mu)
    for j in range(1, MOST_TERMS):
        up = up * np.exp(nu * (log_mu - np.log(mode + j)))
        below = mode - j + 1
        down = np.where(below > 0, down * np.exp(nu * (np.log(np.maximum(below, 1.0)) - log_mu)), 0.0)
        mass, first, second = mass + up + down, first + j * (up - down), second + j * j * (up + down)
        if not np.any(j * j * (up + down) > ROUNDING * mass):
            break
    shift = first / mass
    return mode + shift, second / mass - shift**2


def draw_com_poisson(rng: np.random.Generator, mu: Broadcast, nu: Broadcast) -> np.ndarray:
    """Draw counts by rejection (Benson and Friel 2021).

    Proposals are Poisson counts of mean mu where nu >= 1, and geometric counts of nearly the same mean where nu < 1. A
    proposal k is accepted with probability w(k) / max w, w the ratio of the terms (mu^k / k!)^nu to what proposes.
    """
    mu, nu = np.broadcast_arrays(np.asarray(mu, dtype=float), np.asarray(nu, dtype=float))
    shape, mu, nu = mu.shape, np.ravel(mu), np.ravel(nu)
    drawn, left = np.zeros(mu.shape), np.flatnonzero(mu > 0)
    for _ in range(MOST_PROPOSALS):
        if not left.size:
            break
        k, log_ratio = _proposed(rng, mu[left], nu[left])
        accepted = np.log(rng.random(left.size)) < log_ratio
        drawn[left[accepted]] = k[accepted]
        left = left[~accepted]
    drawn[left] = np.floor(mu[left])  # the distribution is narrower than one in ten thousand proposals could be
    return drawn.reshape(shape)


def _proposed(rng: np.random.Generator, mu: np.ndarray, nu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a proposal for each element, and the log of the probability with which it is accepted."""
    log_mu, wide = np.log(mu), nu < 1.0
    p = 2.0 * nu / (2.0 * mu * nu + 1.0 + nu)
    geometric = np.floor(np.log1p(-rng.random(mu.size)) / np.log1p(-np.where(wide, p, 0.5)))
    k = np.where(wide, geometric, rng.poisson(np.minimum(mu, 1e15)))
    # log w(k) up to a constant: (nu - 1) log(mu^k / k!), or nu log(mu^k / k!) - k log(1 - p)
    slope = np.where(wide, -np.log1p(-np.where(wide, p, 0.5)), 0.0)
    power = np.where(wide, nu, nu - 1.0)
    best = np.floor(mu * np.exp(np.where(wide, slope / nu, 0.0)))

    def log_weight(count: np.ndarray) -> np.ndarray:
        return power * (count * log_mu - special.gammaln(count + 1.0)) + slope * count

    return k, log_weight(k) - log_weight(best)
