"""Hurdles: the response is 0 with probability hu, and else comes from a distribution of positive numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import distributions
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.gamma import Gamma
from bayesml.families.lognormal import LogNormal
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import numbers, require, require_variation
from bayesml.families.scales import PROBABILITY_LINKS
from bayesml.links import get_link
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "EXAMPLE_LOGNORMAL", "Hurdle", "hurdle_gamma", "hurdle_lognormal"]

HU = DistributionalParameter(
    "hu", PROBABILITY_LINKS, (0.0, 1.0), distributions.beta(1, 1), distributions.logistic(0, 1), typical=0.2
)


@final
@dataclass(frozen=True)
class Hurdle(AbstractSimpleFamily):
    """P(0) = hu, and the density (1 - hu) f(y) of positive numbers.

    Attributes:
        base: the family of positive numbers; its links come first among ``links``, that of hu last.
    """

    base: type[AbstractSimpleFamily]

    @property
    def name(self) -> str:  # type: ignore[override]
        """Brms's name."""
        return f"hurdle_{self.base.name}"

    @property
    def positive(self) -> AbstractSimpleFamily:
        """The family of the positive part, with its links."""
        return self.base(self.links[:-1])

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:  # type: ignore[override]
        """Those of the base, and hu."""
        return (*self.base.dpars, HU)

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        """Distribution functions, and the scale of the default priors, where the base has them."""
        return Traits(has_cdf=self.base.traits.has_cdf, priors_on_log_scale=self.base.traits.response_on_log_scale)

    @property
    def linear(self) -> frozenset[str]:  # type: ignore[override]
        """Those of the base, and hu, whose logarithm and that of its complement keep their tails."""
        return self.base.linear | {"hu"}

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take numbers of 0 or larger that are not all equal."""
        y = numbers(response, self.name)
        require(response, y, y >= 0, "must not be negative", "Drop such rows, or model them with another family.")
        if for_fit:
            require_variation(response, y)
        return ResponseData({"y": y})

    def _logs(self, values: Values) -> tuple[Broadcast, Broadcast]:
        """Return log hu and log(1 - hu)."""
        link = self.link("hu")
        return link.log_inverse(values["hu"]), link.log_complement(values["hu"])

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log hu, or log(1 - hu) + log f(y)."""
        (log_hu, log_rest), xp = self._logs(values), array_namespace(y, *values.values())
        positive = self.positive.log_prob(xp.where(y > 0, y, 1.0), values, data)
        return xp.where(y > 0, log_rest + positive, log_hu)

    def log_cdf(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log(hu + (1 - hu) F(y)) for y of 0 and above."""
        (log_hu, log_rest), below = self._logs(values), self.positive.log_cdf(y, values, data)
        xp = array_namespace(below)
        return xp.where(y < 0, -np.inf, xp.logaddexp(log_hu, log_rest + below))

    def log_survival(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log((1 - hu) S(y)) for y of 0 and above."""
        above = self.positive.log_survival(y, values, data)
        return array_namespace(above).where(y < 0, 0.0, self._logs(values)[1] + above)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (1 - hu) times the mean of the base."""
        return (1.0 - parameters["hu"]) * self.positive.mean(parameters, data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (1 - hu) (variance + hu mean^2) of the base."""
        hu, mean = parameters["hu"], self.positive.mean(parameters, data)
        return (1.0 - hu) * (self.positive.variance(parameters, data) + hu * mean**2)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw from the base, and set a share hu to 0."""
        drawn = self.positive.draw(rng, parameters, data)
        size = np.broadcast_shapes(np.shape(drawn), np.shape(parameters["hu"]))
        return np.where(rng.random(size) < parameters["hu"], 0.0, drawn)


def hurdle_gamma(link: str = "log", link_shape: str = "log", link_hu: str = "logit") -> Hurdle:
    """Return the hurdle gamma family, for positive numbers with exact zeros, such as rain or costs.

    Args:
        link: link of the mean mu of the positive part.
        link_shape: link of shape, where it has a formula.
        link_hu: link of the probability hu of a zero, where it has a formula.
    """
    return _over(Gamma, link, link_shape, link_hu)


def hurdle_lognormal(link: str = "identity", link_sigma: str = "log", link_hu: str = "logit") -> Hurdle:
    """Return the hurdle lognormal family.

    Args:
        link: link of mu, the mean of the logarithm of the positive part.
        link_sigma: link of sigma, where it has a formula.
        link_hu: link of the probability hu of a zero, where it has a formula.
    """
    return _over(LogNormal, link, link_sigma, link_hu)


def _over(base: type[AbstractSimpleFamily], *links: str) -> Hurdle:
    default = Hurdle((*(get_link(p.links[0]) for p in base.dpars), get_link(HU.links[0])), base)
    return replace(default, links=default.checked_links(*links))


EXAMPLE = Example(
    hurdle_gamma(),
    y=(0.0, 0.8, 7.0),
    parameters={"mu": 1.5, "shape": 2.2, "hu": 0.3},
    log_density=(-1.2039728043259361, -1.0521450506763237, -7.542613943566231),
    source="SciPy 1.17.1: log(0.3) and log(0.7 f(y)), f(y) of stats.gamma(2.2, scale=1.5 / 2.2)",
    support=(0.0, inf),
    atoms=(0.0,),
)


EXAMPLE_LOGNORMAL = Example(
    hurdle_lognormal(),
    y=(0.0, 0.8, 7.0),
    parameters={"mu": 0.4, "sigma": 0.9, "hu": 0.3},
    log_density=(-1.2039728043259361, -1.186805635816113, -4.591371869153374),
    source="SciPy 1.17.1: log(0.3) and log(0.7 f(y)), f(y) of stats.lognorm(0.9, scale=exp(0.4))",
    support=(0.0, inf),
    atoms=(0.0,),
)
