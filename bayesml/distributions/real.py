"""Distributions on the whole real line: symmetric standard densities with a location and a scale."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from math import inf, lgamma, log, pi
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions.base import Distribution
from bayesml.lazy import lazy_module
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Elements

__all__ = ["AbstractLocationScale", "Cauchy", "DoubleExponential", "Logistic", "Normal", "StudentT"]

special = lazy_module("scipy.special")


@dataclass(frozen=True, repr=False)
class AbstractLocationScale(Distribution):
    """A density f((x - mu) / sigma) / sigma with f symmetric; subclasses have fields ``mu`` and ``sigma``."""

    if TYPE_CHECKING:
        mu: float
        sigma: float

    positive: ClassVar[frozenset[str]] = frozenset({"df", "sigma"})

    @abstractmethod
    def _log_shape(self, z: Elements) -> Elements:
        """Return log f(z) without a constant."""

    @property
    @abstractmethod
    def _log_norm(self) -> float:
        """The constant in log f."""

    @cached_property
    def log_constant(self) -> float:
        """The constant of f, minus log sigma."""
        return self._log_norm - log(self.sigma)

    @abstractmethod
    def _slope(self, z: Elements) -> Elements:
        """Return the derivative of log f."""

    @abstractmethod
    def _cdf(self, z: np.ndarray) -> np.ndarray:
        """Return the integral of f up to z."""

    @abstractmethod
    def _quantile(self, p: np.ndarray) -> np.ndarray:
        """Return the inverse of ``_cdf``."""

    def _z(self, x: Elements) -> Elements:
        x = x if array_namespace(x) is not np else np.asarray(x, float)
        is_centred = isinstance(self.mu, float) and self.mu == 0.0
        return (x if is_centred else x - self.mu) / self.sigma

    @property
    def support(self) -> tuple[float, float]:
        """All real numbers."""
        return -inf, inf

    @property
    def location(self) -> float:
        """The centre ``mu``."""
        return self.mu

    @property
    def scale(self) -> float:
        """The scale ``sigma``."""
        return self.sigma

    def log_density(self, x: Elements) -> Elements:
        """Return log f((x - mu) / sigma) - log sigma."""
        return self._log_shape(self._z(x)) + self.log_constant

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return the derivative of ``log_density``."""
        return self._slope(self._z(x)) / self.sigma

    def cdf(self, x: Elements) -> Elements:
        """Return P(X <= x)."""
        return self._cdf(self._z(x))

    def survival(self, x: Elements) -> Elements:
        """Return P(X > x)."""
        return self._cdf(-self._z(x))

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        return self.mu + self.sigma * self._quantile(np.asarray(p, float))


@final
@dataclass(frozen=True, repr=False)
class Normal(AbstractLocationScale):
    """``normal(mu, sigma)``: exp(-((x - mu) / sigma)^2 / 2) / (sqrt(2 pi) sigma).

    Example:
        >>> normal(0, 10)
        normal(0, 10)
    """

    mu: float
    sigma: float

    name: ClassVar[str] = "normal"
    numpyro_name: ClassVar[str] = "Normal"

    def _log_shape(self, z: Elements) -> Elements:
        return -0.5 * z**2

    @property
    def _log_norm(self) -> float:
        return -0.5 * log(2 * pi)

    def _slope(self, z: Elements) -> Elements:
        return -z

    def _cdf(self, z: np.ndarray) -> np.ndarray:
        return special.ndtr(z)

    def _quantile(self, p: np.ndarray) -> np.ndarray:
        return special.ndtri(p)


@final
@dataclass(frozen=True, repr=False)
class StudentT(AbstractLocationScale):
    """``student_t(df, mu, sigma)``: proportional to (1 + ((x - mu) / sigma)^2 / df)^(-(df + 1) / 2)."""

    df: float
    mu: float
    sigma: float

    name: ClassVar[str] = "student_t"
    numpyro_name: ClassVar[str] = "StudentT"

    def _log_shape(self, z: Elements) -> Elements:
        return -(self.df + 1) / 2 * array_namespace(z).log1p(z**2 / self.df)

    @property
    def _log_norm(self) -> float:
        return lgamma((self.df + 1) / 2) - lgamma(self.df / 2) - 0.5 * log(self.df * pi)

    def _slope(self, z: Elements) -> Elements:
        return -(self.df + 1) * z / (self.df + z**2)

    def _cdf(self, z: np.ndarray) -> np.ndarray:
        return special.stdtr(self.df, z)

    def _quantile(self, p: np.ndarray) -> np.ndarray:
        return special.stdtrit(self.df, p)


@final
@dataclass(frozen=True, repr=False)
class Cauchy(AbstractLocationScale):
    """``cauchy(mu, sigma)``: 1 / (pi sigma (1 + ((x - mu) / sigma)^2))."""

    mu: float
    sigma: float

    name: ClassVar[str] = "cauchy"
    numpyro_name: ClassVar[str] = "Cauchy"

    def _log_shape(self, z: Elements) -> Elements:
        return -array_namespace(z).log1p(z**2)

    @property
    def _log_norm(self) -> float:
        return -log(pi)

    def _slope(self, z: Elements) -> Elements:
        return -2 * z / (1 + z**2)

    def _cdf(self, z: np.ndarray) -> np.ndarray:
        return np.arctan2(1.0, -z) / pi

    def _quantile(self, p: np.ndarray) -> np.ndarray:
        return np.where(p < 0.25, -1 / np.tan(pi * np.where(p < 0.25, p, 0.25)), np.tan(pi * (p - 0.5)))


@final
@dataclass(frozen=True, repr=False)
class Logistic(AbstractLocationScale):
    """``logistic(mu, sigma)``: with z = (x - mu) / sigma, exp(-z) / (sigma (1 + exp(-z))^2)."""

    mu: float
    sigma: float

    name: ClassVar[str] = "logistic"
    numpyro_name: ClassVar[str] = "Logistic"

    def _log_shape(self, z: Elements) -> Elements:
        xp = array_namespace(z)
        return -xp.abs(z) - 2 * xp.log1p(xp.exp(-xp.abs(z)))

    @property
    def _log_norm(self) -> float:
        return 0.0

    def _slope(self, z: Elements) -> Elements:
        return -array_namespace(z).tanh(z / 2)

    def _cdf(self, z: np.ndarray) -> np.ndarray:
        return special.expit(z)

    def _quantile(self, p: np.ndarray) -> np.ndarray:
        return special.logit(p)


@final
@dataclass(frozen=True, repr=False)
class DoubleExponential(AbstractLocationScale):
    """``double_exponential(mu, sigma)``, also ``laplace``: exp(-|x - mu| / sigma) / (2 sigma)."""

    mu: float
    sigma: float

    name: ClassVar[str] = "double_exponential"
    numpyro_name: ClassVar[str] = "Laplace"

    def _log_shape(self, z: Elements) -> Elements:
        return -array_namespace(z).abs(z)

    @property
    def _log_norm(self) -> float:
        return -log(2)

    def _slope(self, z: Elements) -> Elements:
        return -array_namespace(z).sign(z)

    def _cdf(self, z: np.ndarray) -> np.ndarray:
        tail = 0.5 * np.exp(-np.abs(z))
        return np.where(z < 0, tail, 1 - tail)

    def _quantile(self, p: np.ndarray) -> np.ndarray:
        return np.where(p < 0.5, np.log(2 * np.where(p < 0.5, p, 0.5)), -np.log(2 * (1 - np.where(p < 0.5, 0.5, p))))
