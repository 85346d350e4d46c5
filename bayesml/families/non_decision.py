"""The shift ndt of response times, which is smaller than the smallest of them, and likelihoods that have one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Self

import numpy as np

from bayesml.distributions import normal, uniform
from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.records import DistributionalParameter, RawResponse
from bayesml.families.response import positive_numbers
from bayesml.families.scales import SCALE_LINKS
from bayesml.links import Link

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Observed, PerRow, Values

__all__ = ["NDT", "AbstractShifted", "AbstractShiftedFamily"]

NDT = DistributionalParameter("ndt", SCALE_LINKS, (0.0, inf), placed_by_data=True)
"""The shift before there are data."""


@dataclass(frozen=True)
class AbstractShiftedFamily(AbstractFamily):
    """A family of positive responses with a shift."""

    @abstractmethod
    def shifted(self, smallest: float) -> AbstractShifted:
        """Return the likelihood of responses of which that is the smallest."""

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Look for the smallest response."""
        return self.shifted(float(np.min(positive_numbers(response, self.name, for_fit=False))))


@dataclass(frozen=True)
class AbstractShifted(AbstractLikelihood):
    """The likelihood of responses that lie above a shift.

    Attributes:
        chosen_family: the family as the user chose it.
        smallest: the smallest response, the upper bound of a shift without a formula.
        predicted: whether the shift has a formula: that of each row is then below its own response only.
    """

    chosen_family: AbstractShiftedFamily
    smallest: float
    predicted: bool = False

    @property
    def family(self) -> AbstractFamily:
        """The family."""
        return self.chosen_family

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """Those of the family; the shift has its bound, and starts at half of it."""
        return tuple(self._ndt() if p.name == "ndt" else p for p in self.chosen_family.dpars)

    def _ndt(self) -> DistributionalParameter:
        bound, start = self.smallest, 0.5 * self.smallest
        link = self.chosen_family.link("ndt")
        center = float(link.forward(start))
        spread = abs(float(link.forward(1.5 * start)) - center)
        return replace(
            NDT,
            bounds=(0.0, inf if self.predicted else bound),
            prior=uniform(0.0, bound),
            intercept_prior=normal(float(f"{center:.4g}"), float(f"{2.0 * spread:.4g}")),
            typical=start,
        )

    def link(self, dpar: str) -> Link:
        """Return the link of ``dpar``."""
        return self.chosen_family.link(dpar)

    def with_formula(self, predicted: frozenset[str], fixed: Mapping[str, float | str]) -> Self:
        """Leave a shift with a formula without the bound."""
        return replace(self, predicted="ndt" in predicted)

    @abstractmethod
    def log_prob_of_time(self, time: PerRow, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of what is left of a response without the shift, which is larger than 0."""

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density; -inf at and below the shift."""
        from jax import numpy as jnp

        time = y - values["ndt"]
        above = time > 0
        return jnp.where(above, self.log_prob_of_time(jnp.where(above, time, 1.0), values, data), -jnp.inf)
