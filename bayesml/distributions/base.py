"""The interface of all distributions that can be priors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np

from bayesml.errors import PriorError

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayesml.shapes import Broadcast, Elements

__all__ = ["Distribution", "copy_with", "format_number", "stack", "where_inside"]

D = TypeVar("D", bound="Distribution")
SMALLEST_UNIFORM = 2.0**-60  # keeps quantiles of draws finite


@dataclass(frozen=True, repr=False)
class Distribution(ABC):
    """A distribution as an immutable value. Its fields are its arguments, in the order in which they are written.

    Densities take NumPy and JAX arrays; ``cdf``, ``survival`` and ``quantile`` take NumPy arrays. All work element by
    element.
    """

    name: ClassVar[str]
    positive: ClassVar[frozenset[str]] = frozenset()
    """Arguments that must be larger than 0."""
    numpyro_name: ClassVar[str]
    """Class of NumPyro that takes the same arguments in the same order."""

    def __post_init__(self) -> None:
        for argument in fields(self):
            value = _checked(self.name, argument.name, getattr(self, argument.name), argument.name in self.positive)
            object.__setattr__(self, argument.name, value)

    @property
    def arguments(self) -> tuple[float, ...]:
        """The arguments in the order in which they are written."""
        return tuple(getattr(self, argument.name) for argument in fields(self))

    def __str__(self) -> str:
        return f"{self.name}({', '.join(format_number(a) for a in self.arguments)})"

    def __repr__(self) -> str:
        return str(self) or f"{self.name}()"

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """The interval outside of which the density is 0."""

    @property
    def is_proper(self) -> bool:
        """Whether the density integrates to one."""
        return True

    @property
    def is_constant(self) -> bool:
        """Whether it holds the parameter at a value, so that this is not sampled."""
        return False

    @property
    @abstractmethod
    def location(self) -> float:
        """A finite typical value, for starting points."""

    @property
    @abstractmethod
    def scale(self) -> float:
        """A finite typical distance from ``location``, for starting points."""

    @abstractmethod
    def log_density(self, x: Elements) -> Elements:
        """Return the normalised log density at ``x``, element by element; -inf outside the support."""

    def log_density_inside(self, x: Elements) -> Elements:
        """Return ``log_density`` for ``x`` that is known to be in the support, without checking it."""
        return self.log_density(x)

    @abstractmethod
    def log_density_derivative(self, x: Elements) -> Elements:
        """Return the derivative of ``log_density`` inside the support."""

    @abstractmethod
    def cdf(self, x: Elements) -> Elements:
        """Return P(X <= x)."""

    @abstractmethod
    def survival(self, x: Elements) -> Elements:
        """Return P(X > x), accurate where it is small."""

    @abstractmethod
    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""

    @property
    def kind(self) -> tuple[object, ...]:
        """What a program that computes the density depends on: all but the numbers."""
        return (type(self),)

    @property
    def takes_arrays(self) -> bool:
        """Whether ``at`` may be given arrays of numbers, one for each element of ``x``."""
        return True

    @property
    def log_constant(self) -> float:
        """What ``log_density`` adds whatever ``x`` is, where that is costly to compute."""
        return 0.0

    def numbers(self, shape: tuple[int, ...] = ()) -> tuple[Any, ...]:
        """Return the arguments, and what follows from them alone, which a program takes as data.

        Args:
            shape: shape of the array that a distribution of whole arrays is for.
        """
        return (*self.arguments, self.log_constant)

    def at(self, numbers: Sequence[Any]) -> Self:
        """Return the distribution of this kind with other numbers, which may be arrays or tracers.

        Its densities work; they are not checked.
        """
        names = [*(argument.name for argument in fields(self)), "log_constant"]
        return copy_with(self, dict(zip(names, numbers, strict=True)))

    @classmethod
    def numpyro_form(cls, *arguments: Broadcast) -> dist.Distribution:
        """Return the NumPyro distribution with these arguments, which may be arrays of equal shape."""
        import numpyro.distributions as dist

        return getattr(dist, cls.numpyro_name)(*arguments)

    def numpyro(self) -> dist.Distribution:
        """Return the NumPyro distribution of a single number."""
        return self.numpyro_form(*self.arguments)

    def can_batch(self, distributions: Sequence[Distribution]) -> bool:
        """Whether ``distributions``, of which this is the first, can be one NumPyro distribution of a vector."""
        return all(type(d) is type(self) for d in distributions)

    def batch(self, distributions: Sequence[Distribution]) -> dist.Distribution:
        """Return one NumPyro distribution of a vector, if ``can_batch``."""
        return self.numpyro_form(*np.array([d.arguments for d in distributions]).T)

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...] = ()) -> np.ndarray:
        """Return independent draws of shape ``size``.

        Raises:
            PriorError: the distribution is not proper.
        """
        return np.asarray(self.quantile(np.maximum(rng.random(size), SMALLEST_UNIFORM)))


def copy_with(distribution: D, values: Mapping[str, Any]) -> D:
    """Return a copy with other attributes, without the checks of arguments; what was derived from them is replaced."""
    copy = object.__new__(type(distribution))
    copy.__dict__.update({field.name: getattr(distribution, field.name) for field in fields(distribution)})
    copy.__dict__.update(values)
    return copy


def stack(distributions: Sequence[Distribution]) -> dist.Distribution | None:
    """Return one NumPyro distribution of a vector with these priors, or None if they are of different kinds."""
    first = distributions[0]
    return first.batch(distributions) if first.can_batch(distributions) else None


def format_number(value: float) -> str:
    """Return the shortest text that reads back as ``value``: ``59.3``, ``0``, ``-1.4``."""
    text = repr(float(value) + 0.0)  # + 0.0 turns -0.0 into 0.0
    return text.removesuffix(".0")


def where_inside(x: Elements, support: tuple[float, float], inside: Elements, xp: Any) -> Elements:
    """Return ``inside`` where ``x`` lies in the support and -inf elsewhere."""
    return xp.where((x >= support[0]) & (x <= support[1]), inside, -np.inf)


def _checked(kind: str, argument: str, value: object, positive: bool) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real) or not isfinite(value):
        raise PriorError(f"`{argument}` of {kind}() is a finite number; got {value!r}.")
    if positive and value <= 0:
        raise PriorError(f"`{argument}` of {kind}() is larger than 0; got {format_number(float(value))}.")
    return float(value)
