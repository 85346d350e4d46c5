"""The normalising constant of the Conway-Maxwell-Poisson distribution on JAX arrays, with its derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
from jax import lax
from jax import numpy as jnp
from jax.scipy.special import gammaln

from bayesml.families.com_poisson_series import log_constant, near_integral
from bayesml.families.incomplete import with_gradients

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Elements

__all__ = ["log_normalising_constant"]

MOST_TERMS = 50_000
ROUNDING = 1e-17
DEVIATIONS = 12.0
MARGIN = 20.0


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
    value, count, log_factorial = _moments(log_mu, nu)
    return value, nu * count * d_log_mu + (log_mu * count - log_factorial) * d_nu


def _moments_forward(log_mu: Elements, nu: Elements) -> tuple[Elements, Elements, Elements]:
    """Return log Z, E(k) and E(log k!), by sums over the counts around the modes of all rows."""
    mu = jnp.exp(lax.stop_gradient(log_mu))
    mode = jnp.floor(mu)
    top = nu * (mode * log_mu - gammaln(mode + 1.0))
    reach = DEVIATIONS * jnp.sqrt(mu / lax.stop_gradient(nu)) + MARGIN
    first = jnp.maximum(jnp.floor(jnp.min(mode - reach)), 0.0)

    def add(state: tuple[Elements, ...]) -> tuple[Elements, ...]:
        k, log_factorial, _, mass, counts, logs = state
        term = jnp.exp(nu * (k * log_mu - log_factorial) - top)
        after = log_factorial + jnp.log(k + 1.0)
        return k + 1.0, after, term, mass + term, counts + k * term, logs + log_factorial * term

    def goes_on(state: tuple[Elements, ...]) -> Elements:
        k, term, mass = state[0], state[2], state[3]
        unfinished = (k <= mode) | (term * (k + 1.0) > ROUNDING * mass)
        return (k - first < MOST_TERMS) & jnp.any(unfinished)

    zero = jnp.zeros_like(log_mu)
    start = (first, gammaln(first + 1.0), zero, zero, zero, zero)
    _, _, _, mass, counts, logs = lax.while_loop(goes_on, add, start)
    return top + jnp.log(mass), counts / mass, logs / mass


_moments = with_gradients(_moments_forward)
