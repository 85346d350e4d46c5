"""The skew normal family, by its mean and its standard deviation."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, pi
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.gaussian import encode_real, total_scale
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.scales import ALPHA, REAL_LINKS, SIGMA, mu
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "SkewNormal", "skew_normal"]


@final
@dataclass(frozen=True)
class SkewNormal(AbstractSimpleFamily):
    """p(y) = 2 / omega phi(z) Phi(alpha z) with z = (y - xi) / omega; mu is the mean, sigma the standard deviation.

    With delta = alpha / sqrt(1 + alpha^2), omega = sigma / sqrt(1 - 2 delta^2 / pi) and
    xi = mu - omega delta sqrt(2 / pi). At alpha = 0 it is the normal distribution.

    Source: Azzalini (1985), A class of distributions which includes the normal ones, Scandinavian Journal of
    Statistics 12, 171-178; the parameters are those of brms.
    """

    name: ClassVar[str] = "skew_normal"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(REAL_LINKS), SIGMA, ALPHA)
    traits: ClassVar[Traits] = Traits(continuous=(-inf, inf), has_cdf=True, known_errors=True)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take finite numbers that are not all equal."""
        return encode_real(response, self.name, for_fit)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log 2 - log omega + log phi(z) + log Phi(alpha z)."""
        from jax import numpy as jnp
        from jax.scipy.special import log_ndtr

        from bayesml.families.normal_integrals import log_normal_density

        z, omega = _standardised(y, values, data)
        return jnp.log(2.0) - jnp.log(omega) + log_normal_density(z) + log_ndtr(values["alpha"] * z)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y).

        Of two independent normal variables X and Y, Z is distributed as X given Y < alpha X, so that for z and alpha of
        0 and above P(Z > z) = 2 (P(X > z) - P(X > z, Y > alpha X)), and with -alpha it is 2 P(X > z, Y > alpha X).
        Below 0 the tails change places.
        """
        from jax import numpy as jnp
        from jax.scipy.special import log_ndtr

        from bayesml.families.incomplete import log1mexp, log_difference
        from bayesml.families.normal_integrals import log_wedge

        z, _ = _standardised(y, values, data)
        distance, slope = jnp.abs(z), values["alpha"] * jnp.where(z < 0, -1.0, 1.0)
        wedge = log_wedge(distance, jnp.abs(slope))
        beyond = jnp.log(2.0) + jnp.where(slope < 0, wedge, log_difference(log_ndtr(-distance), wedge))
        beyond = jnp.minimum(beyond, 0.0)
        rest = log1mexp(beyond)
        return jnp.where(z < 0, beyond, rest), jnp.where(z < 0, rest, beyond)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return sigma^2 (+ se^2)."""
        return total_scale(parameters, data) ** 2 + 0.0 * parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw xi + omega (delta |u| + sqrt(1 - delta^2) v) with standard normal u and v."""
        omega, delta = _scale(parameters, data)
        shape = np.broadcast_shapes(np.shape(parameters["mu"]), np.shape(omega))
        u, v = np.abs(rng.standard_normal(shape)), rng.standard_normal(shape)
        return parameters["mu"] + omega * (delta * (u - np.sqrt(2.0 / pi)) + np.sqrt(1.0 - delta**2) * v)


def _scale(values: Values, data: DataArrays) -> tuple[Broadcast, Broadcast]:
    """Return omega and delta."""
    alpha = values["alpha"]
    xp = array_namespace(alpha)
    delta = alpha / xp.sqrt(1.0 + alpha**2)
    return total_scale(values, data) / xp.sqrt(1.0 - 2.0 / pi * delta**2), delta


def _standardised(y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, Broadcast]:
    """Return z and omega."""
    omega, delta = _scale(values, data)
    return (y - values["mu"]) / omega + delta * np.sqrt(2.0 / pi), omega


def skew_normal(link: str = "identity", link_sigma: str = "log", link_alpha: str = "identity") -> SkewNormal:
    """Return the skew normal family, for responses with one longer tail.

    Args:
        link: link of the mean mu.
        link_sigma: link of the standard deviation sigma, where it has a formula.
        link_alpha: link of the skewness parameter alpha, where it has a formula.
    """
    return SkewNormal.with_links(link, link_sigma, link_alpha)


EXAMPLE = Example(
    skew_normal(),
    y=(-2.0, 0.1, 6.5),
    parameters={"mu": 0.55, "sigma": 1.3, "alpha": 2.5},
    log_density=(-3.647161752862547, -1.1227572993484836, -8.163838690097847),
    source="SciPy 1.17.1: skewnorm(2.5, xi, omega).logpdf(y), with xi and omega of the docstring",
    support=(-inf, inf),
)
