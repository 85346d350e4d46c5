"""The lognormal family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.example import Example
from bayesml.families.gaussian import gaussian_auxiliary, gaussian_curvature
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import positive_numbers
from bayesml.families.scales import SIGMA, mu
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "LogNormal", "lognormal"]


@final
@dataclass(frozen=True)
class LogNormal(AbstractSimpleFamily):
    """log y ~ normal(mu, sigma): mu and sigma are on the log scale, the mean of y is exp(mu + sigma^2 / 2)."""

    name: ClassVar[str] = "lognormal"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(("identity", "inverse")), SIGMA)
    traits: ClassVar[Traits] = Traits(continuous=(0.0, inf), has_cdf=True, normal=True, response_on_log_scale=True)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take positive numbers that are not all equal."""
        return ResponseData({"y": positive_numbers(response, self.name, for_fit=for_fit)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log N(log y; mu, sigma^2) - log y."""
        from bayesml.families.densities import normal

        log_y = array_namespace(y).log(y)
        return normal(log_y, values["mu"], values["sigma"]) - log_y

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.tails import normal_tails, of_positive

        return of_positive(y, lambda x: normal_tails((array_namespace(x).log(x) - values["mu"]) / values["sigma"]))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return exp(mu + sigma^2 / 2)."""
        log_mean = parameters["mu"] + parameters["sigma"] ** 2 / 2
        return array_namespace(log_mean).exp(log_mean)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw exp of a normal number."""
        return np.exp(rng.normal(parameters["mu"], parameters["sigma"]))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (exp(sigma^2) - 1) mean^2."""
        squared = self.mean(parameters, data) ** 2
        return array_namespace(squared).expm1(parameters["sigma"] ** 2) * squared

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the derivatives of the gaussian family for log y."""
        mean, log_y = self.link("mu").jet(eta), np.log(data["y"])
        inner = None if self.link("mu").name == "identity" else mean
        gaussian = gaussian_curvature(log_y, mean.value, auxiliary["sigma"], inner)
        return replace(gaussian, log_density=gaussian.log_density - log_y)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return the derivatives in log sigma."""
        inner, sigma = self.link("mu").jet(eta), auxiliary["sigma"]
        return gaussian_auxiliary(np.log(data["y"]), inner.value, sigma, sigma, inner)


def lognormal(link: str = "identity", link_sigma: str = "log") -> LogNormal:
    """Return the lognormal family: log y ~ normal(mu, sigma).

    Args:
        link: link of mu, the mean of log y.
        link_sigma: link of sigma, where it has a formula.
    """
    return LogNormal.with_links(link, link_sigma)


EXAMPLE = Example(
    lognormal(),
    y=(0.01, 0.8, 70.0),
    parameters={"mu": 0.55, "sigma": 0.8},
    log_density=(-16.85295264473088, -0.9396443609971501, -15.63090511101931),
    source="SciPy 1.17.1: lognorm(0.8, scale=np.exp(0.55)).logpdf(y)",
    support=(0.0, inf),
)
