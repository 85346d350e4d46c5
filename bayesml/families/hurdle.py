"""Hurdles: the response is 0 with probability hu, and else comes from a distribution of positive numbers.

Of a family of counts f, whose probability of 0 belongs to the hurdle, the positive part is f(y) / (1 - f(0)).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.counts import AbstractCount
from bayesml.families.example import Example
from bayesml.families.gamma import Gamma
from bayesml.families.lognormal import LogNormal
from bayesml.families.more_zeros import AbstractMoreZeros, probability_of_zero
from bayesml.families.negbinomial import NegativeBinomial
from bayesml.families.poisson import Poisson
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import counts, numbers, require, require_variation
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = [
    "EXAMPLE",
    "EXAMPLE_LOGNORMAL",
    "EXAMPLE_NEGBINOMIAL",
    "EXAMPLE_POISSON",
    "Hurdle",
    "hurdle_gamma",
    "hurdle_lognormal",
    "hurdle_negbinomial",
    "hurdle_poisson",
]


@final
@dataclass(frozen=True)
class Hurdle(AbstractMoreZeros):
    """P(0) = hu, and the density (1 - hu) f(y) of positive numbers, (1 - hu) f(y) / (1 - f(0)) of counts."""

    prefix: ClassVar[str] = "hurdle"
    zero: ClassVar[DistributionalParameter] = probability_of_zero("hu")

    @property
    def count_family(self) -> AbstractCount | None:
        """The family of the positive part where it is one of counts, of which the hurdle leaves those above 0."""
        return self.other if isinstance(self.other, AbstractCount) else None

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        """Distribution functions, and the scale of the default priors, where the other family has them."""
        traits = self.base.traits
        return Traits(
            discrete=traits.discrete,
            rows_repeat=traits.rows_repeat,
            has_cdf=traits.has_cdf,
            priors_on_log_scale=traits.response_on_log_scale,
        )

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take counts, or numbers of 0 or larger that are not all equal."""
        if self.count_family is not None:
            return ResponseData({"y": counts(response, self.name)})
        y = numbers(response, self.name)
        require(response, y, y >= 0, "must not be negative", "Drop such rows, or model them with another family.")
        if for_fit:
            require_variation(response, y)
        return ResponseData({"y": y})

    def _log_parts(self, values: Values) -> tuple[Broadcast, Broadcast]:
        """Return log hu and log((1 - hu) / P(y > 0 in the other family))."""
        (log_hu, log_rest), counts = self.log_zero(values), self.count_family
        if counts is None:
            return log_hu, log_rest
        return log_hu, log_rest - counts.log_some(counts.log_mean(values), values)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log hu, or log(1 - hu) + log(f(y) / P(y > 0))."""
        (log_hu, log_rest), xp = self._log_parts(values), array_namespace(y, *values.values())
        positive = self.other.log_prob(xp.where(y > 0, y, 1.0), values, data)
        return xp.where(y > 0, log_rest + positive, log_hu)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return both tails for y of 0 and above, where Y is of the other family.

        They are log(hu + (1 - hu) P(0 < Y <= y) / P(Y > 0)) and log((1 - hu) P(Y > y) / P(Y > 0)).
        """
        (log_hu, log_rest), (below, above) = self._log_parts(values), self.other.log_tails(y, values, data)
        xp = array_namespace(below)
        if self.count_family is not None:
            from bayesml.families.between import log_between

            some = log_between(self.other, 0.0 * y, xp.maximum(y, 1.0), values, data)
            below = xp.where(y < 1, -np.inf, some)
        up_to = xp.logaddexp(log_hu, log_rest + below)
        return xp.where(y < 0, -np.inf, up_to), xp.where(y < 0, 0.0, log_rest + above)

    def _share(self, parameters: Values) -> Broadcast:
        """Return (1 - hu) / P(Y > 0), Y of the other family.

        Y^k is 0 where Y is, so that E(y^k) = (1 - hu) E(Y^k | Y > 0) is E(Y^k) times this.
        """
        if self.count_family is None:
            return 1.0 - parameters["hu"]
        with np.errstate(divide="ignore"):
            return (1.0 - parameters["hu"]) / np.exp(self.count_family.log_some(np.log(parameters["mu"]), parameters))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (1 - hu) times the mean of the other family, which for counts is divided by P(y > 0)."""
        return self._share(parameters) * self.other.mean(parameters, data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return E(y^2) - E(y)^2; see ``_share``."""
        share, mean = self._share(parameters), self.other.mean(parameters, data)
        return share * (self.other.variance(parameters, data) + (1.0 - share) * mean**2)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw from the positive part, and set a share hu to 0."""
        counts = self.count_family
        drawn = self.other.draw(rng, parameters, data) if counts is None else counts.draw_some(rng, parameters)
        return self.with_zeros(rng, drawn, parameters)


def hurdle_gamma(link: str = "log", link_shape: str = "log", link_hu: str = "logit") -> Hurdle:
    """Return the hurdle gamma family, for positive numbers with exact zeros, such as rain or costs.

    Args:
        link: link of the mean mu of the positive part.
        link_shape: link of shape, where it has a formula.
        link_hu: link of the probability hu of a zero, where it has a formula.
    """
    return Hurdle.over(Gamma, link, link_shape, link_hu)


def hurdle_lognormal(link: str = "identity", link_sigma: str = "log", link_hu: str = "logit") -> Hurdle:
    """Return the hurdle lognormal family.

    Args:
        link: link of mu, the mean of the logarithm of the positive part.
        link_sigma: link of sigma, where it has a formula.
        link_hu: link of the probability hu of a zero, where it has a formula.
    """
    return Hurdle.over(LogNormal, link, link_sigma, link_hu)


def hurdle_poisson(link: str = "log", link_hu: str = "logit") -> Hurdle:
    """Return the hurdle Poisson family: counts that are 0 with probability hu, and else Poisson counts above 0.

    Args:
        link: link of mu, the mean of the Poisson distribution before its zeros are left out.
        link_hu: link of the probability hu of a zero, where it has a formula.
    """
    return Hurdle.over(Poisson, link, link_hu)


def hurdle_negbinomial(link: str = "log", link_shape: str = "log", link_hu: str = "logit") -> Hurdle:
    """Return the hurdle negative binomial family.

    Args:
        link: link of mu, the mean of the negative binomial distribution before its zeros are left out.
        link_shape: link of shape, where it has a formula.
        link_hu: link of the probability hu of a zero, where it has a formula.
    """
    return Hurdle.over(NegativeBinomial, link, link_shape, link_hu)


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


EXAMPLE_POISSON = Example(
    hurdle_poisson(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5, "hu": 0.3},
    log_density=(-1.2039728043259361, -1.8547337283225391, -7.326235353410766),
    source="SciPy 1.17.1: log(0.3) and log(0.7 f(y) / (1 - f(0))), f(y) of stats.poisson(2.5)",
)

EXAMPLE_NEGBINOMIAL = Example(
    hurdle_negbinomial(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5, "shape": 1.7, "hu": 0.3},
    log_density=(-1.2039728043259361, -1.6404701078709634, -4.62425789263036),
    source="SciPy 1.17.1: log(0.3) and log(0.7 f(y) / (1 - f(0))), f(y) of stats.nbinom(1.7, 1.7 / 4.2)",
)
