"""The check function of quantile regression, on JAX arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
from jax import numpy as jnp

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast

__all__ = ["check_loss"]


@jax.custom_jvp
def check_loss(z: Broadcast, q: Broadcast) -> Broadcast:
    """Return c(z) = q z above 0 and (q - 1) z below.

    Value and slopes are exact. Its curvature, nothing but a point mass at 0, is given as its expectation q (1 - q)
    under the asymmetric Laplace distribution: what asks for it looks for coordinates of a posterior, whose curvature
    this is but for noise.
    """
    return z * jnp.where(z < 0, q - 1.0, q)


@jax.custom_jvp
def _slope(z: Broadcast, q: Broadcast) -> Broadcast:
    return jnp.where(z < 0, q - 1.0, q)


@check_loss.defjvp
def _check_loss_jvp(at: tuple[Any, ...], along: tuple[Any, ...]) -> tuple[Broadcast, Broadcast]:
    z, q = at
    return check_loss(z, q), _slope(z, q) * along[0] + z * along[1]


@_slope.defjvp
def _slope_jvp(at: tuple[Any, ...], along: tuple[Any, ...]) -> tuple[Broadcast, Broadcast]:
    z, q = at
    return _slope(z, q), q * (1.0 - q) * along[0] + (1.0 + 0.0 * z) * along[1]
