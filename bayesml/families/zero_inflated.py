"""Zero inflation: with probability zi the response is 0 whatever the rest of the model says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import distributions
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.negbinomial import NegativeBinomial
from bayesml.families.poisson import Poisson
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.scales import PROBABILITY_LINKS
from bayesml.links import get_link
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "EXAMPLE_NEGBINOMIAL", "ZeroInflated", "zero_inflated_negbinomial", "zero_inflated_poisson"]

ZI = DistributionalParameter(
    "zi", PROBABILITY_LINKS, (0.0, 1.0), distributions.beta(1, 1), distributions.logistic(0, 1), typical=0.2
)


@final
@dataclass(frozen=True)
class ZeroInflated(AbstractSimpleFamily):
    """P(0) = zi + (1 - zi) f(0), and (1 - zi) f(y) elsewhere.

    Attributes:
        base: the family of counts that is inflated; its links come first among ``links``, that of zi last.
    """

    base: type[AbstractSimpleFamily]

    @property
    def name(self) -> str:  # type: ignore[override]
        """Brms's name."""
        return f"zero_inflated_{self.base.name}"

    @property
    def counts(self) -> AbstractSimpleFamily:
        """The family that is inflated, with its links."""
        return self.base(self.links[:-1])

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:  # type: ignore[override]
        """Those of the base, and zi."""
        return (*self.base.dpars, ZI)

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        """Those of counts whose rows repeat; a table of counts and a rate belong to the base alone."""
        own = self.base.traits
        return Traits(discrete=True, rows_repeat=own.rows_repeat, has_cdf=own.has_cdf, trials=own.trials)

    @property
    def linear(self) -> frozenset[str]:  # type: ignore[override]
        """Those of the base, and zi, whose logarithm and that of its complement keep their tails."""
        return self.base.linear | {"zi"}

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take what the base takes."""
        return self.counts.encode(response, for_fit=for_fit)

    def _logs(self, values: Values) -> tuple[Broadcast, Broadcast]:
        """Return log zi and log(1 - zi)."""
        link = self.link("zi")
        return link.log_inverse(values["zi"]), link.log_complement(values["zi"])

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log(zi + (1 - zi) f(0)), or log((1 - zi) f(y))."""
        (log_zi, log_rest), counted = self._logs(values), self.counts.log_prob(y, values, data)
        xp = array_namespace(counted)
        return xp.where(y == 0, xp.logaddexp(log_zi, log_rest + counted), log_rest + counted)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log(zi + (1 - zi) F(y)) and log((1 - zi) S(y)) for y of 0 and above."""
        (log_zi, log_rest), (below, above) = self._logs(values), self.counts.log_tails(y, values, data)
        xp = array_namespace(below)
        up_to = xp.logaddexp(log_zi, log_rest + xp.where(y < 0, 0.0, below))
        return xp.where(y < 0, -np.inf, up_to), xp.where(y < 0, 0.0, log_rest + above)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (1 - zi) times the mean of the base."""
        return (1.0 - parameters["zi"]) * self.counts.mean(parameters, data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (1 - zi) (variance + zi mean^2) of the base."""
        zi, mean = parameters["zi"], self.counts.mean(parameters, data)
        return (1.0 - zi) * (self.counts.variance(parameters, data) + zi * mean**2)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw from the base, and set a share zi to 0."""
        drawn = self.counts.draw(rng, parameters, data)
        size = np.broadcast_shapes(np.shape(drawn), np.shape(parameters["zi"]))
        return np.where(rng.random(size) < parameters["zi"], 0.0, drawn)


def zero_inflated_poisson(link: str = "log", link_zi: str = "logit") -> ZeroInflated:
    """Return the zero-inflated Poisson family, for counts with more zeros than Poisson counts have.

    Args:
        link: link of the mean mu of the Poisson part.
        link_zi: link of the probability zi of a zero from outside the Poisson part, where it has a formula.
    """
    return _inflated(Poisson, link, link_zi)


def zero_inflated_negbinomial(link: str = "log", link_shape: str = "log", link_zi: str = "logit") -> ZeroInflated:
    """Return the zero-inflated negative binomial family.

    Args:
        link: link of the mean mu of the negative binomial part.
        link_shape: link of shape, where it has a formula.
        link_zi: link of the probability zi of a zero from outside that part, where it has a formula.
    """
    return _inflated(NegativeBinomial, link, link_shape, link_zi)


def _inflated(base: type[AbstractSimpleFamily], *links: str) -> ZeroInflated:
    default = ZeroInflated((*(get_link(p.links[0]) for p in base.dpars), get_link(ZI.links[0])), base)
    return replace(default, links=default.checked_links(*links))


EXAMPLE = Example(
    zero_inflated_poisson(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5, "zi": 0.3},
    log_density=(-1.028733212673555, -1.9403842120645773, -7.411885837152805),
    source="SciPy 1.17.1: log(0.3 + 0.7 f(0)) and log(0.7 f(y)), f(y) of stats.poisson(2.5)",
)


EXAMPLE_NEGBINOMIAL = Example(
    zero_inflated_negbinomial(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5, "shape": 1.7, "zi": 0.3},
    log_density=(-0.797550322860267, -1.882416152477889, -4.866203937237285),
    source="SciPy 1.17.1: log(0.3 + 0.7 f(0)) and log(0.7 f(y)), f(y) of stats.nbinom(1.7, 1.7 / 4.2)",
)
