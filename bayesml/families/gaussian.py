"""The gaussian family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, pi
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.divergences import normal_divergence
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import numbers, require_variation
from bayesml.families.scales import REAL_LINKS, SIGMA, mu
from bayesml.links import Jet
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Gaussian", "encode_real", "gaussian", "gaussian_auxiliary", "gaussian_curvature", "total_scale"]


def total_scale(parameters: Values, data: DataArrays) -> Broadcast:
    """Return ``sigma``, or sqrt(sigma^2 + se^2) with known standard errors; sigma is 0 where it is not estimated."""
    if "se" not in data:
        return parameters["sigma"]
    total = parameters["sigma"] ** 2 + data["se"] ** 2
    return array_namespace(total).sqrt(total)


def encode_real(response: RawResponse, family: str, for_fit: bool) -> ResponseData:
    """Encode a response on the real line, with its standard errors where there are any."""
    y = numbers(response, family)
    se = response.additions.get("se")
    if for_fit and se is None:
        require_variation(response, y)
    return ResponseData({"y": y} if se is None else {"y": y, "se": np.asarray(se, dtype=float)})


def gaussian_curvature(y: np.ndarray, mean: np.ndarray, scale: Broadcast, inner: Jet | None) -> Curvature:
    """Return the derivatives for residuals e = y - mu: d1 = e / v, d2 = -1 / v, v = scale^2."""
    residual, variance = y - mean, np.broadcast_to(np.asarray(scale, float) ** 2, y.shape)
    information = 1 / variance
    d1 = residual * information
    value = -0.5 * (np.log(2 * pi * variance) + residual * d1)
    return Curvature.through(Jet(value, d1, -information, np.zeros_like(d1)), information, inner)


def gaussian_auxiliary(
    y: np.ndarray, mean: np.ndarray, scale: Broadcast, sigma: float, inner: Jet | None
) -> dict[str, AuxiliaryDerivatives]:
    """Return the derivatives in log sigma, with dv / d log sigma = 2 sigma^2."""
    residual, variance = y - mean, np.broadcast_to(np.asarray(scale, float) ** 2, y.shape)
    ratio = 2 * sigma**2 / variance
    value = 0.5 * ratio * (residual**2 / variance - 1)
    change = ratio / variance
    return {"sigma": AuxiliaryDerivatives(value, -residual * change, change, -change).through(inner)}


@final
@dataclass(frozen=True)
class Gaussian(AbstractSimpleFamily):
    """y ~ normal(mu, sigma); with ``se(s)`` the standard deviation is sqrt(sigma^2 + s^2), or s alone."""

    name: ClassVar[str] = "gaussian"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(REAL_LINKS), SIGMA)
    traits: ClassVar[Traits] = Traits(
        continuous=(-inf, inf),
        has_cdf=True,
        normal=True,
        known_errors=True,
        residuals="normal",
        divergence=normal_divergence,
    )

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take finite numbers that are not all equal."""
        return encode_real(response, self.name, for_fit)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log N(y; mu, sigma^2 (+ se^2))."""
        from bayesml.families.densities import normal

        return normal(y, values["mu"], total_scale(values, data))

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.tails import normal_tails

        return normal_tails((y - values["mu"]) / total_scale(values, data))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw from the normal distribution."""
        return rng.normal(parameters["mu"], total_scale(parameters, data))

    def root_dispersion(self, auxiliary: Mapping[str, float]) -> float:
        """Return sigma; 1 where the standard errors are known."""
        return float(auxiliary.get("sigma", 1.0))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return sigma^2 (+ se^2)."""
        return total_scale(parameters, data) ** 2 + 0.0 * parameters["mu"]

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the derivatives in eta."""
        mean = self.link("mu").jet(eta)
        inner = None if self.link("mu").name == "identity" else mean
        return gaussian_curvature(data["y"], mean.value, total_scale(auxiliary, data), inner)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return the derivatives in log sigma."""
        inner = self.link("mu").jet(eta)
        return gaussian_auxiliary(data["y"], inner.value, total_scale(auxiliary, data), auxiliary["sigma"], inner)


def gaussian(link: str = "identity", link_sigma: str = "log") -> Gaussian:
    """Return the gaussian family: y ~ normal(mu, sigma).

    Args:
        link: link of mu.
        link_sigma: link of sigma, where it has a formula.

    Example:
        >>> gaussian(link="log").link("mu").name
        'log'
    """
    return Gaussian.with_links(link, link_sigma)


EXAMPLE = Example(
    gaussian(),
    y=(-2.0, 0.1, 6.5),
    parameters={"mu": 0.55, "sigma": 1.3},
    log_density=(-3.1051193657195, -1.2412140402757141, -11.655415223707665),
    source="SciPy 1.17.1: norm(0.55, 1.3).logpdf(y)",
    support=(-inf, inf),
)
