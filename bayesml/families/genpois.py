"""The generalised Poisson family of Consul and Famoye, by its mean and its dispersion."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import student_t
from bayesml.families.counts import AbstractCount, log_probability_of_some
from bayesml.families.example import Example
from bayesml.families.poisson import Poisson, draw_poisson
from bayesml.families.records import DistributionalParameter, Traits
from bayesml.families.scales import COUNT_LINKS, mu
from bayesml.links import get_link
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "GeneralisedPoisson", "genpois"]

DISPERSION = DistributionalParameter(
    "phi", ("logm1", "log", "identity"), (1.0, inf), student_t(3, 1, 2.5), student_t(3, 0, 2.5), typical=1.5
)
SMALLEST = 1e-290
MOST_GENERATIONS = 100_000


@final
@dataclass(frozen=True)
class GeneralisedPoisson(AbstractCount):
    """Counts with mean mu and variance phi mu, phi > 1.

    P(y) = theta (theta + lambda y)^(y - 1) exp(-theta - lambda y) / y! with theta = mu / sqrt(phi) and
    lambda = 1 - 1 / sqrt(phi) (Consul and Famoye 1992). The sum of n such counts, which ``rate(n)`` is for, has the
    mean n mu and the same phi. With phi < 1 the probabilities of possible counts would not sum to 1.
    """

    name: ClassVar[str] = "genpois"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(COUNT_LINKS, 0.0), DISPERSION)
    traits: ClassVar[Traits] = Traits(has_cdf=True, discrete=True, rows_repeat=True, rate=frozenset({"mu"}))
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(y)."""
        return _log_prob(y, self.log_mean(values), values["phi"])

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y), sums over counts."""
        from bayesml.families.summation import tails_of_counts

        return tails_of_counts(_tails, y, self.log_mean(values), values["phi"])

    def log_some(self, log_mean: PerRow, values: Values) -> PerRow:
        """Return log(1 - exp(-theta))."""
        xp = array_namespace(log_mean, values["phi"])
        return log_probability_of_some(log_mean - 0.5 * xp.log(values["phi"]))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return phi mu."""
        return parameters["mu"] * parameters["phi"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw the sizes of families that a Poisson number of ancestors of mean theta founds."""
        theta, rest = _shares(parameters)
        return _with_offspring(rng, draw_poisson(rng, theta), rest)

    def draw_some(self, rng: np.random.Generator, parameters: Values) -> Drawn:
        """Draw counts larger than 0: those with at least one ancestor."""
        theta, rest = _shares(parameters)
        ancestors = Poisson((get_link("log"),)).draw_some(rng, {"mu": theta})
        return _with_offspring(rng, ancestors, rest)


def _shares(parameters: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return theta and lambda."""
    mean, phi = np.broadcast_arrays(*(np.asarray(parameters[name], dtype=float) for name in ("mu", "phi")))
    return mean / np.sqrt(phi), 1.0 - 1.0 / np.sqrt(phi)


def _with_offspring(rng: np.random.Generator, ancestors: np.ndarray, offspring: np.ndarray) -> np.ndarray:
    """Return the number of all descendants and ancestors, where each has a Poisson number of children."""
    total, generation = ancestors, ancestors
    for _ in range(MOST_GENERATIONS):
        if not generation.any():
            break
        generation = draw_poisson(rng, offspring * generation)
        total = total + generation
    return total


def _log_prob(y: Broadcast, log_mean: Broadcast, phi: Broadcast) -> Broadcast:
    from jax import numpy as jnp

    from bayesml.families.densities import gammaln

    log_theta = log_mean - 0.5 * jnp.log(phi)
    theta, rest = jnp.exp(log_theta), 1.0 - 1.0 / jnp.sqrt(phi)
    some = y > 0
    log_rate = jnp.log(jnp.maximum(theta + rest * y, SMALLEST))
    rows = jnp.where(some, log_theta + (y - 1.0) * log_rate, 0.0) - theta - rest * y - gammaln(y + 1.0)
    return jnp.where(phi >= 1.0, rows, jnp.nan)


def _tails(y: Broadcast, log_mean: Broadcast, phi: Broadcast) -> tuple[Broadcast, Broadcast]:
    """Return the tails at y >= 0."""
    from jax import numpy as jnp

    from bayesml.families.summation import summed_tails

    theta, rest = jnp.exp(log_mean) / jnp.sqrt(phi), 1.0 - 1.0 / jnp.sqrt(phi)

    def log_up(k: Broadcast) -> Broadcast:
        after, before = (jnp.log(jnp.maximum(theta + rest * each, SMALLEST)) for each in (k + 1.0, k))
        return k * after - (k - 1.0) * before - rest - jnp.log(k + 1.0)

    def down(k: Broadcast) -> Broadcast:
        some = k > 0
        return jnp.where(some, jnp.exp(-log_up(jnp.where(some, k - 1.0, 0.0))), 0.0)

    below = jnp.log(y + 0.5) < log_mean
    return summed_tails(y, below, lambda k: _log_prob(k, log_mean, phi), down, lambda k: jnp.exp(log_up(k)))


def genpois(link: str = "log", link_phi: str = "logm1") -> GeneralisedPoisson:
    """Return the generalised Poisson family with mean mu and variance phi mu, as ``genpois`` of glmmTMB.

    phi is larger than 1 here; counts that vary less than Poisson counts have the family com_poisson. glmmTMB puts the
    link log on phi, ``genpois(link_phi="log")``.

    Args:
        link: link of the mean mu.
        link_phi: link of the dispersion phi, where it has a formula; 1 is the Poisson distribution.
    """
    return GeneralisedPoisson.with_links(link, link_phi)


EXAMPLE = Example(
    genpois(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5, "phi": 1.8},
    log_density=(-1.8633899812498247, -1.4956365893267993, -4.939758494361869),
    source="mpmath 1.3, by the formula of Consul and Famoye",
)
