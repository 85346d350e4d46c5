"""Logarithms of both tails of distributions that families share, on JAX arrays; ``(log P(Y <= y), log P(Y > y))``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
from jax import numpy as jnp

from bayesml.families.incomplete import beta_tails, gamma_tails, log1mexp

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast

    Tails = tuple[Broadcast, Broadcast]

__all__ = [
    "binomial_tails",
    "hazard_tails",
    "negative_binomial_tails",
    "normal_tails",
    "of_positive",
    "poisson_tails",
    "student_tails",
]


def normal_tails(z: Broadcast) -> Tails:
    """Return the tails of a standard normal variable at z."""
    z = jnp.asarray(z, dtype=float)
    return jax.scipy.special.log_ndtr(z), jax.scipy.special.log_ndtr(-z)


def student_tails(z: Broadcast, df: Broadcast) -> Tails:
    """Return the tails of a t variable: half of those of a beta variable at df / (df + z^2)."""
    z, df = jnp.broadcast_arrays(jnp.asarray(z, dtype=float), jnp.asarray(df, dtype=float))
    square = jnp.where(z == 0, 1e-290, z**2)
    smaller = beta_tails(df / 2.0, 0.5, df / (df + square), square / (df + square))[0] - jnp.log(2.0)
    larger = jnp.log1p(-jnp.exp(smaller))
    return jnp.where(z < 0, smaller, larger), jnp.where(z < 0, larger, smaller)


def of_positive(y: Broadcast, tails: Callable[[Broadcast], Tails]) -> Tails:
    """Return the tails of a positive variable at any y: nothing lies at or below 0."""
    y = jnp.asarray(y, dtype=float)
    low, high = tails(jnp.where(y > 0, y, 1.0))
    return jnp.where(y > 0, low, -jnp.inf), jnp.where(y > 0, high, 0.0)


def _of_counts(y: Broadcast, tails: Callable[[Broadcast], Tails]) -> Tails:
    """Return the tails of a count at any y: nothing lies below 0."""
    y = jnp.floor(jnp.asarray(y, dtype=float))
    low, high = tails(jnp.maximum(y, 0.0))
    return jnp.where(y < 0, -jnp.inf, low), jnp.where(y < 0, 0.0, high)


def poisson_tails(y: Broadcast, mean: Broadcast) -> Tails:
    """Return the tails of a Poisson count: P(Y <= y) = Q(y + 1, mean)."""
    return _of_counts(y, lambda k: gamma_tails(k + 1.0, mean)[::-1])


def negative_binomial_tails(y: Broadcast, log_mean: Broadcast, shape: Broadcast) -> Tails:
    """Return the tails of a negative binomial count: P(Y <= y) = I_p(shape, y + 1) with p = shape / (shape + mean)."""
    t = log_mean - jnp.log(shape)
    p, rest = jax.nn.sigmoid(-t), jax.nn.sigmoid(t)
    return _of_counts(y, lambda k: beta_tails(shape, k + 1.0, p, rest))


def binomial_tails(y: Broadcast, trials: Broadcast, success: Broadcast, failure: Broadcast) -> Tails:
    """Return the tails of a number of successes: P(Y <= y) = I_(1 - p)(n - y, y + 1)."""

    def below(k: Broadcast) -> Tails:
        some = k < trials
        low, high = beta_tails(jnp.where(some, trials - k, 1.0), k + 1.0, failure, success)
        return jnp.where(some, low, 0.0), jnp.where(some, high, -jnp.inf)

    return _of_counts(y, below)


def hazard_tails(y: Broadcast, log_hazard: Callable[[Broadcast], Broadcast]) -> Tails:
    """Return the tails of a positive variable from the log of its cumulative hazard H: S(y) = exp(-H(y))."""

    def tails(x: Broadcast) -> Tails:
        hazard = jnp.exp(log_hazard(x))
        return log1mexp(-hazard), -hazard

    return of_positive(y, tails)
