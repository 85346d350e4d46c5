"""The discrete Weibull family: counts whose survival function is that of a Weibull variable at whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import gamma, student_t
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.counts import log_probability_of_some
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import counts
from bayesml.families.scales import PROBABILITY_LINKS, SCALE_LINKS, mu
from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "DiscreteWeibull", "discrete_weibull"]

special = lazy_module("scipy.special")

SHAPE = DistributionalParameter("shape", SCALE_LINKS, (0.0, inf), gamma(0.01, 0.01), student_t(3, 0, 2.5))
SMALLEST = 1e-290
SUMMED = 24
"""Number of counts whose survival is summed one by one; beyond, an integral with corrections stands for the sum."""


@final
@dataclass(frozen=True)
class DiscreteWeibull(AbstractSimpleFamily):
    """P(Y >= y) = mu^(y^shape), with mu = P(Y > 0) between 0 and 1: P(y) = mu^(y^shape) - mu^((y + 1)^shape)."""

    name: ClassVar[str] = "discrete_weibull"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(PROBABILITY_LINKS, 0.0, 1.0), SHAPE)
    traits: ClassVar[Traits] = Traits(has_cdf=True, discrete=True, rows_repeat=True)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take whole numbers >= 0."""
        return ResponseData({"y": counts(response, self.name)})

    def _hazard(self, values: Values) -> tuple[PerRow, PerRow]:
        """Return log(-log(mu)), NaN where mu lies outside of its range, and the shape."""
        from jax import numpy as jnp

        log_mu = self.link("mu").log_inverse(values["mu"])
        return jnp.where(log_mu > 0, jnp.nan, jnp.log(jnp.maximum(-log_mu, SMALLEST))), values["shape"]

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(Y >= y) + log(1 - P(Y >= y + 1) / P(Y >= y)).

        With h = -log(mu) the ratio is exp(-h ((y + 1)^s - y^s)), and the difference of powers is
        y^s (exp(s log(1 + 1 / y)) - 1).
        """
        from jax import numpy as jnp

        log_hazard, shape = self._hazard(values)
        some = y > 0
        at = jnp.where(some, y, 1.0)
        log_power = shape * jnp.log(at)
        log_step = jnp.where(some, log_power + jnp.log(jnp.expm1(shape * jnp.log1p(1.0 / at))), 0.0)
        survival = jnp.where(some, -jnp.exp(log_hazard + log_power), 0.0)
        return survival + log_probability_of_some(log_hazard + log_step)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log(1 - mu^((y + 1)^shape)) and (y + 1)^shape log(mu)."""
        from jax import numpy as jnp

        log_hazard, shape = self._hazard(values)
        k = jnp.floor(y)
        log_total = log_hazard + shape * jnp.log1p(jnp.maximum(k, 0.0))
        below, above = log_probability_of_some(log_total), -jnp.exp(log_total)
        return jnp.where(k < 0, -jnp.inf, below), jnp.where(k < 0, 0.0, above)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the mean, sum_k P(Y >= k) over k of 1 and above."""
        return _moments(parameters["mu"], parameters["shape"])[0]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance; E(Y^2) is sum_k (2 k - 1) P(Y >= k)."""
        return _moments(parameters["mu"], parameters["shape"])[1]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw counts: the whole part of (log(U) / log(mu))^(1 / shape), U uniform."""
        hazard, shape = -np.log(parameters["mu"]), parameters["shape"]
        size = np.broadcast_shapes(np.shape(hazard), np.shape(shape))
        with np.errstate(all="ignore"):
            return np.floor((rng.standard_exponential(size) / np.maximum(hazard, SMALLEST)) ** (1.0 / shape))


def _moments(mean: Broadcast, shape: Broadcast) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance by Euler and Maclaurin's formula.

    With S(k) = exp(-h k^s), g = S or (2 k - 1) S, and K the first count that is not summed one by one, the rest of the
    sum is the integral of g from K on, plus g(K) / 2 - g'(K) / 12 + g'''(K) / 720. The integral of x^(p - 1) S is
    Gamma(p / s) Q(p / s, h K^s) / (s h^(p / s)).
    """
    h, s = np.broadcast_arrays(-np.log(np.asarray(mean, dtype=float)), np.asarray(shape, dtype=float))
    first, square = np.zeros(h.shape), np.zeros(h.shape)
    with np.errstate(all="ignore"):
        h = np.maximum(h, SMALLEST)
        for k in range(1, SUMMED):
            survival = np.exp(-h * float(k) ** s)
            first, square = first + survival, square + (2 * k - 1) * survival
        whole = [_integral(h, s, p) for p in (1.0, 2.0)]
        values = [_survival(h, s, SUMMED + d) for d in (-2.0, -1.0, 0.0, 1.0, 2.0)]
        weighted = [(2 * (SUMMED + d) - 1) * v for d, v in zip((-2.0, -1.0, 0.0, 1.0, 2.0), values, strict=True)]
        first = first + whole[0] + _correction(values)
        square = square + 2 * whole[1] - whole[0] + _correction(weighted)
    return first, square - first**2


def _survival(h: np.ndarray, s: np.ndarray, k: float) -> np.ndarray:
    return np.exp(-h * k**s)


def _integral(h: np.ndarray, s: np.ndarray, p: float) -> np.ndarray:
    a = p / s
    tail = special.gammaincc(a, h * float(SUMMED) ** s)
    return np.where(tail > 0, np.exp(special.gammaln(a) - a * np.log(h)) * tail / s, 0.0)


def _correction(g: list[np.ndarray]) -> np.ndarray:
    """Return g / 2 - g' / 12 + g''' / 720 at the third of five points with distance 1, with central differences."""
    slope = (g[0] - 8 * g[1] + 8 * g[3] - g[4]) / 12
    third = (g[4] - 2 * g[3] + 2 * g[1] - g[0]) / 2
    return 0.5 * g[2] - slope / 12 + third / 720


def discrete_weibull(link: str = "logit", link_shape: str = "log") -> DiscreteWeibull:
    """Return the discrete Weibull family: P(Y >= y) = mu^(y^shape).

    Args:
        link: link of mu, the probability of a count larger than 0; it is not the mean, which ``epred`` computes.
        link_shape: link of shape, where it has a formula; 1 is the geometric distribution.
    """
    return DiscreteWeibull.with_links(link, link_shape)


EXAMPLE = Example(
    discrete_weibull(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 0.8, "shape": 1.3},
    log_density=(-1.6094379124341003, -1.5017984016960164, -4.7161352187581125),
    source="mpmath 1.3: log(0.8^(y^1.3) - 0.8^((y + 1)^1.3))",
)
