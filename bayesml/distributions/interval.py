"""Distributions on an interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf, lgamma, log, sqrt
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions.base import Distribution, format_number, where_inside
from bayesml.errors import PriorError
from bayesml.lazy import lazy_module
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Elements

__all__ = ["Beta", "Uniform"]

special = lazy_module("scipy.special")


@final
@dataclass(frozen=True, repr=False)
class Beta(Distribution):
    """``beta(a, b)``: x^(a - 1) (1 - x)^(b - 1) / B(a, b) on (0, 1)."""

    a: float
    b: float

    name: ClassVar[str] = "beta"
    numpyro_name: ClassVar[str] = "Beta"
    positive: ClassVar[frozenset[str]] = frozenset({"a", "b"})

    @property
    def support(self) -> tuple[float, float]:
        """The unit interval."""
        return 0.0, 1.0

    @property
    def location(self) -> float:
        """The mean."""
        return self.a / (self.a + self.b)

    @property
    def scale(self) -> float:
        """The standard deviation."""
        total = self.a + self.b
        return sqrt(self.a * self.b / (total + 1)) / total

    def log_density(self, x: Elements) -> Elements:
        """Return the log density; -inf outside (0, 1)."""
        xp = array_namespace(x)
        x = xp.asarray(x, dtype=float)
        inside = (x > 0) & (x < 1)
        safe = xp.where(inside, x, 0.5)
        shape = (self.a - 1) * xp.log(safe) + (self.b - 1) * xp.log1p(-safe)
        return xp.where(inside, self.log_constant + shape, -inf)

    @cached_property
    def log_constant(self) -> float:
        """Minus the logarithm of B(a, b)."""
        return lgamma(self.a + self.b) - lgamma(self.a) - lgamma(self.b)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return (a - 1) / x - (b - 1) / (1 - x)."""
        return (self.a - 1) / x - (self.b - 1) / (1 - x)

    def cdf(self, x: Elements) -> Elements:
        """Return P(X <= x)."""
        return special.betainc(self.a, self.b, np.clip(x, 0.0, 1.0))

    def survival(self, x: Elements) -> Elements:
        """Return P(X > x)."""
        return special.betainc(self.b, self.a, 1 - np.clip(x, 0.0, 1.0))

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        return special.betaincinv(self.a, self.b, p)


@final
@dataclass(frozen=True, repr=False)
class Uniform(Distribution):
    """``uniform(a, b)``: 1 / (b - a) on (a, b)."""

    a: float
    b: float

    name: ClassVar[str] = "uniform"
    numpyro_name: ClassVar[str] = "Uniform"

    def __post_init__(self) -> None:
        Distribution.__post_init__(self)
        if self.a >= self.b:
            raise PriorError(f"uniform(a, b) has a < b; got a = {format_number(self.a)}, b = {format_number(self.b)}.")

    @property
    def support(self) -> tuple[float, float]:
        """The interval (a, b)."""
        return self.a, self.b

    @property
    def location(self) -> float:
        """The middle."""
        return (self.a + self.b) / 2

    @property
    def scale(self) -> float:
        """The standard deviation."""
        return (self.b - self.a) / sqrt(12)

    def log_density(self, x: Elements) -> Elements:
        """Return -log(b - a)."""
        xp = array_namespace(x)
        x = xp.asarray(x, dtype=float)
        return where_inside(x, self.support, self.log_constant, xp)

    def log_density_inside(self, x: Elements) -> Elements:
        """Return -log(b - a)."""
        return self.log_constant + 0.0 * x

    @cached_property
    def log_constant(self) -> float:
        """Minus the logarithm of the width."""
        return -log(self.b - self.a)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return 0."""
        return 0.0 * x

    def cdf(self, x: Elements) -> Elements:
        """Return P(X <= x)."""
        return np.clip((np.asarray(x) - self.a) / (self.b - self.a), 0.0, 1.0)

    def survival(self, x: Elements) -> Elements:
        """Return P(X > x)."""
        return np.clip((self.b - np.asarray(x)) / (self.b - self.a), 0.0, 1.0)

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        return self.a + (self.b - self.a) * np.asarray(p)
