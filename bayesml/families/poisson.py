"""The Poisson family, and how counts are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.counts import AbstractCount, log_probability_of_some
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature, log_factorial
from bayesml.families.divergences import poisson_divergence
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, Traits
from bayesml.families.scales import COUNT_LINKS, mu

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Poisson", "draw_poisson", "poisson"]

LARGEST_RATE = 1e15  # above, the normal approximation is exact to the last digit of a double


def draw_poisson(rng: np.random.Generator, rate: np.ndarray) -> np.ndarray:
    """Draw Poisson counts; rates beyond what the generator takes, as wide priors give, are drawn as normal numbers."""
    rate = np.asarray(rate, dtype=float)
    drawn = rng.poisson(np.minimum(rate, LARGEST_RATE)).astype(float)
    if not np.any(rate > LARGEST_RATE):
        return drawn
    normal = rate + np.sqrt(np.where(rate < np.inf, rate, 0.0)) * rng.standard_normal(rate.shape)
    return np.where(rate > LARGEST_RATE, np.round(normal), drawn)


@final
@dataclass(frozen=True)
class Poisson(AbstractCount):
    """Counts with mean and variance mu."""

    name: ClassVar[str] = "poisson"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(COUNT_LINKS, 0.0),)
    traits: ClassVar[Traits] = Traits(
        has_cdf=True,
        discrete=True,
        rows_repeat=True,
        lognormal_variance=True,
        rate=frozenset({"mu"}),
        divergence=poisson_divergence,
    )
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})
    limit_of: ClassVar[str] = "negbinomial"

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return y log(mu) - mu - log(y!), from log(mu) where that is the linear predictor."""
        from bayesml.families import densities

        link = self.link("mu")
        if link.name == "log":
            return densities.poisson_of_log(y, values["mu"])
        return densities.poisson(y, link.inverse(values["mu"]))

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.tails import poisson_tails

        return poisson_tails(y, self.link("mu").inverse(values["mu"]))

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw counts."""
        return draw_poisson(rng, parameters["mu"])

    def log_some(self, log_mean: PerRow, values: Values) -> PerRow:
        """Return log(1 - exp(-mu))."""
        return log_probability_of_some(log_mean)

    def draw_some(self, rng: np.random.Generator, parameters: Values) -> Drawn:
        """Draw counts larger than 0.

        A count is the number of events of a Poisson process of rate mu in [0, 1]. Given that there is one, the first is
        at t with P(T > t) = exp(-mu t) cut off at t = 1, and the number of the others is Poisson in what is left.
        """
        mean = np.asarray(parameters["mu"], dtype=float)
        uniform = rng.random(mean.shape)
        # -log(1 - U (1 - exp(-mu))) is mu t
        return 1.0 + draw_poisson(rng, np.maximum(mean + np.log1p(uniform * np.expm1(-mean)), 0.0))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the derivatives of y log(mu) - mu - log(y!)."""
        y, link = data["y"], self.link("mu")
        constant = log_factorial(y)
        if link.name == "log":
            mean = np.exp(eta)
            return Curvature(y * eta - mean - constant, y - mean, -mean, -mean, mean)
        mean, log_mean = link.jet(eta), link.log_jet(eta)
        total = log_mean.scaled(y) + mean.scaled(-1.0)
        value = np.where(mean.value < 0, -np.inf, total.value - constant)
        return Curvature(value, total.d1, total.d2, total.d3, mean.d1 * log_mean.d1)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return nothing: there is no other parameter."""
        return {}


def poisson(link: str = "log") -> Poisson:
    """Return the Poisson family, for counts.

    Args:
        link: link of the mean mu.
    """
    return Poisson.with_links(link)


EXAMPLE = Example(
    poisson(),
    y=(0.0, 1.0, 9.0),
    parameters={"mu": 2.5},
    log_density=(-2.5, -1.583709268125845, -7.055210893214072),
    source="SciPy 1.17.1: poisson(2.5).logpmf(y)",
)
