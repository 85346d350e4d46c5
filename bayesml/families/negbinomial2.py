"""The negative binomial family by its overdispersion sigma = 1 / shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import gamma
from bayesml.families.counts import AbstractCount
from bayesml.families.example import Example
from bayesml.families.negbinomial import NegativeBinomial
from bayesml.families.records import DistributionalParameter, Traits
from bayesml.families.scales import COUNT_LINKS, SIGMA, mu

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "NegativeBinomial2", "negbinomial2"]

OVERDISPERSION = replace(SIGMA, bounds=(0.0, inf), prior=gamma(0.4, 0.3))


@final
@dataclass(frozen=True)
class NegativeBinomial2(AbstractCount):
    """Counts with mean mu and variance mu + sigma mu^2.

    It is the family negbinomial with sigma = 1 / shape. The sum of n such counts, which ``rate(n)`` is for, has the
    mean n mu and the overdispersion sigma / n.
    """

    name: ClassVar[str] = "negbinomial2"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(COUNT_LINKS, 0.0), OVERDISPERSION)
    traits: ClassVar[Traits] = Traits(has_cdf=True, discrete=True, lognormal_variance=True, rate=frozenset({"mu"}))
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    @property
    def _general(self) -> NegativeBinomial:
        return NegativeBinomial(self.links)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return that of the negative binomial family."""
        return self._general.log_prob(y, _with_shape(values, data), data)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        return self._general.log_tails(y, _with_shape(values, data), data)

    def log_some(self, log_mean: PerRow, values: Values) -> PerRow:
        """Return log P(y > 0)."""
        return self._general.log_some(log_mean, _with_shape(values, {}))

    def draw_some(self, rng: np.random.Generator, parameters: Values) -> Drawn:
        """Draw counts larger than 0."""
        return self._general.draw_some(rng, _with_shape(parameters, {}))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu + sigma mu^2."""
        return self._general.variance(_with_shape(parameters, data), data)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw Poisson counts whose means are gamma distributed."""
        return self._general.draw(rng, _with_shape(parameters, data), data)


def _with_shape(values: Values, data: DataArrays) -> Values:
    return {**values, "shape": data.get("rate", 1.0) / values["sigma"]}


def negbinomial2(link: str = "log", link_sigma: str = "log") -> NegativeBinomial2:
    """Return the negative binomial family with the variance mu + sigma mu^2.

    Args:
        link: link of the mean mu.
        link_sigma: link of the overdispersion sigma, where it has a formula; 0 is the Poisson distribution.
    """
    return NegativeBinomial2.with_links(link, link_sigma)


EXAMPLE = Example(
    negbinomial2(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5, "sigma": 0.6},
    log_density=(-1.5271512197902586, -1.5271512197902584, -4.498255653703753),
    source="SciPy 1.17.1: nbinom(1 / 0.6, 1 / 2.5).logpmf(y)",
)
