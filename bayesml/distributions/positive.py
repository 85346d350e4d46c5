"""Distributions on the positive numbers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from math import exp, inf, lgamma, log, pi, sqrt
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions.base import Distribution, where_inside
from bayesml.lazy import lazy_module
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayesml.shapes import Broadcast, Elements

__all__ = ["AbstractPositive", "Exponential", "Gamma", "InvGamma", "LogNormal", "Weibull"]

special = lazy_module("scipy.special")

SMALLEST = 1e-300  # quantiles of gamma(0.01, 0.01) underflow


@dataclass(frozen=True, repr=False)
class AbstractPositive(Distribution):
    """A density on (0, inf)."""

    @abstractmethod
    def _log_density(self, x: Elements, log_x: Elements) -> Elements:
        """Return the log density at positive ``x``."""

    @abstractmethod
    def _cdf(self, x: np.ndarray) -> np.ndarray:
        """Return P(X <= x) at positive ``x``."""

    @abstractmethod
    def _survival(self, x: np.ndarray) -> np.ndarray:
        """Return P(X > x) at positive ``x``."""

    @property
    def support(self) -> tuple[float, float]:
        """The positive numbers."""
        return 0.0, inf

    def log_density(self, x: Elements) -> Elements:
        """Return the log density; -inf where x <= 0."""
        xp = array_namespace(x)
        x = xp.asarray(x, dtype=float)
        safe = xp.where(x > 0, x, 1.0)
        return xp.where(x > 0, self._log_density(safe, xp.log(safe)), -inf)

    def cdf(self, x: Elements) -> Elements:
        """Return P(X <= x)."""
        return np.where(np.asarray(x) > 0, self._cdf(np.maximum(x, SMALLEST)), 0.0)

    def survival(self, x: Elements) -> Elements:
        """Return P(X > x)."""
        return np.where(np.asarray(x) > 0, self._survival(np.maximum(x, SMALLEST)), 1.0)


@final
@dataclass(frozen=True, repr=False)
class Exponential(Distribution):
    """``exponential(rate)``: rate exp(-rate x) on x >= 0, with mean 1 / rate."""

    rate: float

    name: ClassVar[str] = "exponential"
    numpyro_name: ClassVar[str] = "Exponential"
    positive: ClassVar[frozenset[str]] = frozenset({"rate"})

    @property
    def support(self) -> tuple[float, float]:
        """The positive numbers."""
        return 0.0, inf

    @property
    def location(self) -> float:
        """The mean."""
        return 1 / self.rate

    @property
    def scale(self) -> float:
        """The standard deviation."""
        return 1 / self.rate

    def log_density(self, x: Elements) -> Elements:
        """Return log rate - rate x."""
        xp = array_namespace(x)
        x = xp.asarray(x, dtype=float)
        return where_inside(x, self.support, self.log_constant - self.rate * x, xp)

    @cached_property
    def log_constant(self) -> float:
        """The logarithm of the rate."""
        return log(self.rate)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return -rate."""
        return -self.rate + 0.0 * x

    def cdf(self, x: Elements) -> Elements:
        """Return P(X <= x)."""
        return -np.expm1(-self.rate * np.maximum(x, 0.0))

    def survival(self, x: Elements) -> Elements:
        """Return P(X > x)."""
        return np.exp(-self.rate * np.maximum(x, 0.0))

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        return -np.log1p(-np.asarray(p)) / self.rate


@final
@dataclass(frozen=True, repr=False)
class Gamma(AbstractPositive):
    """``gamma(alpha, beta)``: beta^alpha x^(alpha - 1) exp(-beta x) / Gamma(alpha), with mean alpha / beta."""

    alpha: float
    beta: float

    name: ClassVar[str] = "gamma"
    numpyro_name: ClassVar[str] = "Gamma"
    positive: ClassVar[frozenset[str]] = frozenset({"alpha", "beta"})

    @property
    def location(self) -> float:
        """The mean."""
        return self.alpha / self.beta

    @property
    def scale(self) -> float:
        """The standard deviation."""
        return sqrt(self.alpha) / self.beta

    def _log_density(self, x: Elements, log_x: Elements) -> Elements:
        return self.log_constant + (self.alpha - 1) * log_x - self.beta * x

    @cached_property
    def log_constant(self) -> float:
        """The logarithm of beta^alpha / Gamma(alpha)."""
        return self.alpha * log(self.beta) - lgamma(self.alpha)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return (alpha - 1) / x - beta."""
        return (self.alpha - 1) / x - self.beta

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        return special.gammainc(self.alpha, self.beta * x)

    def _survival(self, x: np.ndarray) -> np.ndarray:
        return special.gammaincc(self.alpha, self.beta * x)

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        return np.maximum(special.gammaincinv(self.alpha, p) / self.beta, SMALLEST)


@final
@dataclass(frozen=True, repr=False)
class InvGamma(AbstractPositive):
    """``inv_gamma(alpha, beta)``: beta^alpha x^(-alpha - 1) exp(-beta / x) / Gamma(alpha)."""

    alpha: float
    beta: float

    name: ClassVar[str] = "inv_gamma"
    numpyro_name: ClassVar[str] = "InverseGamma"
    positive: ClassVar[frozenset[str]] = frozenset({"alpha", "beta"})

    @property
    def location(self) -> float:
        """The inverse of the mean of 1 / x."""
        return self.beta / self.alpha

    @property
    def scale(self) -> float:
        """The same as ``location``, since the standard deviation need not exist."""
        return self.location

    def _log_density(self, x: Elements, log_x: Elements) -> Elements:
        return self.log_constant - (self.alpha + 1) * log_x - self.beta / x

    @cached_property
    def log_constant(self) -> float:
        """The logarithm of beta^alpha / Gamma(alpha)."""
        return self.alpha * log(self.beta) - lgamma(self.alpha)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return beta / x^2 - (alpha + 1) / x."""
        return (self.beta / x - (self.alpha + 1)) / x

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        return special.gammaincc(self.alpha, self.beta / x)

    def _survival(self, x: np.ndarray) -> np.ndarray:
        return special.gammainc(self.alpha, self.beta / x)

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        return self.beta / np.maximum(special.gammainccinv(self.alpha, p), SMALLEST)


@final
@dataclass(frozen=True, repr=False)
class LogNormal(AbstractPositive):
    """``lognormal(mu, sigma)``: log x is normal(mu, sigma)."""

    mu: float
    sigma: float

    name: ClassVar[str] = "lognormal"
    numpyro_name: ClassVar[str] = "LogNormal"
    positive: ClassVar[frozenset[str]] = frozenset({"sigma"})

    @property
    def location(self) -> float:
        """The median."""
        return exp(self.mu)

    @property
    def scale(self) -> float:
        """The median times ``sigma``."""
        return exp(self.mu) * self.sigma

    def _log_density(self, x: Elements, log_x: Elements) -> Elements:
        return -0.5 * ((log_x - self.mu) / self.sigma) ** 2 + self.log_constant - log_x

    @cached_property
    def log_constant(self) -> float:
        """The constant of the normal density of log x."""
        return -0.5 * log(2 * pi) - log(self.sigma)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return -(1 + (log x - mu) / sigma^2) / x."""
        return -(1 + (array_namespace(x).log(x) - self.mu) / self.sigma**2) / x

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        return special.ndtr((np.log(x) - self.mu) / self.sigma)

    def _survival(self, x: np.ndarray) -> np.ndarray:
        return special.ndtr((self.mu - np.log(x)) / self.sigma)

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        return np.exp(self.mu + self.sigma * special.ndtri(p))


@final
@dataclass(frozen=True, repr=False)
class Weibull(AbstractPositive):
    """``weibull(alpha, sigma)``: alpha / sigma (x / sigma)^(alpha - 1) exp(-(x / sigma)^alpha)."""

    alpha: float
    sigma: float

    name: ClassVar[str] = "weibull"
    positive: ClassVar[frozenset[str]] = frozenset({"alpha", "sigma"})

    @property
    def location(self) -> float:
        """The scale ``sigma``, which is the 63% quantile."""
        return self.sigma

    @property
    def scale(self) -> float:
        """About the standard deviation, sigma / alpha, and at most sigma."""
        return self.sigma / max(self.alpha, 1.0)

    def _log_density(self, x: Elements, log_x: Elements) -> Elements:
        xp = array_namespace(x)
        log_z = xp.log(x / self.sigma)
        return self.log_constant + (self.alpha - 1) * log_z - xp.exp(self.alpha * log_z)

    @cached_property
    def log_constant(self) -> float:
        """The logarithm of alpha / sigma."""
        return log(self.alpha / self.sigma)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return (alpha - 1 - alpha (x / sigma)^alpha) / x."""
        return (self.alpha - 1 - self.alpha * (x / self.sigma) ** self.alpha) / x

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        return -np.expm1(-((x / self.sigma) ** self.alpha))

    def _survival(self, x: np.ndarray) -> np.ndarray:
        return np.exp(-((x / self.sigma) ** self.alpha))

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        return self.sigma * (-np.log1p(-np.asarray(p))) ** (1 / self.alpha)

    @staticmethod
    def numpyro_form(alpha: Broadcast, sigma: Broadcast) -> dist.Distribution:
        """Return ``Weibull``, whose arguments come in the other order."""
        import numpyro.distributions as dist

        return dist.Weibull(sigma, alpha)
