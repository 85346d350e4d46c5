"""The Weibull family."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.gamma import SHAPE
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import positive_numbers
from bayesml.families.scales import POSITIVE_LINKS, mu
from bayesml.lazy import lazy_module
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Weibull", "weibull"]

special = lazy_module("scipy.special")


@final
@dataclass(frozen=True)
class Weibull(AbstractSimpleFamily):
    """Positive y with mean mu: S(y) = exp(-(y / scale)^shape), scale = mu / Gamma(1 + 1 / shape)."""

    name: ClassVar[str] = "weibull"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(POSITIVE_LINKS, 0.0), SHAPE)
    traits: ClassVar[Traits] = Traits(continuous=(0.0, inf), has_cdf=True, lognormal_variance=True)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take positive numbers that are not all equal."""
        return ResponseData({"y": positive_numbers(response, self.name, for_fit=for_fit)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log(shape / y) + t - exp(t), where t is the log of the cumulative hazard (y / scale)^shape."""
        t = self._log_hazard(y, values)
        xp = array_namespace(t)
        return xp.log(values["shape"]) - xp.log(y) + t - xp.exp(t)

    def _log_hazard(self, y: Observed, values: Values) -> PerRow:
        from jax import numpy as jnp

        from bayesml.families.densities import log_gamma

        shape = values["shape"]
        log_scale = self.link("mu").log_inverse(values["mu"]) - log_gamma(1.0 + 1.0 / shape)
        return shape * (jnp.log(y) - log_scale)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.tails import hazard_tails

        return hazard_tails(y, lambda x: self._log_hazard(x, values))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu^2 (Gamma(1 + 2 / shape) / Gamma(1 + 1 / shape)^2 - 1)."""
        shape = np.asarray(parameters["shape"], dtype=float)
        ratio = special.gammaln(1.0 + 2.0 / shape) - 2.0 * special.gammaln(1.0 + 1.0 / shape)
        return parameters["mu"] ** 2 * np.expm1(ratio)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw by inversion: scale times a power of an exponential number."""
        shape = np.asarray(parameters["shape"], dtype=float)
        size = np.broadcast_shapes(np.shape(parameters["mu"]), np.shape(shape))
        log_scale = np.log(parameters["mu"]) - special.gammaln(1.0 + 1.0 / shape)
        return np.exp(log_scale + np.log(rng.standard_exponential(size)) / shape)


def weibull(link: str = "log", link_shape: str = "log") -> Weibull:
    """Return the Weibull family, for waiting times; censored ones are marked by ``cens()``.

    Args:
        link: link of the mean mu.
        link_shape: link of shape, where it has a formula; the hazard falls with time below 1 and rises above.
    """
    return Weibull.with_links(link, link_shape)


EXAMPLE = Example(
    weibull(),
    y=(0.01, 0.8, 7.0),
    parameters={"mu": 1.5, "shape": 2.2},
    log_density=(-5.8969988561164035, -0.8305744873051182, -20.722026402471926),
    source="SciPy 1.17.1: weibull_min(2.2, scale=1.5 / gamma(1 + 1 / 2.2)).logpdf(y)",
    support=(0.0, inf),
)
