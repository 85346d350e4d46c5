"""The Dirichlet distribution of simplexes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, lgamma
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.distributions.base import copy_with, format_number
from bayesml.distributions.whole import WholeDistribution
from bayesml.errors import PriorError
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayesml.shapes import Broadcast, Numbers

__all__ = ["Dirichlet", "dirichlet"]


@final
@dataclass(frozen=True, repr=False)
class Dirichlet(WholeDistribution):
    """``dirichlet(alpha)``: simplexes with density proportional to prod_i x_i^(alpha_i - 1); one number is for all.

    Attributes:
        alpha: one concentration for all elements, ``(1.0,)``, or one for each.
    """

    alpha: tuple[float, ...]

    name: ClassVar[str] = "dirichlet"

    def __post_init__(self) -> None:
        concentrations = self.alpha if isinstance(self.alpha, Sequence) else (self.alpha,)
        for value in concentrations:
            bad = isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value)
            if bad or float(value) <= 0:
                raise PriorError(f"`alpha` of dirichlet() is a number larger than 0, or one for each; got {value!r}.")
        if not concentrations:
            raise PriorError("dirichlet() takes a number larger than 0, or one for each element; got none.")
        object.__setattr__(self, "alpha", tuple(float(value) for value in concentrations))

    def __str__(self) -> str:
        return f"dirichlet({', '.join(map(format_number, self.alpha))})"

    def concentrations(self, size: int) -> np.ndarray:
        """Return the concentration of each of ``size`` elements."""
        self.check_shape((size,))
        return np.broadcast_to(np.asarray(self.alpha), (size,))

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise a PriorError unless there is one concentration, or one for each element."""
        if len(self.alpha) not in (1, shape[0]):
            raise PriorError(f"{self} has {len(self.alpha)} numbers for a simplex of {shape[0]} elements.")

    def whole_log_density(self, value: Numbers) -> Numbers:
        """Return log Gamma(sum alpha) - sum log Gamma(alpha) + sum (alpha - 1) log x."""
        xp, given = array_namespace(value), self.__dict__.get("given")
        alpha, constant = given or self._alpha_and_constant(value.shape[-1])
        if given is None and np.all(alpha == 1):
            return xp.full(value.shape[:-1], constant)
        return constant + ((alpha - 1) * xp.log(value)).sum(axis=-1)

    def _alpha_and_constant(self, size: int) -> tuple[np.ndarray, float]:
        alpha = self.concentrations(size)
        return alpha, lgamma(float(alpha.sum())) - sum(map(lgamma, alpha.tolist()))

    @property
    def is_uniform(self) -> bool:
        """Whether all concentrations are 1."""
        return all(each == 1.0 for each in self.alpha)

    @property
    def kind(self) -> tuple[object, ...]:
        """Whether it is uniform, where nothing is computed."""
        return (Dirichlet, self.is_uniform)

    def numbers(self, shape: tuple[int, ...] = ()) -> tuple[Any, ...]:
        """Return the concentration of each element and the constant; none where it is uniform."""
        return () if self.is_uniform else self._alpha_and_constant(shape[-1])

    def at(self, numbers: Sequence[Any]) -> Dirichlet:
        """Return it with other concentrations."""
        return copy_with(self, {"given": tuple(numbers)}) if numbers else self

    def draw_whole(self, rng: np.random.Generator, shape: tuple[int, ...], size: int) -> np.ndarray:
        """Return independent simplexes, ``(size, k)``."""
        return rng.dirichlet(self.concentrations(shape[0]), size=size)

    def numpyro_whole(self, shape: tuple[int, ...]) -> dist.Distribution:
        """Return NumPyro's ``Dirichlet``."""
        import numpyro.distributions as dist

        return dist.Dirichlet(self.concentrations(shape[0]))

    @property
    def support(self) -> tuple[float, float]:
        """The range of an element."""
        return 0.0, 1.0

    @property
    def location(self) -> float:
        """The mean of the first element of two."""
        return 0.5

    @property
    def scale(self) -> float:
        """A typical distance of an element from its mean."""
        return 0.5

    @staticmethod
    def numpyro_form(*alpha: Broadcast) -> dist.Distribution:
        """Raise: the NumPyro form needs the number of elements."""
        raise PriorError("A Dirichlet prior needs the number of elements: use its numpyro_whole(shape).")


def dirichlet(*alpha: float) -> Dirichlet:
    """Return the Dirichlet distribution: ``dirichlet(1)`` is uniform, ``dirichlet(2, 1, 1)`` favours the first step.

    Args:
        alpha: one concentration for all elements, or one for each.
    """
    return Dirichlet(alpha)
