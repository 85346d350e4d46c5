"""The exponentially modified Gaussian family: the sum of a normal and an exponential variable."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.gaussian import encode_real
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.scales import BETA, SIGMA, UNBOUNDED_LINKS, mu

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "ExGaussian", "exgaussian"]


@final
@dataclass(frozen=True)
class ExGaussian(AbstractSimpleFamily):
    """y = mu - beta + sigma u + beta e with u standard normal and e standard exponential; mu is the mean.

    With z = (y - mu + beta) / sigma, r = sigma / beta and Mills' ratio R, p(y) = phi(z) R(r - z) / beta.
    """

    name: ClassVar[str] = "exgaussian"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(UNBOUNDED_LINKS), SIGMA, BETA)
    traits: ClassVar[Traits] = Traits(continuous=(-inf, inf), has_cdf=True)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take finite numbers that are not all equal."""
        return encode_real(response, self.name, for_fit)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log(phi(z) R(r - z)) - log beta."""
        from jax import numpy as jnp

        return _log_product(*_standardised(y, values)) - jnp.log(values["beta"])

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y).

        They are Phi(z) - phi(z) R(r - z), for z < 0 the difference phi(z) (R(-z) - R(r - z)), and
        1 - Phi(z) + phi(z) R(r - z).
        """
        from jax import numpy as jnp
        from jax.scipy.special import log_ndtr

        from bayesml.families.incomplete import log1mexp
        from bayesml.families.normal_integrals import log_mills_difference, log_normal_density

        z, r = _standardised(y, values)
        above = jnp.minimum(jnp.logaddexp(log_ndtr(-z), _log_product(z, r)), 0.0)
        left = z < 0
        near = jnp.where(left, z, 0.0)
        below = log_normal_density(near) + log_mills_difference(-near, r)
        low = jnp.where(left, below, log1mexp(jnp.where(left, -1.0, above)))
        return low, jnp.where(left, log1mexp(jnp.where(left, below, -1.0)), above)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return sigma^2 + beta^2."""
        return parameters["sigma"] ** 2 + parameters["beta"] ** 2 + 0.0 * parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw the sum of a normal and an exponential number."""
        mean, sigma, beta = (parameters[name] for name in ("mu", "sigma", "beta"))
        shape = np.broadcast_shapes(np.shape(mean), np.shape(sigma), np.shape(beta))
        return mean + sigma * rng.standard_normal(shape) + beta * (rng.standard_exponential(shape) - 1.0)


def _standardised(y: Observed, values: Values) -> tuple[PerRow, PerRow]:
    """Return z and r, of the same shape."""
    from jax import numpy as jnp

    z = (y - values["mu"] + values["beta"]) / values["sigma"]
    z, r = jnp.broadcast_arrays(z, values["sigma"] / values["beta"])
    return z, r


def _log_product(z: Broadcast, r: Broadcast) -> Broadcast:
    """Return log(phi(z) R(r - z)); where R has the larger argument below 0, it is r^2 / 2 - r z + log Phi(z - r)."""
    from jax import numpy as jnp
    from jax.scipy.special import log_ndtr

    from bayesml.families.normal_integrals import log_mills, log_normal_density

    right = z > r
    by_ratio = log_normal_density(z) + log_mills(jnp.where(right, 0.0, r - z))
    return jnp.where(right, 0.5 * r**2 - r * z + log_ndtr(jnp.where(right, z - r, 0.0)), by_ratio)


def exgaussian(link: str = "identity", link_sigma: str = "log", link_beta: str = "log") -> ExGaussian:
    """Return the exponentially modified Gaussian family, for response times and the like.

    Args:
        link: link of the mean mu, which holds the mean beta of the exponential part.
        link_sigma: link of the standard deviation sigma of the normal part, where it has a formula.
        link_beta: link of the mean beta of the exponential part, where it has a formula.
    """
    return ExGaussian.with_links(link, link_sigma, link_beta)


EXAMPLE = Example(
    exgaussian(),
    y=(-2.0, 0.1, 6.5),
    parameters={"mu": 0.55, "sigma": 0.9, "beta": 1.4},
    log_density=(-2.9060293917764977, -1.2237958494220094, -5.379839583560015),
    source="SciPy 1.17.1: exponnorm(1.4 / 0.9, 0.55 - 1.4, 0.9).logpdf(y)",
    support=(-inf, inf),
)
