"""A NumPyro distribution restricted to an interval; a module of its own, since it imports NumPyro."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

import jax
import numpy as np
import numpyro.distributions as dist
from jax import lax
from jax import numpy as jnp
from numpyro.distributions import constraints

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Elements

__all__ = ["Bounded"]

FARTHEST = 80.0  # largest unbounded coordinate; exp(80) does not overflow in single precision
HALVINGS = 60


@final
class Bounded(dist.Distribution):
    """A distribution on (low, high) with the density of ``base_dist`` divided by its mass there.

    NumPyro can truncate symmetric distributions only, and computes the mass in every evaluation of the density, which
    for a Student t distribution is an incomplete beta function. Here the mass is a number that is computed once.

    Args:
        base_dist: any continuous distribution of scalars that has a cdf.
        low: lower bounds, -inf for none.
        high: upper bounds, inf for none.
        log_mass: log of P(low < X < high) under ``base_dist``.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_data_fields = ("base_dist", "low", "high", "log_mass")
    pytree_aux_fields = ("has_low", "has_high")

    def __init__(
        self,
        base_dist: dist.Distribution,
        low: Broadcast,
        high: Broadcast,
        log_mass: Broadcast,
        *,
        validate_args: Any = None,
    ) -> None:
        """Note which of the bounds are finite, which must be the same for all elements."""
        self.base_dist, self.low, self.high, self.log_mass = base_dist, low, high, log_mass
        self.has_low, self.has_high = bool(np.all(np.isfinite(low))), bool(np.all(np.isfinite(high)))
        shape = np.broadcast_shapes(base_dist.batch_shape, np.shape(low), np.shape(high))
        dist.Distribution.__init__(self, shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        """The interval."""
        if self.has_low and self.has_high:
            return constraints.interval(self.low, self.high)
        if self.has_high:
            return constraints.less_than(self.high)
        return constraints.greater_than(self.low) if self.has_low else constraints.real

    def log_prob(self, value: Broadcast) -> Broadcast:
        """Return the log density inside the interval."""
        return self.base_dist.log_prob(value) - self.log_mass

    def cdf(self, value: Broadcast) -> Broadcast:
        """Return P(X <= value) for values inside the interval."""
        below = self.base_dist.cdf(self.low) if self.has_low else 0.0
        return (self.base_dist.cdf(value) - below) * jnp.exp(-self.log_mass)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Elements:
        """Draw by inverting the cdf with bisection in unbounded coordinates."""
        shape = sample_shape + self.batch_shape
        target = jax.random.uniform(key, shape)

        def halve(_: int, bracket: tuple[Elements, Elements]) -> tuple[Elements, Elements]:
            left, right = bracket
            middle = (left + right) / 2
            is_left = self.cdf(self._value(middle)) < target
            return jnp.where(is_left, middle, left), jnp.where(is_left, right, middle)

        start = jnp.full(shape, -FARTHEST), jnp.full(shape, FARTHEST)
        left, right = lax.fori_loop(0, HALVINGS, halve, start)
        return self._value((left + right) / 2)

    def _value(self, t: Elements) -> Elements:
        """Map the real line onto the interval with an increasing function."""
        if self.has_low and self.has_high:
            return self.low + (self.high - self.low) * jax.nn.sigmoid(t)
        return self.low + jnp.exp(t) if self.has_low else self.high - jnp.exp(-t)
