"""The Conway-Maxwell-Poisson family: counts that vary more or less than Poisson counts."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import gamma, student_t
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.com_poisson_numbers import draw_com_poisson, mean_and_variance
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import counts
from bayesml.families.scales import COUNT_LINKS, SCALE_LINKS, mu

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "ComPoisson", "com_poisson", "log_prob", "tails"]

SHAPE = DistributionalParameter("shape", SCALE_LINKS, (0.0, inf), gamma(0.01, 0.01), student_t(3, 0, 2.5))


@final
@dataclass(frozen=True)
class ComPoisson(AbstractSimpleFamily):
    """P(y) = (mu^y / y!)^shape / Z, with Z the sum of the numerators over all counts.

    The mode is mu rounded down; the mean is nearly mu + 1 / (2 shape) - 1 / 2 and the variance mu / shape. Shapes below
    1 vary more than Poisson counts, which have the shape 1, and shapes above 1 less.
    """

    name: ClassVar[str] = "com_poisson"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(COUNT_LINKS, 0.0), SHAPE)
    traits: ClassVar[Traits] = Traits(has_cdf=True, discrete=True, rows_repeat=True)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take whole numbers >= 0."""
        return ResponseData({"y": counts(response, self.name)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return shape (y log(mu) - log y!) - log Z."""
        return log_prob(y, self.link("mu").log_inverse(values["mu"]), values["shape"])

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y), sums over counts."""
        return tails(y, self.link("mu").log_inverse(values["mu"]), values["shape"])

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the mean, which is not mu."""
        return mean_and_variance(parameters["mu"], parameters["shape"])[0]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance."""
        return mean_and_variance(parameters["mu"], parameters["shape"])[1]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw counts."""
        return draw_com_poisson(rng, parameters["mu"], parameters["shape"])


def log_prob(y: Broadcast, log_mu: Broadcast, shape: Broadcast) -> Broadcast:
    """Return shape (y log(mu) - log y!) - log Z on JAX arrays."""
    from bayesml.families.com_poisson_sums import log_normalising_constant
    from bayesml.families.densities import gammaln

    return shape * (y * log_mu - gammaln(y + 1.0)) - log_normalising_constant(log_mu, shape)


def _tails_at(y: Broadcast, log_mu: Broadcast, shape: Broadcast) -> tuple[Broadcast, Broadcast]:
    """Return the tails at y >= 0; P(k + 1) / P(k) is (mu / (k + 1))^shape."""
    from jax import numpy as jnp

    from bayesml.families.summation import summed_tails

    def up(k: Broadcast) -> Broadcast:
        return jnp.exp(shape * (log_mu - jnp.log(k + 1.0)))

    def down(k: Broadcast) -> Broadcast:
        return jnp.where(k > 0, jnp.exp(shape * (jnp.log(jnp.where(k > 0, k, 1.0)) - log_mu)), 0.0)

    return summed_tails(y, jnp.log(y + 0.5) < log_mu, lambda k: log_prob(k, log_mu, shape), down, up)


def tails(y: Broadcast, log_mu: Broadcast, shape: Broadcast) -> tuple[Broadcast, Broadcast]:
    """Return log P(Y <= y) and log P(Y > y) on JAX arrays; nothing lies below 0."""
    from bayesml.families.summation import tails_of_counts

    return tails_of_counts(_tails_at, y, log_mu, shape)


def com_poisson(link: str = "log", link_shape: str = "log") -> ComPoisson:
    """Return the Conway-Maxwell-Poisson family, for counts that vary more or less than Poisson counts.

    P(y) is proportional to (mu^y / y!)^shape, as in brms: mu is near the mode, not the mean, which ``epred`` computes.

    Args:
        link: link of mu.
        link_shape: link of shape, where it has a formula; 1 is the Poisson distribution, larger shapes vary less.
    """
    return ComPoisson.with_links(link, link_shape)


EXAMPLE = Example(
    com_poisson(),
    y=(1.0, 2.0, 4.0),
    parameters={"mu": 2.5, "shape": 1.7},
    log_density=(-1.4848975725109217, -1.1055535352767651, -2.2145063515442382),
    source="mpmath 1.3: the terms over their sum",
)
