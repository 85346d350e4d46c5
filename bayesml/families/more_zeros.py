"""What zero inflation and hurdles share: another family, and the probability of a zero beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from bayesml import distributions
from bayesml.delegation import delegated
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.records import DistributionalParameter
from bayesml.families.scales import PROBABILITY_LINKS
from bayesml.links import get_link

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Values

__all__ = ["AbstractMoreZeros", "AbstractZeroInflated", "probability_of_zero"]


def probability_of_zero(name: str) -> DistributionalParameter:
    """Return the parameter of that name, with brms's default priors."""
    return DistributionalParameter(
        name, PROBABILITY_LINKS, (0.0, 1.0), distributions.beta(1, 1), distributions.logistic(0, 1), typical=0.2
    )


@dataclass(frozen=True)
class AbstractMoreZeros(AbstractSimpleFamily):
    """A family with a probability of zero beside another family.

    Attributes:
        base: the other family; its links come first among ``links``, that of the probability last.
    """

    base: type[AbstractSimpleFamily]

    prefix: ClassVar[str]
    """Of brms's name, before that of the other family."""
    zero: ClassVar[DistributionalParameter]
    """The probability of a zero beside the other family."""

    @property
    def name(self) -> str:  # type: ignore[override]
        """Brms's name."""
        return f"{self.prefix}_{self.base.name}"

    @property
    def other(self) -> AbstractSimpleFamily:
        """The other family, with its links."""
        return self.base(self.links[:-1])

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:  # type: ignore[override]
        """Those of the other family, and the probability of a zero."""
        return (*self.base.dpars, self.zero)

    @property
    def linear(self) -> frozenset[str]:  # type: ignore[override]
        """Those of the other family, and the probability: its logarithm and that of its complement keep their tails."""
        return self.base.linear | {self.zero.name}

    def log_zero(self, values: Values) -> tuple[Broadcast, Broadcast]:
        """Return the logarithms of the probability of a zero and of its complement."""
        link, eta = self.link(self.zero.name), values[self.zero.name]
        return link.log_inverse(eta), link.log_complement(eta)

    def with_zeros(self, rng: np.random.Generator, drawn: Drawn, parameters: Values) -> Drawn:
        """Return draws of the other family with zeros at random among them."""
        probability = parameters[self.zero.name]
        size = np.broadcast_shapes(np.shape(drawn), np.shape(probability))
        return np.where(rng.random(size) < probability, 0.0, drawn)

    @classmethod
    def over(cls, base: type[AbstractSimpleFamily], *links: str) -> Self:
        """Return the family over another one, with the links of those names."""
        default = cls(tuple(get_link(p.links[0]) for p in (*base.dpars, cls.zero)), base)
        return replace(default, links=default.checked_links(*links))


@dataclass(frozen=True)
class AbstractZeroInflated(AbstractMoreZeros):
    """A family that is 0 with probability zi, and that of ``other`` else."""

    prefix: ClassVar[str] = "zero_inflated"
    zero: ClassVar[DistributionalParameter] = probability_of_zero("zi")

    encode = delegated("other")

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (1 - zi) times the mean of the other family."""
        return (1.0 - parameters["zi"]) * self.other.mean(parameters, data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (1 - zi) (variance + zi mean^2) of the other family."""
        zi, mean = parameters["zi"], self.other.mean(parameters, data)
        return (1.0 - zi) * (self.other.variance(parameters, data) + zi * mean**2)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw from the other family, and set a share zi to 0."""
        return self.with_zeros(rng, self.other.draw(rng, parameters, data), parameters)
