"""Zero inflation: with probability zi the response is 0 whatever the rest of the model says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.families.beta_binomial import BetaBinomial
from bayesml.families.binomial import Binomial
from bayesml.families.example import Example
from bayesml.families.more_zeros import AbstractZeroInflated
from bayesml.families.negbinomial import NegativeBinomial
from bayesml.families.poisson import Poisson
from bayesml.families.records import Traits
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Observed, PerRow, Values

__all__ = [
    "EXAMPLE",
    "EXAMPLE_BETA_BINOMIAL",
    "EXAMPLE_BINOMIAL",
    "EXAMPLE_NEGBINOMIAL",
    "ZeroInflated",
    "zero_inflated_beta_binomial",
    "zero_inflated_binomial",
    "zero_inflated_negbinomial",
    "zero_inflated_poisson",
]


@final
@dataclass(frozen=True)
class ZeroInflated(AbstractZeroInflated):
    """P(0) = zi + (1 - zi) f(0), and (1 - zi) f(y) elsewhere, with a family f of counts."""

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        """Those of counts; a table of counts and a rate belong to the other family alone."""
        traits = self.base.traits
        return Traits(discrete=True, rows_repeat=traits.rows_repeat, has_cdf=traits.has_cdf, trials=traits.trials)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log(zi + (1 - zi) f(0)), or log((1 - zi) f(y))."""
        (log_zi, log_rest), counted = self.log_zero(values), self.other.log_prob(y, values, data)
        xp = array_namespace(counted)
        return xp.where(y == 0, xp.logaddexp(log_zi, log_rest + counted), log_rest + counted)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log(zi + (1 - zi) F(y)) and log((1 - zi) S(y)) for y of 0 and above."""
        (log_zi, log_rest), (below, above) = self.log_zero(values), self.other.log_tails(y, values, data)
        xp = array_namespace(below)
        up_to = xp.logaddexp(log_zi, log_rest + xp.where(y < 0, 0.0, below))
        return xp.where(y < 0, -np.inf, up_to), xp.where(y < 0, 0.0, log_rest + above)


def zero_inflated_poisson(link: str = "log", link_zi: str = "logit") -> ZeroInflated:
    """Return the zero-inflated Poisson family, for counts with more zeros than Poisson counts have.

    Args:
        link: link of the mean mu of the Poisson part.
        link_zi: link of the probability zi of a zero from outside the Poisson part, where it has a formula.
    """
    return ZeroInflated.over(Poisson, link, link_zi)


def zero_inflated_negbinomial(link: str = "log", link_shape: str = "log", link_zi: str = "logit") -> ZeroInflated:
    """Return the zero-inflated negative binomial family.

    Args:
        link: link of the mean mu of the negative binomial part.
        link_shape: link of shape, where it has a formula.
        link_zi: link of the probability zi of a zero from outside that part, where it has a formula.
    """
    return ZeroInflated.over(NegativeBinomial, link, link_shape, link_zi)


def zero_inflated_binomial(link: str = "logit", link_zi: str = "logit") -> ZeroInflated:
    """Return the zero-inflated binomial family, for numbers of successes in ``trials(n)``.

    Args:
        link: link of the probability mu of the binomial part.
        link_zi: link of the probability zi of a zero from outside that part, where it has a formula.
    """
    return ZeroInflated.over(Binomial, link, link_zi)


def zero_inflated_beta_binomial(link: str = "logit", link_phi: str = "log", link_zi: str = "logit") -> ZeroInflated:
    """Return the zero-inflated beta-binomial family, for numbers of successes in ``trials(n)``.

    Args:
        link: link of the mean probability mu of the beta-binomial part.
        link_phi: link of the precision phi, where it has a formula.
        link_zi: link of the probability zi of a zero from outside that part, where it has a formula.
    """
    return ZeroInflated.over(BetaBinomial, link, link_phi, link_zi)


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


EXAMPLE_BINOMIAL = Example(
    zero_inflated_binomial(),
    y=(0.0, 2.0, 7.0),
    parameters={"mu": 0.3, "zi": 0.25},
    log_density=(-1.1655032546355582, -1.4344799630738914, -8.715491702733333),
    source="SciPy 1.17.1: log(0.25 + 0.75 f(0)) and log(0.75 f(y)), f(y) of stats.binom(7, 0.3)",
    additions={"trials": (7.0, 7.0, 7.0)},
)


EXAMPLE_BETA_BINOMIAL = Example(
    zero_inflated_beta_binomial(),
    y=(0.0, 2.0, 7.0),
    parameters={"mu": 0.3, "phi": 4.2, "zi": 0.25},
    log_density=(-0.8737088288687331, -1.958815384292433, -4.66161696941116),
    source="SciPy 1.17.1: log(0.25 + 0.75 f(0)) and log(0.75 f(y)), f(y) of stats.betabinom(7, 1.26, 2.94)",
    additions={"trials": (7.0, 7.0, 7.0)},
)
