"""The beta family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import numbers, require, require_variation
from bayesml.families.scales import PHI, PROBABILITY_LINKS, mu
from bayesml.lazy import lazy_module
from bayesml.links import Jet
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "PHI", "SMALLEST", "Beta", "beta"]

special = lazy_module("scipy.special")

SMALLEST = 1e-290  # keeps digamma(a) a' finite where mu underflows


@final
@dataclass(frozen=True)
class Beta(AbstractSimpleFamily):
    """y in (0, 1) with mean mu and variance mu (1 - mu) / (1 + phi): shapes mu phi and (1 - mu) phi."""

    name: ClassVar[str] = "beta"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(PROBABILITY_LINKS, 0.0, 1.0), PHI)
    traits: ClassVar[Traits] = Traits(continuous=(0.0, 1.0), has_cdf=True)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take numbers strictly between 0 and 1 that are not all equal."""
        y = numbers(response, self.name)
        cure = (
            "For percentages divide by 100; exact zeros need the family zero_inflated_beta, zeros and ones "
            "zero_one_inflated_beta, ordered_beta or xbeta."
        )
        require(response, y, (y > 0) & (y < 1), "must lie strictly between 0 and 1", cure)
        if for_fit:
            require_variation(response, y)
        return ResponseData({"y": y})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density, with both shapes exact in their tails."""
        from bayesml.families import densities

        return densities.beta(y, *self.shapes(values))

    def shapes(self, values: Values) -> tuple[Broadcast, Broadcast]:
        """Return both shapes, mu phi and (1 - mu) phi."""
        xp, link, eta, phi = array_namespace(*values.values()), self.link("mu"), values["mu"], values["phi"]
        a, b = (m * phi for m in (link.inverse(eta), link.complement(eta)))
        # A negative shape, which the links log and identity allow, has no density; a vanishing one is rounding.
        smallest = 1e6 * np.finfo(a.dtype).tiny
        return xp.where(a < 0, np.nan, xp.maximum(a, smallest)), xp.where(b < 0, np.nan, xp.maximum(b, smallest))

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.incomplete import beta_tails

        return beta_tails(*self.shapes(values), y, 1.0 - y)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw proportions."""
        a, b = (np.maximum(m * parameters["phi"], SMALLEST) for m in (parameters["mu"], 1 - parameters["mu"]))
        return rng.beta(a, b)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu (1 - mu) / (1 + phi)."""
        return parameters["mu"] * (1 - parameters["mu"]) / (1 + parameters["phi"])

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the derivatives; those in mu are polygamma functions of the shapes a and b."""
        y, phi, inner, a, b = self._coordinates(eta, data, auxiliary)
        log_y, log_rest = np.log(y), np.log1p(-y)
        value = special.gammaln(phi) - special.gammaln(a) - special.gammaln(b) + (a - 1) * log_y + (b - 1) * log_rest
        mean = self.link("mu").inverse(eta)
        value = np.where((mean < 0) | (mean > 1), -np.inf, value)  # the links log and identity allow it
        information = phi**2 * (special.polygamma(1, a) + special.polygamma(1, b))
        third = -(phi**3) * (special.polygamma(2, a) - special.polygamma(2, b))
        score = phi * (log_y - log_rest - special.digamma(a) + special.digamma(b))
        return Curvature.through(Jet(value, score, -information, third), information, inner)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return the derivatives in log(phi), where da = a and db = b."""
        y, phi, inner, a, b = self._coordinates(eta, data, auxiliary)
        log_y, log_rest = np.log(y), np.log1p(-y)
        trigamma_a, trigamma_b = special.polygamma(1, a), special.polygamma(1, b)
        value = phi * special.digamma(phi) - a * special.digamma(a) - b * special.digamma(b) + a * log_y + b * log_rest
        score = phi * (log_y - log_rest - special.digamma(a) + special.digamma(b))
        d1 = score + phi * (b * trigamma_b - a * trigamma_a)
        fisher = phi**2 * (2 * (trigamma_a + trigamma_b) + a * special.polygamma(2, a) + b * special.polygamma(2, b))
        return {"phi": AuxiliaryDerivatives(value, d1, -fisher, fisher).through(inner)}

    def _coordinates(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> tuple[np.ndarray, float, Jet, np.ndarray, np.ndarray]:
        link, phi = self.link("mu"), auxiliary["phi"]
        a, b = (np.maximum(m * phi, SMALLEST) for m in (link.inverse(eta), link.complement(eta)))
        return data["y"], phi, link.jet(eta), a, b


def beta(link: str = "logit", link_phi: str = "log") -> Beta:
    """Return the beta family, for proportions strictly between 0 and 1; in brms ``Beta()``.

    Args:
        link: link of the mean mu.
        link_phi: link of the precision phi, where it has a formula; the variance is mu (1 - mu) / (1 + phi).
    """
    return Beta.with_links(link, link_phi)


EXAMPLE = Example(
    beta(),
    y=(0.01, 0.5, 0.99),
    parameters={"mu": 0.6, "phi": 3.4},
    log_density=(-3.6017636185626327, 0.22082544298831897, -0.4770821204711122),
    source="SciPy 1.17.1: beta(0.6 * 3.4, 0.4 * 3.4).logpdf(y)",
    support=(0.0, 1.0),
)
