"""The Tweedie family of responses of 0 or larger: a Poisson number of gamma variables, with exact zeros."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import logistic, uniform
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData
from bayesml.families.response import numbers, require
from bayesml.families.scales import PHI, POSITIVE_LINKS, mu
from bayesml.links import between_name

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Tweedie", "tweedie"]

POWER_LINK = between_name(1.0, 2.0)
POWER = DistributionalParameter(
    "power", (POWER_LINK, "identity"), (1.0, 2.0), uniform(1, 2), logistic(0, 1), typical=1.5
)
TERMS = 80
STEPS = 36
LOG_FACTORIALS = np.cumsum(np.log(np.arange(1.0, TERMS + 1.0)))
SPREAD = 9.0


@final
@dataclass(frozen=True)
class Tweedie(AbstractSimpleFamily):
    """y of 0 or larger with mean mu and variance phi mu^power, 1 < power < 2.

    y is the sum of N gamma variables of shape (2 - power) / (power - 1) and scale phi (power - 1) mu^(power - 1),
    where N is Poisson with mean mu^(2 - power) / (phi (2 - power)); P(0) = exp(-E(N)). The density of y > 0 is the sum
    over N.

    Source: Dunn and Smyth (2005), Series evaluation of Tweedie exponential dispersion model densities, Statistics and
    Computing 15, 267-280; the parameters are those of glmmTMB.
    """

    name: ClassVar[str] = "tweedie"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(POSITIVE_LINKS, 0.0), PHI, POWER)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take numbers of 0 or larger, not all of them 0."""
        y = numbers(response, self.name)
        require(response, y, y >= 0, "must not be negative", "Drop such rows, or model them with another family.")
        if for_fit:
            some = np.full(y.shape, bool((y > 0).any()))
            require(response, y, some, "must be larger than 0 in some row", "Check that it is the right column.")
        return ResponseData({"y": y})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return -E(N) for 0, else the log of the sum."""
        from jax import numpy as jnp

        log_mean, phi, power = self.link("mu").log_inverse(values["mu"]), values["phi"], values["power"]
        positive = y > 0
        expected = jnp.exp((2.0 - power) * log_mean) / (phi * (2.0 - power))
        return (
            jnp.where(positive, _log_sum(jnp.where(positive, y, 1.0), log_mean, phi, jnp.asarray(power)), 0.0)
            - expected
        )

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return phi mu^power."""
        return parameters["phi"] * parameters["mu"] ** parameters["power"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw the number of gamma variables, and their sum."""
        mean, phi, power = np.broadcast_arrays(*(np.asarray(parameters[n], float) for n in ("mu", "phi", "power")))
        least = 1e-9
        power = np.clip(power, 1.0 + least, 2.0 - least)
        count = rng.poisson(mean ** (2.0 - power) / (phi * (2.0 - power)))
        shape = np.where(count > 0, count * (2.0 - power) / (power - 1.0), 1.0)
        return np.where(count > 0, rng.gamma(shape) * phi * (power - 1.0) * mean ** (power - 1.0), 0.0)


def _log_sum(y: Broadcast, log_mean: Broadcast, phi: Broadcast, power: Broadcast) -> Broadcast:
    """Return the log of the sum over n = 1, 2, ... of the density of y given N = n times P(N = n), without -E(N).

    A term is (lambda^n / n!) (y / scale)^(n a) exp(-y / scale) / (y Gamma(n a)) with shape a. The terms rise and fall
    about n0 = y^(2 - power) / (phi (2 - power)), with standard deviation s = sqrt(n0 / (1 + a)). Beyond 9 s there is
    less than 1e-17 of the sum, so that the first 80 terms hold it where they reach n0 + 9 s.
    """
    from jax import lax
    from jax import numpy as jnp

    shape = (2.0 - power) / (power - 1.0)
    log_y, log_phi = jnp.log(y), jnp.log(phi)
    peak = jnp.exp((2.0 - power) * log_y) / (phi * (2.0 - power))
    spread = jnp.sqrt(peak / (1.0 + shape))
    # log(lambda) + a log(y / scale): mu is in it as mu^(2 - power) mu^-(2 - power) alone, which is 1
    slope = shape * (log_y - jnp.log(power - 1.0) - log_phi) - log_phi - jnp.log(2.0 - power)
    far = peak + SPREAD * spread + 5.0 > TERMS
    few = _first_terms(jnp.where(far, 0.0, slope), shape)
    inputs = jnp.broadcast_arrays(
        *(jnp.where(far, x, 100.0) for x in (peak, spread)), jnp.where(far, slope, 0.0), shape
    )
    many = lax.cond(jnp.any(far), lambda x: _terms_about_the_peak(*x), lambda x: 0.0 * x[2], inputs)
    scaled = jnp.exp(log_y + (1.0 - power) * log_mean) / (phi * (power - 1.0))
    return jnp.where(far, many, few) - log_y - scaled


def _first_terms(slope: Broadcast, shape: Broadcast) -> Broadcast:
    """Return the log of the sum of the first terms; their gamma functions are the same in all rows of one power."""
    from jax.scipy.special import logsumexp

    from bayesml.families.densities import log_gamma

    n = np.arange(1.0, TERMS + 1.0)
    gammas = log_gamma(n * shape[..., None]) + LOG_FACTORIALS
    return logsumexp(n * slope[..., None] - gammas, axis=-1)


def _terms_about_the_peak(peak: Broadcast, spread: Broadcast, slope: Broadcast, shape: Broadcast) -> Broadcast:
    """Return the log of the sum from n0 - 9 s to n0 + 9 s with a step that is larger than 1.

    The sum of a smooth function of that width is its integral whatever the step, within exp(-2 pi^2 (s / step)^2) (the
    trapezoidal rule).
    """
    from jax import lax
    from jax import numpy as jnp
    from jax.scipy.special import logsumexp

    from bayesml.families.densities import log_gamma

    first = lax.stop_gradient(jnp.maximum(jnp.floor(peak - SPREAD * spread), 1.0))
    step = lax.stop_gradient((peak + SPREAD * spread - first) / (STEPS - 1))
    # with a spread below that of a step the terms are no smooth function; then steps of 1 reach as far
    step = jnp.where(step < 1.0, 1.0, step)
    n = first[..., None] + step[..., None] * np.arange(STEPS)
    terms = n * slope[..., None] - log_gamma(n + 1.0) - log_gamma(n * shape[..., None])
    return logsumexp(terms, axis=-1) + jnp.log(step)


def tweedie(link: str = "log", link_phi: str = "log", link_power: str = POWER_LINK) -> Tweedie:
    """Return the Tweedie family, for amounts with exact zeros, such as rain, catches or claims.

    Args:
        link: link of the mean mu.
        link_phi: link of the dispersion phi, where it has a formula.
        link_power: link of the power of the variance between 1 and 2, where it has a formula; the default is the logit
            of its place between them, as in glmmTMB.
    """
    return Tweedie.with_links(link, link_phi, link_power)


EXAMPLE = Example(
    tweedie(),
    y=(0.0, 0.8, 7.0),
    parameters={"mu": 1.5, "phi": 1.2, "power": 1.6},
    log_density=(-2.4501646302597366, -1.1242514910465054, -5.1327955612160337),
    source="mpmath 1.3.0, 30 digits: the sum over N up to 400",
    support=(0.0, inf),
    atoms=(0.0,),
)
