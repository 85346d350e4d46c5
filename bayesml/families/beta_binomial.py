"""The beta-binomial family: successes whose probability differs between rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.binomial import successes
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.scales import PHI, PROBABILITY_LINKS, mu

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "BetaBinomial", "beta_binomial"]

SMALLEST = 1e-290  # of the shapes of a beta variable that is drawn


@final
@dataclass(frozen=True)
class BetaBinomial(AbstractSimpleFamily):
    """y successes in n ``trials``, whose probability has a beta distribution of mean mu and precision phi.

    With a = mu phi and b = (1 - mu) phi it is P(y) = C(n, y) B(y + a, n - y + b) / B(a, b). The expected response is
    n mu, the variance n mu (1 - mu) (1 + (n - 1) / (1 + phi)); phi towards infinity is the binomial family.
    """

    name: ClassVar[str] = "beta_binomial"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(PROBABILITY_LINKS, 0.0, 1.0), PHI)
    traits: ClassVar[Traits] = Traits(has_cdf=True, discrete=True, rows_repeat=True, trials=True)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take whole numbers from 0 to the number of trials, or shares of the trials from 0 to 1."""
        return successes(response, self.name, for_fit=for_fit)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(y); the ratios of gamma functions are products of y, n - y and n factors."""
        return _log_prob(y, data["trials"], *self._log_shapes(values))

    def _log_shapes(self, values: Values) -> tuple[Broadcast, Broadcast, Broadcast]:
        """Return log(a), log(b) and log(phi)."""
        from jax import numpy as jnp

        link, eta, log_phi = self.link("mu"), values["mu"], jnp.log(values["phi"])
        return link.log_inverse(eta) + log_phi, link.log_complement(eta) + log_phi, log_phi

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y), sums over numbers of successes."""
        from jax import numpy as jnp

        n, k = data["trials"], jnp.floor(y)
        some = (k >= 0) & (k < n)
        arrays = (jnp.where(some, k, 0.0), jnp.where(some, n, 1.0), *self._log_shapes(values))
        below, above = _tails(*jnp.broadcast_arrays(*arrays))
        return (
            jnp.where(some, below, jnp.where(k < 0, -jnp.inf, 0.0)),
            jnp.where(some, above, jnp.where(k < 0, 0.0, -jnp.inf)),
        )

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected count, n mu."""
        return data["trials"] * parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return n mu (1 - mu) (1 + (n - 1) / (1 + phi))."""
        n, mean = data["trials"], parameters["mu"]
        return n * mean * (1 - mean) * (1 + (n - 1) / (1 + parameters["phi"]))

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw probabilities, and counts with these."""
        mean = np.clip(parameters["mu"], 0.0, 1.0)
        a, b = (np.maximum(m * parameters["phi"], SMALLEST) for m in (mean, 1 - mean))
        return rng.binomial(np.asarray(data["trials"]).astype(np.int64), rng.beta(a, b)).astype(float)


def _log_prob(y: Broadcast, n: Broadcast, log_a: Broadcast, log_b: Broadcast, log_phi: Broadcast) -> Broadcast:
    from jax import numpy as jnp

    from bayesml.families.densities import log_choose, log_pochhammer, possible

    failures = n - y
    rows = log_pochhammer(jnp.exp(log_a), log_a, y) + log_pochhammer(jnp.exp(log_b), log_b, failures)
    rows = log_choose(n, y) + rows - log_pochhammer(jnp.exp(log_phi), log_phi, n)
    return possible(log_a - log_phi, log_b - log_phi, rows)


def _tails_forward(
    y: Broadcast, n: Broadcast, log_a: Broadcast, log_b: Broadcast, log_phi: Broadcast
) -> tuple[Broadcast, Broadcast]:
    """Return the tails at 0 <= y < n; P(k + 1) / P(k) is (n - k) (a + k) / ((k + 1) (b + n - k - 1))."""
    from jax import numpy as jnp

    from bayesml.families.summation import summed_tails

    a, b = jnp.exp(log_a), jnp.exp(log_b)

    def up(k: Broadcast) -> Broadcast:
        some = k < n
        k = jnp.where(some, k, 0.0)
        return jnp.where(some, (n - k) * (a + k) / ((k + 1.0) * (b + n - k - 1.0)), 0.0)

    def down(k: Broadcast) -> Broadcast:
        some = k > 0
        k = jnp.where(some, k, n)
        return jnp.where(some, k * (b + n - k) / ((n - k + 1.0) * (a + k - 1.0)), 0.0)

    below = y + 0.5 < n * a / (a + b)
    return summed_tails(y, below, lambda k: _log_prob(k, n, log_a, log_b, log_phi), down, up)


def _tails(*arrays: Broadcast) -> tuple[Broadcast, Broadcast]:
    from bayesml.families.incomplete import with_gradients

    return with_gradients(_tails_forward, constants=2)(*arrays)


def beta_binomial(link: str = "logit", link_phi: str = "log") -> BetaBinomial:
    """Return the beta-binomial family, for numbers of successes that vary more than binomial ones.

    Args:
        link: link of the mean probability mu.
        link_phi: link of the precision phi, where it has a formula; the larger it is, the nearer to binomial.
    """
    return BetaBinomial.with_links(link, link_phi)


EXAMPLE = Example(
    beta_binomial(),
    y=(0.0, 2.0, 7.0),
    parameters={"mu": 0.3, "phi": 4.2},
    log_density=(-1.4996834193671889, -1.671133311840652, -4.373934896959379),
    source="SciPy 1.17.1: betabinom(7, 0.3 * 4.2, 0.7 * 4.2).logpmf(y)",
    additions={"trials": (7.0, 7.0, 7.0)},
)
