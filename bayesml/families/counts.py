"""What families of counts share: the check of the response, and the count given that it is not 0."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.records import RawResponse, ResponseData
from bayesml.families.response import counts
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, PerRow, Values

__all__ = ["AbstractCount", "log_probability_of_some"]

SMALL = -17.0
"""Logarithm below which 1 - exp(-x) is x but for a relative error of x / 2 < 2.1e-8, which is then taken off."""


@dataclass(frozen=True)
class AbstractCount(AbstractSimpleFamily):
    """A family of counts with mean mu."""

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take whole numbers >= 0."""
        return ResponseData({"y": counts(response, self.name)})

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def log_mean(self, values: Values) -> PerRow:
        """Return log(mu) from its linear predictor."""
        return self.link("mu").log_inverse(values["mu"])

    @abstractmethod
    def log_some(self, log_mean: PerRow, values: Values) -> PerRow:
        """Return log P(y > 0), in NumPy or JAX.

        Args:
            log_mean: log(mu).
            values: the other parameters.
        """

    @abstractmethod
    def draw_some(self, rng: np.random.Generator, parameters: Values) -> Drawn:
        """Draw counts given that they are larger than 0."""


def log_probability_of_some(log_rate: Broadcast) -> Broadcast:
    """Return log(1 - exp(-x)) from log(x), which keeps its digits where x underflows; in NumPy or JAX."""
    xp = array_namespace(log_rate)
    is_small = log_rate < SMALL
    # Each branch is computed at a point where it is finite, also for elements that take the other one.
    rate = xp.exp(xp.where(is_small, 0.0, log_rate))
    return xp.where(is_small, log_rate - 0.5 * xp.exp(log_rate), xp.log(-xp.expm1(-rate)))
