"""The geometric family: the number of failures before the first success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.counts import AbstractCount
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.example import Example
from bayesml.families.negbinomial import NegativeBinomial
from bayesml.families.records import DistributionalParameter, Traits
from bayesml.families.scales import COUNT_LINKS, mu
from bayesml.links import get_link

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Geometric", "geometric"]


@final
@dataclass(frozen=True)
class Geometric(AbstractCount):
    """Counts with mean mu and variance mu + mu^2: P(y) = p (1 - p)^y with p = 1 / (1 + mu).

    It is the negative binomial family of shape 1. The sum of n such counts, which ``rate(n)`` is for, has shape n.
    """

    name: ClassVar[str] = "geometric"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(COUNT_LINKS, 0.0),)
    traits: ClassVar[Traits] = Traits(
        has_cdf=True, discrete=True, rows_repeat=True, lognormal_variance=True, rate=frozenset({"mu"})
    )
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    @property
    def _general(self) -> NegativeBinomial:
        return NegativeBinomial((*self.links, get_link("log")))

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return that of the negative binomial family."""
        return self._general.log_prob(y, _with_shape(values, data), data)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        return self._general.log_tails(y, _with_shape(values, data), data)

    def log_some(self, log_mean: PerRow, values: Values) -> PerRow:
        """Return log(mu / (1 + mu))."""
        return self._general.log_some(log_mean, {**values, "shape": 1.0})

    def draw_some(self, rng: np.random.Generator, parameters: Values) -> Drawn:
        """Draw counts larger than 0: one more than a geometric count, which has no memory."""
        return 1.0 + self.draw(rng, parameters, {})

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu + mu^2."""
        return self._general.variance(_with_shape(parameters, data), data)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw Poisson counts whose means are exponentially distributed."""
        return self._general.draw(rng, _with_shape(parameters, data), data)

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return that of the negative binomial family."""
        return self._general.curvature(eta, data, {"shape": 1.0}, order=order)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return nothing: there is no other parameter."""
        return {}


def _with_shape(values: Values, data: DataArrays) -> Values:
    return {**values, "shape": data.get("rate", 1.0)}


def geometric(link: str = "log") -> Geometric:
    """Return the geometric family, for the number of failures before the first success.

    Args:
        link: link of the mean mu; the probability of success is 1 / (1 + mu).
    """
    return Geometric.with_links(link)


EXAMPLE = Example(
    geometric(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5},
    log_density=(-1.252762968495368, -1.589235205116581, -4.281013098086284),
    source="SciPy 1.17.1: geom(1 / 3.5).logpmf(y + 1)",
)
