"""The Frechet family of maxima, with a heavy right tail."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import positive_numbers
from bayesml.families.scales import NU, POSITIVE_LINKS, mu
from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Frechet", "frechet"]

special = lazy_module("scipy.special")


@final
@dataclass(frozen=True)
class Frechet(AbstractSimpleFamily):
    """P(y) = exp(-(y / scale)^-nu) with nu > 1 and mean mu: scale = mu / Gamma(1 - 1 / nu)."""

    name: ClassVar[str] = "frechet"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(POSITIVE_LINKS, 0.0), NU)
    traits: ClassVar[Traits] = Traits(continuous=(0.0, inf), has_cdf=True)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take positive numbers that are not all equal."""
        return ResponseData({"y": positive_numbers(response, self.name, for_fit=for_fit)})

    def _log_power(self, y: Observed, values: Values) -> PerRow:
        """Return the log of t = (y / scale)^-nu.

        Gamma(1 - 1 / nu) is Gamma(2 - 1 / nu) nu / (nu - 1), which keeps its digits near nu = 1.
        """
        from jax import numpy as jnp

        from bayesml.families.densities import log_gamma

        nu = values["nu"]
        log_scale = self.link("mu").log_inverse(values["mu"]) - log_gamma(2.0 - 1.0 / nu) + jnp.log1p(-1.0 / nu)
        return nu * (log_scale - jnp.log(y))

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log(nu / y) + log t - t."""
        from jax import numpy as jnp

        log_power = self._log_power(y, values)
        return jnp.log(values["nu"]) - jnp.log(y) + log_power - jnp.exp(log_power)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from jax import numpy as jnp

        from bayesml.families.incomplete import log1mexp
        from bayesml.families.tails import of_positive

        def tails(x: PerRow) -> tuple[PerRow, PerRow]:
            power = jnp.exp(self._log_power(x, values))
            return -power, log1mexp(-power)

        return of_positive(y, tails)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu, which is the mean because nu > 1."""
        return parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu^2 (Gamma(1 - 2 / nu) / Gamma(1 - 1 / nu)^2 - 1), infinite for nu <= 2."""
        nu = np.asarray(parameters["nu"], dtype=float)
        above = np.where(nu > 2.0, nu, 3.0)
        ratio = special.gammaln(1.0 - 2.0 / above) - 2.0 * special.gammaln(1.0 - 1.0 / above)
        return np.where(nu > 2.0, parameters["mu"] ** 2 * np.expm1(ratio), np.inf)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw by inversion: scale times a power of an exponential number."""
        nu = np.asarray(parameters["nu"], dtype=float)
        size = np.broadcast_shapes(np.shape(parameters["mu"]), np.shape(nu))
        log_scale = np.log(parameters["mu"]) - special.gammaln(2.0 - 1.0 / nu) + np.log1p(-1.0 / nu)
        return np.exp(log_scale - np.log(rng.standard_exponential(size)) / nu)


def frechet(link: str = "log", link_nu: str = "logm1") -> Frechet:
    """Return the Frechet family, for maxima and other positive responses with a heavy right tail.

    Args:
        link: link of the mean mu.
        link_nu: link of the tail index nu > 1, where it has a formula; the variance is infinite at 2 and below.
    """
    return Frechet.with_links(link, link_nu)


EXAMPLE = Example(
    frechet(),
    y=(0.4, 0.8, 7.0),
    parameters={"mu": 1.5, "nu": 4.5},
    log_density=(-167.37200283994625, -3.95947776813044, -8.157642920508444),
    source="SciPy 1.17.1: invweibull(4.5, scale=1.5 / gamma(1 - 1 / 4.5)).logpdf(y)",
    support=(0.0, inf),
)
