"""The check function of quantile regression, on JAX arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jax import numpy as jnp

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast

__all__ = ["check_loss"]

SHARPEST = 1e-30
"""Least width, so that the root has a slope at 0; without effect on numbers beyond 1e-22."""


def check_loss(z: Broadcast, q: Broadcast, width: Broadcast = 0.0) -> Broadcast:
    """Return c(z) = q z above 0 and (q - 1) z below, its kink rounded over a width.

    c(z) = q z + (|z| - z) / 2 with sqrt(z^2 + width^2) in the place of |z|: exact at width 0. The curvature, a point
    mass of 1 at 0, is spread out as width^2 / 2 (z^2 + width^2)^(-3/2), whose integral is 1.
    """
    return q * z + 0.5 * (jnp.sqrt(z * z + jnp.maximum(width, SHARPEST) ** 2) - z)
