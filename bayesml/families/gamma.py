"""The gamma family, and how gamma numbers are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml import distributions
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import positive_numbers
from bayesml.families.scales import POSITIVE_LINKS, SCALE_LINKS, mu
from bayesml.lazy import lazy_module
from bayesml.links import Jet

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Gamma", "draw_gamma", "gamma"]

special = lazy_module("scipy.special")

SHAPE = DistributionalParameter(
    "shape", SCALE_LINKS, (0.0, inf), distributions.gamma(0.01, 0.01), distributions.student_t(3, 0, 2.5)
)


def draw_gamma(rng: np.random.Generator, mean: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Draw gamma numbers by mean and shape; a draw too small for a double is 0, whatever the mean."""
    drawn = rng.gamma(shape, size=np.broadcast_shapes(np.shape(mean), np.shape(shape)))
    with np.errstate(all="ignore"):
        relative = np.where(np.isinf(shape), 1.0, drawn / shape)
        return np.where(drawn == 0, 0.0, mean * relative)


@final
@dataclass(frozen=True)
class Gamma(AbstractSimpleFamily):
    """Positive y with mean mu and variance mu^2 / shape (rate shape / mu)."""

    name: ClassVar[str] = "gamma"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(POSITIVE_LINKS, 0.0), SHAPE)
    traits: ClassVar[Traits] = Traits(continuous=(0.0, inf), has_cdf=True, lognormal_variance=True)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take positive numbers that are not all equal."""
        return ResponseData({"y": positive_numbers(response, self.name, for_fit=for_fit)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density with rate shape / mu."""
        from bayesml.families import densities

        return densities.gamma(y, values["shape"], values["shape"] / values["mu"])

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.incomplete import gamma_tails

        return gamma_tails(values["shape"], y * (values["shape"] / values["mu"]))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw gamma numbers."""
        return draw_gamma(rng, parameters["mu"], parameters["shape"])

    def root_dispersion(self, auxiliary: Mapping[str, float]) -> float:
        """Return 1 / sqrt(shape), the coefficient of variation."""
        return float(auxiliary["shape"]) ** -0.5

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu^2 / shape."""
        return parameters["mu"] ** 2 / parameters["shape"]

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the derivatives; in t = log(mu) the density is -shape (t + y e^-t) + const."""
        y, k, inner, t, ratio = self._coordinates(eta, data, auxiliary)
        constant = k * np.log(k) - special.gammaln(k) + (k - 1) * np.log(y)
        outer = Jet(constant - k * (t + ratio), k * (ratio - 1), -k * ratio, k * ratio)
        return Curvature.through(outer, np.full(np.shape(eta), float(k)), inner)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return the derivatives in log(shape)."""
        y, k, inner, t, ratio = self._coordinates(eta, data, auxiliary)
        value = k * (np.log(k) + 1 - special.digamma(k) + np.log(y) - t - ratio)
        derivatives = AuxiliaryDerivatives(value, k * (ratio - 1), -k * ratio, np.full(np.shape(eta), float(k)))
        return {"shape": derivatives.through(inner)}

    def _coordinates(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> tuple[np.ndarray, float, Jet | None, np.ndarray, np.ndarray]:
        link = self.link("mu")
        inner = None if link.name == "log" else link.log_jet(eta)
        t = eta if inner is None else inner.value
        return data["y"], auxiliary["shape"], inner, t, data["y"] * np.exp(-t)


def gamma(link: str = "log", link_shape: str = "log") -> Gamma:
    """Return the gamma family, for positive responses; in brms ``Gamma()``.

    Args:
        link: link of the mean mu. (R's ``Gamma()`` has the inverse link by default; brms and we have log.)
        link_shape: link of shape, where it has a formula; the variance is mu^2 / shape.
    """
    return Gamma.with_links(link, link_shape)


EXAMPLE = Example(
    gamma(),
    y=(0.01, 0.8, 7.0),
    parameters={"mu": 1.5, "shape": 2.2},
    log_density=(-4.795235401679584, -0.6954701067375912, -7.185938999627498),
    source="SciPy 1.17.1: gamma(2.2, scale=1.5 / 2.2).logpdf(y)",
    support=(0.0, inf),
)
