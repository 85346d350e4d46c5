"""The negative binomial family whose variance is proportional to its mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import student_t
from bayesml.families.counts import AbstractCount
from bayesml.families.example import Example
from bayesml.families.gamma import draw_gamma
from bayesml.families.negbinomial import NegativeBinomial
from bayesml.families.poisson import draw_poisson
from bayesml.families.records import DistributionalParameter, Traits
from bayesml.families.scales import COUNT_LINKS, PHI, mu
from bayesml.links import get_link
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "NegativeBinomial1", "nbinom1"]

SMALLEST = 1e-290  # of a shape that is drawn


@final
@dataclass(frozen=True)
class NegativeBinomial1(AbstractCount):
    """Counts with mean mu and variance mu (1 + phi): negative binomial of shape mu / phi.

    The sum of n such counts, which ``rate(n)`` is for, has the mean n mu and the same phi.
    """

    name: ClassVar[str] = "nbinom1"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (
        mu(COUNT_LINKS, 0.0),
        replace(PHI, prior=student_t(3, 0, 2.5)),
    )
    traits: ClassVar[Traits] = Traits(has_cdf=True, discrete=True, rows_repeat=True, rate=frozenset({"mu"}))
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(y).

        With s = mu / phi it is log(s (s + 1) ... (s + y - 1)) - log(y!) - s log(1 + phi) + y log(phi / (1 + phi)).
        """
        return _log_prob(y, self.log_mean(values), values["phi"])

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y), sums over counts."""
        from bayesml.families.summation import tails_of_counts

        return tails_of_counts(_tails, y, self.log_mean(values), values["phi"])

    def log_some(self, log_mean: PerRow, values: Values) -> PerRow:
        """Return log P(y > 0)."""
        xp = array_namespace(log_mean)
        general = NegativeBinomial((self.link("mu"), get_link("log")))
        return general.log_some(log_mean, {"shape": xp.exp(log_mean) / values["phi"]})

    def draw_some(self, rng: np.random.Generator, parameters: Values) -> Drawn:
        """Draw counts larger than 0."""
        general = NegativeBinomial((self.link("mu"), get_link("log")))
        return general.draw_some(rng, {"mu": parameters["mu"], "shape": _shape(parameters)})

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu (1 + phi)."""
        return parameters["mu"] * (1.0 + parameters["phi"])

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw Poisson counts whose means are gamma distributed."""
        return draw_poisson(rng, draw_gamma(rng, parameters["mu"], _shape(parameters)))


def _log_prob(y: Broadcast, log_mean: Broadcast, phi: Broadcast) -> Broadcast:
    from jax import numpy as jnp

    from bayesml.families.densities import gammaln, log_pochhammer

    log_phi, log_more = jnp.log(phi), jnp.log1p(phi)
    log_s = log_mean - log_phi
    s = jnp.exp(log_s)
    return log_pochhammer(s, log_s, y) - gammaln(y + 1.0) - s * log_more + y * (log_phi - log_more)


def _tails(y: Broadcast, log_mean: Broadcast, phi: Broadcast) -> tuple[Broadcast, Broadcast]:
    """Return the tails at y >= 0; P(k + 1) / P(k) is (mu + phi k) / ((1 + phi) (k + 1))."""
    from jax import numpy as jnp

    from bayesml.families.summation import summed_tails

    mean = jnp.exp(log_mean)

    def up(k: Broadcast) -> Broadcast:
        return (mean + phi * k) / ((1.0 + phi) * (k + 1.0))

    def down(k: Broadcast) -> Broadcast:
        some = k > 0
        before = jnp.where(some, k - 1.0, 0.0)
        return jnp.where(some, (1.0 + phi) * (before + 1.0) / (mean + phi * before), 0.0)

    return summed_tails(y, y + 0.5 < mean, lambda k: _log_prob(k, log_mean, phi), down, up)


def _shape(parameters: Values) -> np.ndarray:
    return np.maximum(parameters["mu"] / parameters["phi"], SMALLEST)


def nbinom1(link: str = "log", link_phi: str = "log") -> NegativeBinomial1:
    """Return the negative binomial family with the variance mu (1 + phi), ``nbinom1`` of glmmTMB.

    Args:
        link: link of the mean mu.
        link_phi: link of the dispersion phi, where it has a formula; 0 is the Poisson distribution.
    """
    return NegativeBinomial1.with_links(link, link_phi)


EXAMPLE = Example(
    nbinom1(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5, "phi": 0.6},
    log_density=(-1.958348455190565, -1.5120613525621456, -5.183313969683162),
    source="SciPy 1.17.1: nbinom(2.5 / 0.6, 1 / 1.6).logpmf(y)",
)
