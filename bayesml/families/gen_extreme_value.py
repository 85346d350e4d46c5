"""The generalised extreme value family of maxima: Gumbel, Frechet and reversed Weibull in one."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, pi
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import normal
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.gaussian import encode_real
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.scales import SIGMA, UNBOUNDED_LINKS, mu
from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "GeneralisedExtremeValue", "gen_extreme_value"]

special = lazy_module("scipy.special")

XI = DistributionalParameter("xi", ("log1p", "identity"), (-inf, inf), normal(0, 2.5), normal(0, 4), typical=0.05)
EULER = 0.5772156649015329
NEAR_ZERO = 1e-2
SERIES = 9


@final
@dataclass(frozen=True)
class GeneralisedExtremeValue(AbstractSimpleFamily):
    """P(y) = exp(-exp(-s)) with s = log(1 + xi z) / xi and z = (y - mu) / sigma, where 1 + xi z > 0; s = z at xi = 0.

    mu is the location, not the mean. Responses have an upper bound where xi < 0, a lower one where xi > 0; there is a
    mean where xi < 1 and a variance where xi < 1/2.
    """

    name: ClassVar[str] = "gen_extreme_value"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(UNBOUNDED_LINKS), SIGMA, XI)
    traits: ClassVar[Traits] = Traits(has_cdf=True, continuous=(-inf, inf))

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take finite numbers that are not all equal."""
        return encode_real(response, self.name, for_fit)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return -log sigma - (1 + xi) s - exp(-s); -inf outside of the bounds."""
        from jax import numpy as jnp

        s, inside, _ = _reduced(y, values)
        return jnp.where(inside, -jnp.log(values["sigma"]) - (1.0 + values["xi"]) * s - jnp.exp(-s), -jnp.inf)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from jax import numpy as jnp

        from bayesml.families.incomplete import log1mexp

        s, inside, beyond = _reduced(y, values)
        below = -jnp.exp(-s)
        outside = jnp.where(beyond, 0.0, -jnp.inf), jnp.where(beyond, -jnp.inf, 0.0)
        return jnp.where(inside, below, outside[0]), jnp.where(inside, log1mexp(below), outside[1])

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu + sigma (Gamma(1 - xi) - 1) / xi, infinite for xi >= 1."""
        xi = np.asarray(parameters["xi"], dtype=float)
        far = np.abs(xi) > 1e-5
        safe = np.where(far & (xi < 1.0), xi, 0.5)
        # Gamma(1 - xi) = 1 + g xi + (g^2 + pi^2 / 6) xi^2 / 2 + ... with Euler's constant g
        near = EULER + 0.5 * (EULER**2 + pi**2 / 6.0) * xi
        shift = np.where(far, np.expm1(special.gammaln(1.0 - safe)) / safe, near)
        return np.where(xi < 1.0, parameters["mu"] + parameters["sigma"] * shift, inf)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return sigma^2 (Gamma(1 - 2 xi) - Gamma(1 - xi)^2) / xi^2, infinite for xi >= 1/2."""
        xi = np.asarray(parameters["xi"], dtype=float)
        far = np.abs(xi) > 1e-4
        safe = np.where(far & (xi < 0.5), xi, 0.25)
        log_square = 2.0 * special.gammaln(1.0 - safe)
        ratio = np.exp(log_square) * np.expm1(special.gammaln(1.0 - 2.0 * safe) - log_square) / safe**2
        value = parameters["sigma"] ** 2 * np.where(far, ratio, pi**2 / 6.0)
        return np.where(xi < 0.5, value + 0.0 * parameters["mu"], inf)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw mu + sigma (e^-xi - 1) / xi with e standard exponential."""
        mean, sigma, xi = (np.asarray(parameters[name], dtype=float) for name in ("mu", "sigma", "xi"))
        s = -np.log(rng.standard_exponential(np.broadcast_shapes(mean.shape, sigma.shape, xi.shape)))
        small = np.abs(xi) < 1e-12
        safe = np.where(small, 1.0, xi)
        return mean + sigma * np.where(small, s, np.expm1(safe * s) / safe)


def _reduced(y: Observed, values: Values) -> tuple[Broadcast, Broadcast, Broadcast]:
    """Return s, whether a response is possible there, and whether it lies above what is possible."""
    from jax import numpy as jnp

    z, xi = jnp.broadcast_arrays((y - values["mu"]) / values["sigma"], values["xi"])
    v = xi * z
    inside = v > -1.0
    v = jnp.where(inside, v, 0.0)
    near = jnp.abs(v) < NEAR_ZERO
    small, large = jnp.where(near, v, 0.0), jnp.where(near, 1.0, v)
    series = sum((-small) ** k / (k + 1.0) for k in range(SERIES))
    return z * jnp.where(near, series, jnp.log1p(large) / large), inside, xi < 0


def gen_extreme_value(
    link: str = "identity", link_sigma: str = "log", link_xi: str = "log1p"
) -> GeneralisedExtremeValue:
    """Return the generalised extreme value family, for maxima such as yearly floods.

    The default prior of a xi without a formula is that of xi itself. In brms 2.18 it is that of a logit between bounds
    that depend on the responses and on mu and sigma.

    Args:
        link: link of the location mu.
        link_sigma: link of the scale sigma, where it has a formula.
        link_xi: link of the shape xi, where it has a formula.
    """
    return GeneralisedExtremeValue.with_links(link, link_sigma, link_xi)


EXAMPLE = Example(
    gen_extreme_value(),
    y=(-1.0, 0.1, 6.5),
    parameters={"mu": 0.55, "sigma": 1.3, "xi": 0.1},
    log_density=(-2.425223608329718, -1.297165208338528, -4.430850190556617),
    source="SciPy 1.17.1: genextreme(-0.1, 0.55, 1.3).logpdf(y)",
    support=(-12.45, inf),
)
