"""The negative binomial family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import inv_gamma, student_t
from bayesml.families.counts import SMALL, AbstractCount, log_probability_of_some
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature, log_factorial
from bayesml.families.example import Example
from bayesml.families.gamma import draw_gamma
from bayesml.families.poisson import draw_poisson
from bayesml.families.records import DistributionalParameter, Traits
from bayesml.families.rising import digamma_rising, log_rising
from bayesml.families.scales import COUNT_LINKS, SCALE_LINKS, mu
from bayesml.lazy import lazy_module
from bayesml.links import Jet
from bayesml.links.elementary import softplus
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "NegativeBinomial", "negbinomial"]

special = lazy_module("scipy.special")

SHAPE = DistributionalParameter("shape", SCALE_LINKS, (0.0, inf), inv_gamma(0.4, 0.3), student_t(3, 0, 2.5))


@final
@dataclass(frozen=True)
class NegativeBinomial(AbstractCount):
    """Counts with mean mu and variance mu + mu^2 / shape."""

    name: ClassVar[str] = "negbinomial"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(COUNT_LINKS, 0.0), SHAPE)
    traits: ClassVar[Traits] = Traits(
        has_cdf=True, discrete=True, lognormal_variance=True, count_table="shape", rate=frozenset({"mu", "shape"})
    )
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density from log(mu); see ``curvature`` for its form."""
        from bayesml.families.densities import negative_binomial

        return negative_binomial(y, self.log_mean(values), values["shape"], data.get("distinct"), data.get("place"))

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.tails import negative_binomial_tails

        return negative_binomial_tails(y, self.log_mean(values), values["shape"])

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw Poisson counts whose means are gamma distributed."""
        return draw_poisson(rng, draw_gamma(rng, parameters["mu"], parameters["shape"]))

    def log_some(self, log_mean: PerRow, values: Values) -> PerRow:
        """Return log(1 - P(0)) with P(0) = (1 + mu / shape)^-shape = exp(-shape log(1 + e^t)), t = log(mu / shape)."""
        xp = array_namespace(log_mean, values["shape"])
        log_shape = xp.log(values["shape"])
        t = log_mean - log_shape
        is_small = t < SMALL
        # log(log(1 + e^t)) is t - e^t / 2 where e^t is small
        log_log = xp.where(is_small, t - 0.5 * xp.exp(t), xp.log(softplus(xp.where(is_small, 0.0, t))))
        return log_probability_of_some(log_shape + log_log)

    def draw_some(self, rng: np.random.Generator, parameters: Values) -> Drawn:
        """Draw counts larger than 0.

        A count is the number of events in [0, 1] of a Poisson process whose rate is gamma distributed with shape s and
        rate r = s / mu. The first event is at t with P(T > t) = (1 + t / r)^-s, cut off at t = 1. Given it the rate is
        gamma distributed with shape s + 1 and rate r + t, and the others are Poisson in what is left, 1 - t.
        """
        mean, shape = np.broadcast_arrays(*(np.asarray(parameters[name], dtype=float) for name in ("mu", "shape")))
        with np.errstate(all="ignore"):
            rate = shape / mean
            some = -np.expm1(-shape * np.log1p(mean / shape))
            first = rate * np.expm1(-np.log1p(-rng.random(mean.shape) * some) / shape)
            others = draw_gamma(rng, (shape + 1.0) / (rate + first) * (1.0 - first), shape + 1.0)
        return 1.0 + draw_poisson(rng, np.where(mean > 0, np.maximum(others, 0.0), 0.0))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu + mu^2 / shape."""
        return parameters["mu"] + parameters["mu"] ** 2 / parameters["shape"]

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the derivatives; in t = log(mu) - log(shape) the density is y t - (y + shape) log(1 + e^t) + const."""
        y, s, inner, t, p = self._coordinates(eta, data, auxiliary)
        information = (y + s) * p * (1 - p)
        log_mean = eta if inner is None else inner.value
        value = log_rising(s, y) - log_factorial(y) + y * log_mean - (y + s) * softplus(t)
        outer = Jet(value, y - (y + s) * p, -information, information * (2 * p - 1))
        return Curvature.through(outer, s * p, inner)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return the derivatives in log(shape), where dt = -1 and dp = -p (1 - p)."""
        y, s, inner, t, p = self._coordinates(eta, data, auxiliary)
        q = 1 - p
        value = s * (digamma_rising(s, y) - softplus(t)) + (y + s) * p
        derivatives = AuxiliaryDerivatives(value, p * ((y + s) * q - s), p * q * ((y + s) * (q - p) - s), s * p**2)
        return {"shape": derivatives.through(inner)}

    def _coordinates(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> tuple[np.ndarray, float, Jet | None, np.ndarray, np.ndarray]:
        link, s = self.link("mu"), auxiliary["shape"]
        inner = None if link.name == "log" else link.log_jet(eta)
        t = (eta if inner is None else inner.value) - np.log(s)
        return data["y"], s, inner, t, special.expit(t)


def negbinomial(link: str = "log", link_shape: str = "log") -> NegativeBinomial:
    """Return the negative binomial family, for counts that vary more than Poisson counts.

    Args:
        link: link of the mean mu.
        link_shape: link of shape, where it has a formula; the variance is mu + mu^2 / shape.
    """
    return NegativeBinomial.with_links(link, link_shape)


EXAMPLE = Example(
    negbinomial(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5, "shape": 2.2},
    log_density=(-1.670031326373834, -1.5128457428514217, -4.673597800296887),
    source="SciPy 1.17.1: nbinom(2.2, 2.2 / 4.7).logpmf(y)",
)
