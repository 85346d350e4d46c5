"""Half distributions: those of the absolute value of a variable that is symmetric around 0."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from math import inf, log
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions.base import Distribution, where_inside
from bayesml.distributions.real import AbstractLocationScale, Cauchy, Normal, StudentT
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayesml.shapes import Broadcast, Elements

__all__ = ["AbstractHalf", "HalfCauchy", "HalfNormal", "HalfStudentT"]


@dataclass(frozen=True, repr=False)
class AbstractHalf(Distribution):
    """The distribution of |X| for X symmetric around 0; subclasses have a field ``sigma``."""

    if TYPE_CHECKING:
        sigma: float

    positive: ClassVar[frozenset[str]] = frozenset({"df", "sigma"})

    @property
    @abstractmethod
    def whole(self) -> AbstractLocationScale:
        """The distribution of X."""

    @property
    def support(self) -> tuple[float, float]:
        """The positive numbers."""
        return 0.0, inf

    @property
    def location(self) -> float:
        """The median."""
        return float(self.whole.quantile(0.75))

    @property
    def scale(self) -> float:
        """The scale ``sigma``."""
        return self.sigma

    def log_density(self, x: Elements) -> Elements:
        """Return the log density of X plus log 2, or -inf below 0."""
        xp = array_namespace(x)
        return where_inside(xp.asarray(x), self.support, self.log_density_inside(x), xp)

    @cached_property
    def log_constant(self) -> float:
        """The constant of X plus log 2."""
        return log(2) + self.whole.log_constant

    def log_density_inside(self, x: Elements) -> Elements:
        """Return the log density of X plus log 2."""
        return self._log_shape(x / self.sigma) + self.log_constant

    @abstractmethod
    def _log_shape(self, z: Elements) -> Elements:
        """Return the log density of X / sigma without a constant."""

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return the derivative of ``log_density``."""
        return self.whole.log_density_derivative(x)

    def cdf(self, x: Elements) -> Elements:
        """Return P(X <= x)."""
        return 1 - self.survival(x)

    def survival(self, x: Elements) -> Elements:
        """Return P(X > x)."""
        return 2 * self.whole.survival(np.maximum(x, 0.0))

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        return np.abs(self.whole.quantile((1 - np.asarray(p)) / 2))


@final
@dataclass(frozen=True, repr=False)
class HalfNormal(AbstractHalf):
    """``half_normal(sigma)``: |X| for X ~ normal(0, sigma)."""

    sigma: float

    name: ClassVar[str] = "half_normal"
    numpyro_name: ClassVar[str] = "HalfNormal"

    @property
    def whole(self) -> AbstractLocationScale:
        """The normal distribution."""
        return Normal(0.0, self.sigma)

    def _log_shape(self, z: Elements) -> Elements:
        return -0.5 * z**2


@final
@dataclass(frozen=True, repr=False)
class HalfStudentT(AbstractHalf):
    """``half_student_t(df, sigma)``: |X| for X ~ student_t(df, 0, sigma)."""

    df: float
    sigma: float

    name: ClassVar[str] = "half_student_t"

    @property
    def whole(self) -> AbstractLocationScale:
        """The Student t distribution."""
        return StudentT(self.df, 0.0, self.sigma)

    def _log_shape(self, z: Elements) -> Elements:
        return -(self.df + 1) / 2 * array_namespace(z).log1p(z**2 / self.df)

    @staticmethod
    def numpyro_form(df: Broadcast, sigma: Broadcast) -> dist.Distribution:
        """Return ``StudentT`` bounded below by 0."""
        import numpyro.distributions as dist

        from bayesml.distributions.numpyro_bounded import Bounded

        return Bounded(dist.StudentT(df, 0.0, sigma), 0.0, inf, -log(2))


@final
@dataclass(frozen=True, repr=False)
class HalfCauchy(AbstractHalf):
    """``half_cauchy(sigma)``: |X| for X ~ cauchy(0, sigma)."""

    sigma: float

    name: ClassVar[str] = "half_cauchy"
    numpyro_name: ClassVar[str] = "HalfCauchy"

    @property
    def whole(self) -> AbstractLocationScale:
        """The Cauchy distribution."""
        return Cauchy(0.0, self.sigma)

    def _log_shape(self, z: Elements) -> Elements:
        return -array_namespace(z).log1p(z**2)
