"""The negative binomial family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import inv_gamma, student_t
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature, log_factorial
from bayesml.families.example import Example
from bayesml.families.gamma import draw_gamma
from bayesml.families.poisson import draw_poisson
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import counts
from bayesml.families.rising import digamma_rising, log_rising
from bayesml.families.scales import COUNT_LINKS, SCALE_LINKS, mu
from bayesml.lazy import lazy_module
from bayesml.links import Jet
from bayesml.links.elementary import softplus

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "NegativeBinomial", "negbinomial"]

special = lazy_module("scipy.special")

SHAPE = DistributionalParameter("shape", SCALE_LINKS, (0.0, inf), inv_gamma(0.4, 0.3), student_t(3, 0, 2.5))


@final
@dataclass(frozen=True)
class NegativeBinomial(AbstractSimpleFamily):
    """Counts with mean mu and variance mu + mu^2 / shape."""

    name: ClassVar[str] = "negbinomial"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(COUNT_LINKS, 0.0), SHAPE)
    traits: ClassVar[Traits] = Traits(
        has_cdf=True, discrete=True, lognormal_variance=True, count_table="shape", rate=frozenset({"mu", "shape"})
    )
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take whole numbers >= 0."""
        return ResponseData({"y": counts(response, self.name)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density from log(mu); see ``curvature`` for its form."""
        from bayesml.families.densities import negative_binomial

        log_mean = self.link("mu").log_inverse(values["mu"])
        return negative_binomial(y, log_mean, values["shape"], data.get("distinct"), data.get("place"))

    def log_cdf(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(response <= y)."""
        return self._tails(y, values, data)[0]

    def log_survival(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(response > y)."""
        return self._tails(y, values, data)[1]

    def _tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        from bayesml.families.tails import negative_binomial_tails

        return negative_binomial_tails(y, self.link("mu").log_inverse(values["mu"]), values["shape"])

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw Poisson counts whose means are gamma distributed."""
        return draw_poisson(rng, draw_gamma(rng, parameters["mu"], parameters["shape"]))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu + mu^2 / shape."""
        return parameters["mu"] + parameters["mu"] ** 2 / parameters["shape"]

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the derivatives; in t = log(mu) - log(shape) the density is y t - (y + shape) log(1 + e^t) + const."""
        y, s, inner, t, p = self._coordinates(eta, data, auxiliary)
        information = (y + s) * p * (1 - p)
        log_mean = eta if inner is None else inner.value
        value = log_rising(s, y) - log_factorial(y) + y * log_mean - (y + s) * softplus(t)
        outer = Jet(value, y - (y + s) * p, -information, information * (2 * p - 1))
        return Curvature.through(outer, s * p, inner)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return the derivatives in log(shape), where dt = -1 and dp = -p (1 - p)."""
        y, s, inner, t, p = self._coordinates(eta, data, auxiliary)
        q = 1 - p
        value = s * (digamma_rising(s, y) - softplus(t)) + (y + s) * p
        derivatives = AuxiliaryDerivatives(value, p * ((y + s) * q - s), p * q * ((y + s) * (q - p) - s), s * p**2)
        return {"shape": derivatives.through(inner)}

    def _coordinates(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> tuple[np.ndarray, float, Jet | None, np.ndarray, np.ndarray]:
        link, s = self.link("mu"), auxiliary["shape"]
        inner = None if link.name == "log" else link.log_jet(eta)
        t = (eta if inner is None else inner.value) - np.log(s)
        return data["y"], s, inner, t, special.expit(t)


def negbinomial(link: str = "log", link_shape: str = "log") -> NegativeBinomial:
    """Return the negative binomial family, for counts that vary more than Poisson counts.

    Args:
        link: link of the mean mu.
        link_shape: link of shape, where it has a formula; the variance is mu + mu^2 / shape.
    """
    return NegativeBinomial.with_links(link, link_shape)


EXAMPLE = Example(
    negbinomial(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5, "shape": 2.2},
    log_density=(-1.670031326373834, -1.5128457428514217, -4.673597800296887),
    source="SciPy 1.17.1: nbinom(2.2, 2.2 / 4.7).logpmf(y)",
)
