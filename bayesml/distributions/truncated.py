"""Any distribution restricted to an interval and normalised there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.distributions.base import Distribution, copy_with, format_number, where_inside
from bayesml.distributions.degenerate import Constant, Flat
from bayesml.distributions.interval import Uniform
from bayesml.distributions.real import AbstractLocationScale
from bayesml.errors import PriorError
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayesml.shapes import Broadcast, Elements

__all__ = ["Truncated", "bounded"]

SMALLEST_MASS = 1e-12
HALF_LOCATION, HALF_SCALE = 0.75, 0.75
"""Median of a half distribution, and half the distance of its 16% and 84% quantiles, both for scale 1 and rounded.

The medians are 0.67 for the half normal and 1 for the half Cauchy distribution, the half distances 0.6 and 2.
"""


@final
@dataclass(frozen=True, repr=False)
class Truncated(Distribution):
    """The density of ``distribution`` on (lower, upper), divided by its mass there.

    Build it with ``bounded``, which simplifies. It is printed as in Stan, ``student_t(3, 0, 2.5) T[0, ]``.

    Attributes:
        distribution: what is restricted.
        lower: lower bound, or -inf.
        upper: upper bound, or inf.
    """

    distribution: Distribution
    lower: float
    upper: float

    name: ClassVar[str] = "truncated"

    def __post_init__(self) -> None:
        if self.distribution.is_proper and self.mass < SMALLEST_MASS:
            raise PriorError(
                f"{self.distribution} has practically no mass between {format_number(self.lower)} and "
                f"{format_number(self.upper)}. Widen the bounds or move the prior."
            )

    def __str__(self) -> str:
        lower, upper = (format_number(b) if isfinite(b) else "" for b in (self.lower, self.upper))
        return f"{self.distribution!r} T[{lower}, {upper}]"

    @cached_property
    def mass(self) -> float:
        """The probability of the interval under ``distribution``; 1 for a flat prior, which has no probabilities."""
        if not self.distribution.is_proper:
            return 1.0
        d, lower, upper = self.distribution, self.lower, self.upper
        if self._is_half:
            return 0.5
        if float(d.cdf(lower)) < 0.5:
            return float(d.cdf(upper) - d.cdf(lower))
        return float(d.survival(lower) - d.survival(upper))

    @property
    def _is_half(self) -> bool:
        """Whether this is one half of a symmetric distribution, as the default priors of scales are."""
        if not isinstance(self.distribution, AbstractLocationScale):
            return False
        return (self.lower, self.upper) in {(self.distribution.location, inf), (-inf, self.distribution.location)}

    @property
    def support(self) -> tuple[float, float]:
        """The interval."""
        return self.lower, self.upper

    @property
    def is_proper(self) -> bool:
        """Whether ``distribution`` is proper."""
        return self.distribution.is_proper

    @property
    def location(self) -> float:
        """The median (approximate for a half distribution); for a flat prior the point at distance 1 from the bound."""
        if self._is_half:
            distance = HALF_LOCATION * self.distribution.scale
            return self.lower + distance if isfinite(self.lower) else self.upper - distance
        if self.is_proper:
            return float(self.quantile(0.5))
        return self.lower + 1 if isfinite(self.lower) else self.upper - 1

    @property
    def scale(self) -> float:
        """Half the distance of the 16% and 84% quantiles, for a half distribution approximately; 1 for a flat prior."""
        if self._is_half:
            return HALF_SCALE * self.distribution.scale
        return float(self.quantile(0.84) - self.quantile(0.16)) / 2 if self.is_proper else 1.0

    def log_density(self, x: Elements) -> Elements:
        """Return the log density of ``distribution`` minus the log of its mass in the interval, -inf outside of it."""
        xp = array_namespace(x)
        x = xp.asarray(x, dtype=float)
        return where_inside(x, self.support, self.log_density_inside(x), xp)

    def log_density_inside(self, x: Elements) -> Elements:
        """Return the log density of ``distribution`` minus the log of its mass in the interval."""
        return self.distribution.log_density_inside(x) - self.log_mass

    @cached_property
    def log_mass(self) -> float:
        """The logarithm of ``mass``."""
        return float(np.log(self.mass))

    @property
    def kind(self) -> tuple[object, ...]:
        """Which sides are bounded, and of what."""
        return (Truncated, isfinite(self.lower), isfinite(self.upper), self.distribution.kind)

    def numbers(self, shape: tuple[int, ...] = ()) -> tuple[Any, ...]:
        """Return bounds and mass, and the numbers of ``distribution``."""
        return (self.lower, self.upper, self.log_mass, *self.distribution.numbers(shape))

    def at(self, numbers: Sequence[Any]) -> Truncated:
        """Return it with other numbers."""
        lower, upper, log_mass, *others = numbers
        values = {"distribution": self.distribution.at(others), "lower": lower, "upper": upper, "log_mass": log_mass}
        return copy_with(self, values)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return the derivative of ``log_density``."""
        return self.distribution.log_density_derivative(x)

    def cdf(self, x: Elements) -> Elements:
        """Return P(X <= x)."""
        inside = np.clip(x, self.lower, self.upper)
        return (self.distribution.cdf(inside) - self.distribution.cdf(self.lower)) / self.mass

    def survival(self, x: Elements) -> Elements:
        """Return P(X > x)."""
        inside = np.clip(x, self.lower, self.upper)
        return (self.distribution.survival(inside) - self.distribution.survival(self.upper)) / self.mass

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        if not self.is_proper:
            return self.distribution.quantile(p)
        x = self.distribution.quantile(self.distribution.cdf(self.lower) + np.asarray(p) * self.mass)
        return np.clip(x, self.lower, self.upper)

    @staticmethod
    def numpyro_form(base: Broadcast, lower: Broadcast, upper: Broadcast, log_mass: Broadcast) -> dist.Distribution:
        """Return the NumPyro distribution ``base`` restricted to the interval."""
        from bayesml.distributions.numpyro_bounded import Bounded

        return Bounded(base, lower, upper, log_mass)

    def numpyro(self) -> dist.Distribution:
        """Return the NumPyro distribution of one value."""
        return self.numpyro_form(self.distribution.numpyro(), self.lower, self.upper, float(np.log(self.mass)))

    def can_batch(self, distributions: Sequence[Distribution]) -> bool:
        """Whether all are truncated, on the same sides, with distributions that can be one."""
        members = [d for d in distributions if isinstance(d, Truncated)]
        sides = {(isfinite(d.lower), isfinite(d.upper)) for d in members}
        alike = len(members) == len(distributions) and len(sides) == 1
        return alike and self.distribution.can_batch([d.distribution for d in members])

    def batch(self, distributions: Sequence[Distribution]) -> dist.Distribution:
        """Return one NumPyro distribution of a vector, where ``can_batch``."""
        members = [d for d in distributions if isinstance(d, Truncated)]
        bounds = np.array([(d.lower, d.upper, np.log(d.mass)) for d in members]).T
        return self.numpyro_form(self.distribution.batch([d.distribution for d in members]), *bounds)


def bounded(distribution: Distribution, lower: float = -inf, upper: float = inf) -> Distribution:
    """Restrict a distribution to (lower, upper) and normalise it there. It is returned as it is if nothing is cut off.

    Example:
        >>> bounded(student_t(3, 0, 2.5), lower=0)
        student_t(3, 0, 2.5) T[0, ]

    Raises:
        PriorError: the interval is empty, or the distribution has (practically) no mass there.
    """
    support_lower, support_upper = distribution.support
    low, high = max(float(lower), support_lower), min(float(upper), support_upper)
    if isinstance(distribution, Constant):
        if low > high or not lower <= distribution.value <= upper:
            raise PriorError(
                f"{distribution} lies outside the possible values from {format_number(lower)} to "
                f"{format_number(upper)}."
            )
        return distribution
    if not low < high:
        raise PriorError(
            f"{distribution!r} has no mass between {format_number(lower)} and {format_number(upper)}. "
            "Widen the bounds or choose another prior."
        )
    if (low, high) == (support_lower, support_upper):
        return distribution
    if isinstance(distribution, Truncated):
        distribution = distribution.distribution
    if isinstance(distribution, Flat) and isfinite(low) and isfinite(high):
        return Uniform(low, high)
    return Truncated(distribution, low, high)
