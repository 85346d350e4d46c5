"""Log densities that families share, on JAX arrays. Imported only when a density is computed.

Count densities are parametrised by logarithms of their mean, so that neither the density nor its gradient turns into
inf or NaN at linear predictors far from 0. None leaves out a constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
from jax import numpy as jnp
from jax.scipy.special import gammaln, xlogy

from bayesml.families.rising import digamma_rising, log_rising, stirling, stirling_slope
from bayesml.links.elementary import softplus

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int

    from bayesml.shapes import Broadcast

__all__ = [
    "beta",
    "binomial",
    "gamma",
    "log_gamma",
    "log_pochhammer",
    "logit_binomial",
    "negative_binomial",
    "normal",
    "poisson",
    "poisson_of_log",
    "student_t",
]

ROUNDING = 1e-12
HALF_LOG_2_PI = 0.9189385332046727


@jax.custom_jvp
def log_gamma(x: Broadcast) -> Broadcast:
    """Return log Gamma(x) for x > 0, with value and derivatives many times faster than ``gammaln`` and its own.

    Stirling's series at z = x + 8, where its first term left out is below 1e-14, and the recurrence back to x:
    log Gamma(x) = log Gamma(z) - log(x (x + 1) ... (x + 7)), with the product taken of ratios to z so that it cannot
    overflow (Abramowitz and Stegun 6.1.15 and 6.1.41).
    """
    z = x + 8.0
    inverse = 1.0 / z
    ratios = x * inverse
    for k in range(1, 8):
        ratios = ratios * ((x + k) * inverse)
    return (x - 0.5) * jnp.log(z) - z + HALF_LOG_2_PI + stirling(z) - jnp.log(ratios)


@log_gamma.defjvp
def _log_gamma_jvp(at: tuple[Any, ...], along: tuple[Any, ...]) -> tuple[Broadcast, Broadcast]:
    return log_gamma(at[0]), _digamma(at[0]) * along[0]


def _digamma(x: Broadcast) -> Broadcast:
    """Return the derivative of ``log_gamma``, by the same series and recurrence (6.3.6 and 6.3.18).

    Of the terms 1 / (x + k) each of the first four is added to its mirror image. Higher derivatives of such a sum stay
    sums, while those of the product above grow with its length.
    """
    z, recurrence = x + 8.0, 0.0
    for k in range(4):
        recurrence = recurrence + (2.0 * x + 7.0) / ((x + k) * (x + 7.0 - k))
    return jnp.log(z) - 0.5 / z + stirling_slope(z) - recurrence


@jax.custom_jvp
def rising(s: Broadcast, y: Broadcast) -> Broadcast:
    """Return ``log_rising(s, y)``, whose derivatives are those of sums too."""
    return log_rising(s, y)


rising.defjvps(
    lambda ds, _, s, y: digamma_rising(s, y) * ds,
    lambda dy, _, s, y: (_digamma(s + y) - jnp.log(s)) * dy,
)


def log_pochhammer(s: Broadcast, log_s: Broadcast, y: Broadcast) -> Broadcast:
    """Return log(s (s + 1) ... (s + y - 1)) for whole y, from s and log(s), so that s may underflow to 0.

    For y > 0 it is log(s) + log Gamma(1 + s + n) - log Gamma(1 + s) with n = y - 1. ``rising`` leaves out
    n log(1 + s), which is small beside the other terms where s is small and exact where it is large.
    """
    others = jnp.maximum(y - 1.0, 0.0)
    rest = others * jnp.log1p(s) + rising(1.0 + s, others)
    return _times(1.0 * (y > 0), log_s) + rest


def normal(y: Broadcast, mean: Broadcast, scale: Broadcast) -> Broadcast:
    """Return log N(y; mean, scale^2)."""
    return -0.5 * ((y - mean) / scale) ** 2 - jnp.log(jnp.sqrt(2 * jnp.pi) * scale)


def student_t(y: Broadcast, df: Broadcast, location: Broadcast, scale: Broadcast) -> Broadcast:
    """Return the log density of location + scale t with t of ``df`` degrees of freedom."""
    constant = jnp.log(scale) + 0.5 * jnp.log(df) + 0.5 * jnp.log(jnp.pi)
    constant = constant + log_gamma(0.5 * df) - log_gamma(0.5 * (df + 1.0))
    return -0.5 * (df + 1.0) * jnp.log1p(((y - location) / scale) ** 2.0 / df) - constant


def gamma(y: Broadcast, shape: Broadcast, rate: Broadcast) -> Broadcast:
    """Return the log density of the gamma distribution of mean shape / rate."""
    return (shape - 1) * jnp.log(y) - rate * y - (log_gamma(shape) - shape * jnp.log(rate))


def beta(y: Broadcast, a: Broadcast, b: Broadcast) -> Broadcast:
    """Return (a - 1) log y + (b - 1) log(1 - y) - log B(a, b)."""
    constant = log_gamma(a + b) - log_gamma(a) - log_gamma(b)
    return constant + (a - 1) * jnp.log(y) + (b - 1) * jnp.log1p(-y)


def poisson(y: Broadcast, mean: Broadcast) -> Broadcast:
    """Return y log(mu) - mu - log(y!); NaN at a negative mean, which the link identity allows."""
    mean = jnp.where(mean < 0, jnp.nan, mean)
    return xlogy(y, mean) - gammaln(y + 1.0) - mean


def poisson_of_log(y: Broadcast, log_mean: Broadcast) -> Broadcast:
    """Return the same from log(mu)."""
    return y * log_mean - jnp.exp(log_mean) - gammaln(y + 1.0)


def logit_binomial(y: Broadcast, logit: Broadcast, trials: Broadcast) -> Broadcast:
    """Return y eta - n log(1 + e^eta), without the binomial coefficient."""
    return y * logit - trials * softplus(logit)


def binomial(y: Broadcast, log_success: Broadcast, log_failure: Broadcast, trials: Broadcast) -> Broadcast:
    """Return y log p + (n - y) log(1 - p), without the binomial coefficient.

    It is -inf where a probability exceeds 1, as the links log and identity let it.
    """
    log_prob = _times(y, log_success) + _times(trials - y, log_failure)
    return possible(log_success, log_failure, log_prob)


def log_choose(n: Broadcast, k: Broadcast) -> Broadcast:
    """Return the log of the binomial coefficient."""
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)


def log_arrangements(counts: Broadcast, total: Broadcast) -> Broadcast:
    """Return log n! - sum log y_k! of counts ``(..., columns)`` that sum to n."""
    return gammaln(total + 1.0) - jnp.sum(gammaln(counts + 1.0), axis=-1)


def possible(log_success: Broadcast, log_failure: Broadcast, log_prob: Broadcast) -> Broadcast:
    """Return ``log_prob``, -inf where a probability exceeds 1, as the links log and identity let it."""
    outside = (log_success > ROUNDING) | (log_failure > ROUNDING)
    return jnp.where(outside, -jnp.inf, log_prob)


def _times(weight: Broadcast, log_value: Broadcast) -> Broadcast:
    """Return weight * log_value, 0 where weight is 0 even if the log is -inf; its gradient likewise."""
    return jnp.where(weight == 0, 0.0, weight * jnp.where(weight == 0, 0.0, log_value))


def negative_binomial(
    y: Broadcast,
    log_mean: Broadcast,
    shape: Broadcast,
    distinct: Float[Array, " distinct"] | None = None,
    place: Int[Array, " rows"] | None = None,
) -> Broadcast:
    """Return the log density of counts with mean mu and variance mu + mu^2 / shape, from log(mu).

    Args:
        y: the counts.
        log_mean: log of the mean.
        shape: the shape.
        distinct: the distinct counts; used where the shape is a single number.
        place: place of each row's count among them.
    """
    repeated = distinct is not None and not jnp.ndim(shape)
    total = _rising_at(shape, distinct, place) if repeated else rising(shape, y)
    choose = total - gammaln(y + 1.0)
    return choose + y * log_mean - (y + shape) * softplus(log_mean - jnp.log(shape))


@jax.custom_jvp
def _rising_at(
    shape: Float[Array, ""], distinct: Float[Array, " distinct"], place: Int[Array, " rows"]
) -> Float[Array, " rows"]:
    """Return ``log_rising(shape, distinct)[place]``, whose gradient in shape is a scalar product, without a scatter."""
    return log_rising(shape, distinct)[place]


@_rising_at.defjvp
def _rising_at_jvp(at: tuple[Any, ...], along: tuple[Any, ...]) -> tuple[Float[Array, " rows"], Float[Array, " rows"]]:
    shape, distinct, place = at
    slopes = digamma_rising(shape, distinct)
    return log_rising(shape, distinct)[place], slopes[place] * along[0]
