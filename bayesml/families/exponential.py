"""The exponential family of waiting times with a constant hazard."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import numbers, require
from bayesml.families.scales import POSITIVE_LINKS, mu
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Exponential", "exponential"]


@final
@dataclass(frozen=True)
class Exponential(AbstractSimpleFamily):
    """y of 0 or larger with mean mu: S(y) = exp(-y / mu)."""

    name: ClassVar[str] = "exponential"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(POSITIVE_LINKS, 0.0),)
    traits: ClassVar[Traits] = Traits(continuous=(0.0, inf), has_cdf=True, lognormal_variance=True)
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
        """Return -log(mu) - y / mu."""
        log_mean = self.link("mu").log_inverse(values["mu"])
        return -log_mean - y * array_namespace(log_mean).exp(-log_mean)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from jax import numpy as jnp

        from bayesml.families.tails import hazard_tails

        return hazard_tails(y, lambda x: jnp.log(x) - self.link("mu").log_inverse(values["mu"]))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu^2."""
        return parameters["mu"] ** 2

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw exponential numbers."""
        return parameters["mu"] * rng.standard_exponential(np.shape(parameters["mu"]))


def exponential(link: str = "log") -> Exponential:
    """Return the exponential family, for waiting times with a constant hazard.

    Args:
        link: link of the mean mu.
    """
    return Exponential.with_links(link)


EXAMPLE = Example(
    exponential(),
    y=(0.0, 0.8, 7.0),
    parameters={"mu": 1.5},
    log_density=(-0.4054651081081644, -0.9387984414414977, -5.072131774774832),
    source="SciPy 1.17.1: expon(scale=1.5).logpdf(y)",
    support=(0.0, inf),
)
