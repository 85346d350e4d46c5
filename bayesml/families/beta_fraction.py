"""The distribution function of a beta variable with derivatives of every order, on JAX arrays.

``incomplete.beta_tails`` goes on until nothing changes, in loops that have no derivatives in reverse mode and whose
higher derivatives are nested loops. Here the continued fraction has a fixed depth, so that it is differentiated like
any other expression. With shapes up to 1,000 it has 10 digits, with shapes up to 10,000 seven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jax import lax
from jax import numpy as jnp

from bayesml.families.densities import log_gamma
from bayesml.families.incomplete import log1mexp

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Elements

__all__ = ["log_beta_below"]

DEPTH = 40  # pairs of numerators


def log_beta_below(a: Broadcast, b: Broadcast, x: Broadcast, rest: Broadcast) -> Broadcast:
    """Return log I_x(a, b), the log probability that a beta variable of shapes a and b lies below x.

    By the continued fraction of DLMF 8.17.22, at x or at 1 - x, whichever is below the mean.

    Args:
        a: first shapes, larger than 0.
        b: second shapes, larger than 0.
        x: points between 0 and 1.
        rest: 1 - x, without cancellation.
    """
    a, b, x, rest = jnp.broadcast_arrays(*(jnp.asarray(v, dtype=float) for v in (a, b, x, rest)))
    below = x * (a + b + 2.0) < a + 1.0
    p, r, point = jnp.where(below, a, b), jnp.where(below, b, a), jnp.where(below, x, rest)
    front = a * jnp.log(x) + b * jnp.log(rest) + log_gamma(a + b) - log_gamma(a) - log_gamma(b) - jnp.log(p)
    smaller = jnp.minimum(front - jnp.log(_fraction(p, r, point)), 0.0)
    return jnp.where(below, smaller, log1mexp(jnp.where(below, -1.0, smaller)))


def _fraction(a: Elements, b: Elements, x: Elements) -> Elements:
    """Return 1 + d_1 / (1 + d_2 / (1 + ...)), from the inside."""

    def step(inner: Elements, m: Elements) -> tuple[Elements, None]:
        k = m - 1.0  # whole numbers are added up before a, which may be tiny
        even = m * (b - m) * x / ((a + (2.0 * m - 1.0)) * (a + 2.0 * m))
        odd = -(a + k) * (a + b + k) * x / ((a + 2.0 * k) * (a + (2.0 * k + 1.0)))
        return 1.0 + odd / (1.0 + even / inner), None

    return lax.scan(step, jnp.ones_like(x), jnp.arange(float(DEPTH), 0.0, -1.0))[0]
