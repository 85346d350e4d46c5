"""The normalising constant of the Conway-Maxwell-Poisson distribution on JAX arrays, with its derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
from jax import lax
from jax import numpy as jnp
from jax.scipy.special import gammaln

from bayesml.families.com_poisson_series import log_constant, near_integral, series_mean
from bayesml.families.incomplete import with_gradients

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Elements

__all__ = ["log_mu_of_mean", "log_normalising_constant"]

MOST_TERMS = 50_000
ROUNDING = 1e-17
DEVIATIONS = 12.0
MARGIN = 20.0
MOST_STEPS = 100
CLOSE = 1e-14


def log_normalising_constant(log_mu: Broadcast, nu: Broadcast) -> Broadcast:
    """Return log Z, Z = sum_k (mu^k / k!)^nu: by its series where that is exact, else by the sum."""
    log_mu, nu = jnp.broadcast_arrays(jnp.asarray(log_mu, dtype=float), jnp.asarray(nu, dtype=float))
    by_series = near_integral(log_mu, nu)
    # Each branch is computed at a point where it is finite and short, also for rows that take the other one.
    summed = _log_sum(jnp.where(by_series, 0.0, log_mu), jnp.where(by_series, 1.0, nu))
    series = log_constant(jnp.where(by_series, log_mu, 4.0), jnp.where(by_series, nu, 1.0))
    return jnp.where(by_series, series, summed)


@jax.custom_jvp
def _log_sum(log_mu: Elements, nu: Elements) -> Elements:
    return _moments(log_mu, nu)[0]


@_log_sum.defjvp
def _log_sum_jvp(at: tuple[Elements, Elements], along: tuple[Elements, Elements]) -> tuple[Elements, Elements]:
    """With the probabilities p_k = (mu^k / k!)^nu / Z: d log Z is nu E(k) d log mu + (log mu E(k) - E(log k!)) d nu."""
    (log_mu, nu), (d_log_mu, d_nu) = at, along
    value, count, log_factorial, *_ = _moments(log_mu, nu)
    return value, nu * count * d_log_mu + (log_mu * count - log_factorial) * d_nu


def _moments_forward(log_mu: Elements, nu: Elements) -> tuple[Elements, ...]:
    """Return log Z, E(k), E(log k!), E(k^2) and E(k log k!), by sums over the counts around the modes of all rows."""
    mu = jnp.exp(lax.stop_gradient(log_mu))
    mode = jnp.floor(mu)
    top = nu * (mode * log_mu - gammaln(mode + 1.0))
    reach = DEVIATIONS * jnp.sqrt(mu / lax.stop_gradient(nu)) + MARGIN
    first = jnp.maximum(jnp.floor(jnp.min(mode - reach)), 0.0)

    def add(state: tuple[Elements, ...]) -> tuple[Elements, ...]:
        k, logs, _, *sums = state
        term = jnp.exp(nu * (k * log_mu - logs) - top)
        addends = (term, k * term, logs * term, k * k * term, k * logs * term)
        return (k + 1.0, logs + jnp.log(k + 1.0), term, *(a + b for a, b in zip(sums, addends, strict=True)))

    def goes_on(state: tuple[Elements, ...]) -> Elements:
        k, term, mass = state[0], state[2], state[3]
        unfinished = (k <= mode) | (term * (k + 1.0) > ROUNDING * mass)
        return (k - first < MOST_TERMS) & jnp.any(unfinished)

    zero = jnp.zeros_like(log_mu)
    start = (first, gammaln(first + 1.0), zero, zero, zero, zero, zero, zero)
    mass, *sums = lax.while_loop(goes_on, add, start)[3:]
    return (top + jnp.log(mass), *(each / mass for each in sums))


_moments = with_gradients(_moments_forward)


@jax.custom_jvp
def log_mu_of_mean(log_mean: Elements, nu: Elements) -> Elements:
    """Return log(mu) of the distribution with a given mean, element by element.

    Newton's method for log E(k) in log(mu), kept between bounds: with nu >= 1 the mean lies between mu - 1 and mu, with
    nu < 1 between the mean mu of a Poisson variable and r / (1 - r), r = mu^nu, of the geometric one.
    """
    mean = jnp.exp(log_mean)
    wide = nu < 1.0
    low = jnp.where(wide, (log_mean - jnp.log1p(mean)) / nu, log_mean)
    high = jnp.where(wide, log_mean, jnp.log1p(mean))
    guess = mean + 0.5 - 0.5 / nu
    start = jnp.where(guess > 0.5, jnp.log(jnp.maximum(guess, 0.5)), jnp.where(wide, low, 0.5 * (low + high)))

    def step(state: tuple[Elements, ...]) -> tuple[Elements, ...]:
        n, at, low, high, _ = state
        found, slope, _ = _mean_and_slopes(at, nu)
        excess = jnp.log(found) - log_mean
        low, high = jnp.where(excess < 0, at, low), jnp.where(excess < 0, high, at)
        newton = at - excess * found / slope
        inside = (newton > low) & (newton < high)
        after = jnp.where(inside, newton, 0.5 * (low + high))
        done = jnp.abs(excess) < CLOSE
        return n + 1.0, jnp.where(done, at, after), low, high, jnp.where(done, 0.0, jnp.abs(after - at))

    def goes_on(state: tuple[Elements, ...]) -> Elements:
        return (state[0] < MOST_STEPS) & jnp.any(state[4] > CLOSE * (1.0 + jnp.abs(state[1])))

    first = jnp.clip(start, low, high)
    return lax.while_loop(goes_on, step, (jnp.asarray(0.0), first, low - 1.0, high + 1.0, jnp.ones_like(first)))[1]


@log_mu_of_mean.defjvp
def _log_mu_jvp(at: tuple[Elements, Elements], along: tuple[Elements, Elements]) -> tuple[Elements, Elements]:
    """From d mean = (d mean / d log mu) d log mu + (d mean / d nu) d nu."""
    (log_mean, nu), (d_log_mean, d_nu) = at, along
    log_mu = log_mu_of_mean(log_mean, nu)
    mean, slope, of_nu = _mean_and_slopes(log_mu, nu)
    return log_mu, (mean * d_log_mean - of_nu * d_nu) / slope


def _mean_and_slopes(log_mu: Elements, nu: Elements) -> tuple[Elements, Elements, Elements]:
    """Return the mean and its derivatives in log(mu) and nu, nu Var(k) and log(mu) Var(k) - Cov(k, log k!)."""
    by_series = near_integral(log_mu, nu)
    _, mean, logs, square, product = _moments(jnp.where(by_series, 0.0, log_mu), jnp.where(by_series, 1.0, nu))
    variance = square - mean * mean
    sums = (mean, nu * variance, log_mu * variance - (product - mean * logs))
    inside = (jnp.where(by_series, log_mu, 4.0), jnp.where(by_series, nu, 1.0))
    one, zero = jnp.ones_like(log_mu), jnp.zeros_like(log_mu)
    of_mu = jax.jvp(_mean_by_series, inside, (one, zero))
    of_nu = jax.jvp(_mean_by_series, inside, (zero, one))
    pairs = zip((*of_mu, of_nu[1]), sums, strict=True)
    first, second, third = (jnp.where(by_series, series, summed) for series, summed in pairs)
    return first, second, third


def _mean_by_series(log_mu: Elements, nu: Elements) -> Elements:
    return series_mean(jnp.exp(log_mu), nu)
