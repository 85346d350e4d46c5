"""Integrals of the normal density beyond its distribution function, in log space and accurate in the tails. JAX only.

R(x) = (1 - Phi(x)) / phi(x) is Mills' ratio, with Phi and phi the standard normal distribution function and density.
"""

from __future__ import annotations

from functools import lru_cache
from math import log, pi
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jax.scipy.special import log_ndtr, ndtr

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast

__all__ = ["log_mills", "log_mills_difference", "log_normal_density", "log_wedge", "nodes_and_weights"]

HALF_LOG_2_PI = 0.5 * log(2.0 * pi)
FAR = 4.0
FRACTION_TERMS = 40


def log_normal_density(x: Broadcast) -> Broadcast:
    """Return log phi(x)."""
    return -0.5 * x**2 - HALF_LOG_2_PI


def log_mills(x: Broadcast) -> Broadcast:
    """Return log R(x), from 4 on by Laplace's continued fraction R(x) = 1 / (x + 1 / (x + 2 / (x + 3 / ...)))."""
    x = jnp.asarray(x, dtype=float)
    far = x > FAR
    large, small = jnp.where(far, x, FAR), jnp.where(far, FAR, x)
    denominator = large
    for k in range(FRACTION_TERMS, 0, -1):
        denominator = large + k / denominator
    return jnp.where(far, -jnp.log(denominator), log_ndtr(-small) - log_normal_density(small))


@lru_cache(maxsize=8)
def nodes_and_weights(edges: tuple[float, ...], points: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of Gauss and Legendre's rule on neighbouring intervals."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    pairs = list(zip(edges, edges[1:], strict=False))
    every = [(a + 0.5 * (b - a) * (nodes + 1.0), 0.5 * (b - a) * weights) for a, b in pairs]
    return np.concatenate([x for x, _ in every]), np.concatenate([w for _, w in every])


def log_mills_difference(a: Broadcast, d: Broadcast) -> Broadcast:
    """Return log(R(a) - R(a + d)) for a >= 0 and d > 0.

    Since R(a) is the integral of exp(-a t - t^2 / 2) over t > 0, the difference is that of the same times
    1 - exp(-d t), which is positive. A large d leaves no cancellation, so that the ratios themselves serve.
    """
    a, d = jnp.broadcast_arrays(jnp.asarray(a, dtype=float), jnp.asarray(d, dtype=float))
    wide = d > 1.0 + a
    near = jnp.where(wide, 1.0, d)
    nodes, weights = nodes_and_weights((0.0, 3.0, 10.0, 40.0), 16)
    scale = lax.stop_gradient(1.0 / (1.0 + a))
    t = scale[..., None] * nodes
    integrand = jnp.exp(-a[..., None] * t - 0.5 * t**2) * -jnp.expm1(-near[..., None] * t)
    integral = jnp.log(scale * (integrand @ weights))
    first = log_mills(a)
    ratio = jnp.minimum(log_mills(jnp.where(wide, a + d, a + 2.0)) - first, -1e-3)
    return jnp.where(wide, first + jnp.log1p(-jnp.exp(ratio)), integral)


@jax.custom_jvp
def log_wedge(h: Broadcast, a: Broadcast) -> Broadcast:
    """Return log P(X > h, Y > a X) of two independent standard normal variables, for h >= 0 and a >= 0.

    In polar coordinates it is the integral of exp(-h^2 / (2 sin(f)^2)) / (2 pi) over angles 0 < f < f0 with
    tan(f0) = 1 / a. Where h is small that has two scales, and Owen's function T serves: P = Q(h) / 2 - T(h, a) with the
    upper tail Q, and T(h, a) + T(a h, 1 / a) = Q(h) / 2 + Q(a h) / 2 - Q(h) Q(a h) (Owen 1956, Annals of Mathematical
    Statistics 27, 1075-1090).
    """
    h, a = jnp.broadcast_arrays(jnp.asarray(h, dtype=float), jnp.asarray(a, dtype=float))
    near = h * jnp.maximum(a, 1.0) < 2.0
    by_angle = _wedge_by_angle(jnp.where(near, 3.0, h), a)
    return jnp.where(near, jnp.log(_wedge_by_owen(jnp.where(near, h, 0.0), jnp.where(near, a, 0.0))), by_angle)


def _wedge_by_angle(h: Broadcast, a: Broadcast) -> Broadcast:
    """Integrate from f0 inwards, over at most 40 lengths in which the integrand falls by 1 / e.

    The exponent less that at f0 is -h^2 / 2 sin(f0 + f) sin(f0 - f) / (sin(f) sin(f0))^2.
    """
    first = jnp.arctan2(1.0, a)
    rate = h**2 * jnp.cos(first) / jnp.sin(first) ** 3 + h / jnp.sin(first) ** 2
    nodes, weights = nodes_and_weights((0.0, 2.0, 6.0, 14.0, 26.0, 40.0), 16)
    step = jnp.minimum(first / 40.0, 1.0 / rate)[..., None]
    t, first = step * nodes, first[..., None]
    f = first - t
    exponent = -0.5 * h[..., None] ** 2 * jnp.sin(first + f) * jnp.sin(t) / (jnp.sin(f) * jnp.sin(first)) ** 2
    return jnp.log((jnp.exp(exponent) @ weights) * step[..., 0] / (2.0 * pi)) - 0.5 * h**2 * (1.0 + a**2)


def _wedge_by_owen(h: Broadcast, a: Broadcast) -> Broadcast:
    steep = a > 1.0
    height, slope = jnp.where(steep, a * h, h), jnp.where(steep, 1.0 / jnp.where(steep, a, 1.0), a)
    nodes, weights = nodes_and_weights((0.0, 1.0), 24)
    x = slope[..., None] * nodes
    owen = (jnp.exp(-0.5 * height[..., None] ** 2 * (1.0 + x**2)) / (1.0 + x**2)) @ weights * slope / (2.0 * pi)
    return jnp.where(steep, owen - ndtr(-a * h) * (0.5 - ndtr(-h)), 0.5 * ndtr(-h) - owen)


@log_wedge.defjvp
def _log_wedge_jvp(at: tuple[Any, ...], along: tuple[Any, ...]) -> tuple[Broadcast, Broadcast]:
    """The slopes are -phi(h) Q(a h) in h and -exp(-h^2 (1 + a^2) / 2) / (2 pi (1 + a^2)) in a."""
    h, a = at
    value = log_wedge(h, a)
    in_h = -jnp.exp(log_normal_density(h) + log_ndtr(-a * h) - value)
    in_a = -jnp.exp(-0.5 * h**2 * (1.0 + a**2) - value) / (2.0 * pi * (1.0 + a**2))
    return value, in_h * along[0] + in_a * along[1]
