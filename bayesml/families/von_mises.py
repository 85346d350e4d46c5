"""The von Mises family of directions, angles in radians from -pi to pi."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import student_t
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import numbers, require, require_variation
from bayesml.families.scales import KAPPA

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "VonMises", "von_mises"]

MU = DistributionalParameter(
    "mu", ("tan_half", "identity"), (-pi, pi), intercept_prior=student_t(1, 0, 1), prior_link="tan_half"
)
ROUNDING = 1e-9


@final
@dataclass(frozen=True)
class VonMises(AbstractSimpleFamily):
    """p(y) = exp(kappa cos(y - mu)) / (2 pi I_0(kappa)) on -pi <= y <= pi, with mean direction mu."""

    name: ClassVar[str] = "von_mises"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (MU, KAPPA)
    traits: ClassVar[Traits] = Traits(continuous=(-pi, pi), has_cdf=True)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take angles from -pi to pi that are not all equal."""
        y = numbers(response, self.name)
        cure = "Angles are in radians; of larger ones subtract 2 pi until they lie in the range."
        require(response, y, np.abs(y) <= pi + ROUNDING, "must lie between -pi and pi", cure)
        if for_fit:
            require_variation(response, y)
        return ResponseData({"y": y})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return -2 kappa sin((y - mu) / 2)^2 - log(2 pi exp(-kappa) I_0(kappa))."""
        from jax import numpy as jnp

        return -2.0 * values["kappa"] * jnp.sin(0.5 * (y - values["mu"])) ** 2 - _log_constant(values["kappa"])

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(-pi <= response <= y) and log P(y < response <= pi), by numerical integration."""
        from jax import numpy as jnp

        mean, kappa = values["mu"], values["kappa"]
        inside = jnp.clip(y, -pi, pi)
        constant = _log_constant(kappa)
        below = _log_arc(-pi - mean, inside - mean, kappa) - constant
        above = _log_arc(inside - mean, pi - mean, kappa) - constant
        return jnp.where(y <= -pi, -jnp.inf, below), jnp.where(y >= pi, -jnp.inf, above)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the mean direction mu; the mean of the number y depends on where the circle is cut open."""
        return parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the mean square of the angle between a response and mu, by numerical integration."""
        kappa = np.asarray(parameters["kappa"], dtype=float)[..., None]
        nodes, weights = np.polynomial.legendre.leggauss(100)
        angle = np.minimum(pi, 12.0 / np.sqrt(np.maximum(kappa, 1e-300))) * 0.5 * (nodes + 1.0)
        density = np.exp(-2.0 * kappa * np.sin(0.5 * angle) ** 2) * weights
        return (density * angle**2).sum(axis=-1) / density.sum(axis=-1) + 0.0 * parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw angles from -pi to pi, by Best and Fisher (1979) in NumPy."""
        size = np.broadcast_shapes(np.shape(parameters["mu"]), np.shape(parameters["kappa"]))
        return rng.vonmises(parameters["mu"], parameters["kappa"], size)


def _log_constant(kappa: Broadcast) -> Broadcast:
    """Return log(2 pi exp(-kappa) I_0(kappa))."""
    from jax import numpy as jnp
    from jax.scipy.special import i0e

    return jnp.log(2.0 * pi * i0e(kappa))


def _log_arc(start: Broadcast, end: Broadcast, kappa: Broadcast) -> Broadcast:
    """Return the log of the integral of exp(-2 kappa sin(t / 2)^2) over start < t < end, from -2 pi to 2 pi.

    The integrand is even and has the period 2 pi, so that each of four pieces is moved to one in [0, pi], where it
    falls.
    """
    from jax import numpy as jnp
    from jax.scipy.special import logsumexp

    pieces = []
    for lower, sign, shift in ((-2.0 * pi, 1.0, 2.0 * pi), (-pi, -1.0, 0.0), (0.0, 1.0, 0.0), (pi, -1.0, 2.0 * pi)):
        low, high = jnp.clip(start, lower, lower + pi), jnp.clip(end, lower, lower + pi)
        ends = (sign * low + shift, sign * high + shift)
        pieces.append(_log_piece(*(ends if sign > 0 else ends[::-1]), kappa))
    return logsumexp(jnp.stack(jnp.broadcast_arrays(*pieces)), axis=0)


def _log_piece(low: Broadcast, high: Broadcast, kappa: Broadcast) -> Broadcast:
    """Integrate from low to high in [0, pi], over at most 40 lengths in which the integrand falls by 1 / e."""
    from jax import lax
    from jax import numpy as jnp

    from bayesml.families.normal_integrals import nodes_and_weights

    low, high, kappa = jnp.broadcast_arrays(low, high, kappa)
    some = high > low
    length = jnp.where(some, high - low, 1.0)
    scale = lax.stop_gradient(1.0 / (kappa * jnp.sin(low) + jnp.sqrt(kappa) + 1e-300))
    step = jnp.minimum(length / 40.0, scale)[..., None]
    nodes, weights = nodes_and_weights((0.0, 3.0, 10.0, 40.0), 16)
    t = step * nodes
    exponent = -2.0 * kappa[..., None] * jnp.sin(low[..., None] + 0.5 * t) * jnp.sin(0.5 * t)
    exponent = jnp.where(some[..., None], exponent, 0.0)
    total = jnp.log((jnp.exp(exponent) @ weights) * step[..., 0]) - 2.0 * kappa * jnp.sin(0.5 * low) ** 2
    return jnp.where(some, total, -1e30)


def von_mises(link: str = "tan_half", link_kappa: str = "log") -> VonMises:
    """Return the von Mises family, for directions and times of day as angles from -pi to pi.

    Args:
        link: link of the mean direction mu; tan_half is tan(mu / 2).
        link_kappa: link of the concentration kappa, where it has a formula.
    """
    return VonMises.with_links(link, link_kappa)


EXAMPLE = Example(
    von_mises(),
    y=(-2.5, 0.1, 2.9),
    parameters={"mu": 0.0, "kappa": 1.7},
    log_density=(-3.8225271317551757, -0.7690759043527449, -4.111211866079692),
    source="SciPy 1.17.1: vonmises(1.7).logpdf(y)",
    support=(-pi, pi),
)
