"""What a point estimate can answer beside its numbers, as values and interfaces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final

import numpy as np

from bayesml.engines.linear_mixed import (
    KenwardRoger,
    LinearMixedFit,
    Parameter,
    Profiler,
    Satterthwaite,
    kenward_roger,
    profiler,
    satterthwaite,
)
from bayesml.engines.point.elements import Element

__all__ = ["Approximation", "LinearProfile", "LinearTests", "NormalRows", "Profile"]


@final
@dataclass(frozen=True)
class NormalRows:
    """A response, or its logarithm, that is normal around the linear predictor with a residual sd of its own.

    Attributes:
        residuals: ``(rows,)`` response minus linear predictor.
        weights: ``(rows,)`` precision weights, or None: the variance of a row is ``sigma^2 / weight``.
        sigma: residual standard deviation.
    """

    residuals: np.ndarray
    weights: np.ndarray | None
    sigma: float

    @property
    def weighted(self) -> np.ndarray:
        """``(rows,)`` residuals of equal variance."""
        return self.residuals if self.weights is None else self.residuals * np.sqrt(self.weights)

    @property
    def variance(self) -> float:
        """Mean residual variance of the rows."""
        return float(self.sigma**2 * (1.0 if self.weights is None else np.mean(1.0 / self.weights)))


@final
@dataclass(frozen=True)
class Approximation:
    """How the integral over the group effects is approximated.

    Attributes:
        quadrature_points: Gauss-Hermite points for each coefficient, 1 is Laplace.
        curvature: whose log determinant enters.
    """

    quadrature_points: int
    curvature: str


@final
@dataclass(frozen=True)
class LinearTests:
    """Tests with finite degrees of freedom of a linear mixed model.

    Attributes:
        fit: the fit.
    """

    fit: LinearMixedFit

    @cached_property
    def satterthwaite(self) -> Satterthwaite:
        """What Satterthwaite's degrees of freedom need."""
        return satterthwaite(self.fit)

    @cached_property
    def kenward_roger(self) -> KenwardRoger:
        """What Kenward and Roger's tests need; a ModelError where the fit has none."""
        return kenward_roger(self.fit)


class Profile(Protocol):
    """Profile likelihood of single parameters."""

    def estimate(self, element: Element) -> float:
        """Return the maximum-likelihood estimate of a parameter."""

    def interval(self, element: Element, level: float) -> tuple[float, float]:
        """Return where the profile crosses the normal quantiles; a bound of the parameter where it never does."""


@final
@dataclass(frozen=True)
class LinearProfile:
    """Profile likelihood of a linear mixed model.

    Attributes:
        profiler: the profiles of its own parameters.
    """

    profiler: Profiler

    @classmethod
    def of(cls, fit: LinearMixedFit) -> LinearProfile:
        """Prepare the profiles of a fit."""
        return cls(profiler(fit))

    def estimate(self, element: Element) -> float:
        """Return the maximum-likelihood estimate of a parameter."""
        return self.profiler.estimate(_parameter(element))

    def interval(self, element: Element, level: float) -> tuple[float, float]:
        """Return the interval of a parameter."""
        return self.profiler.interval(_parameter(element), level)


def _parameter(element: Element) -> Parameter:
    if element.kind == "family":
        return Parameter("sigma")
    if element.kind == "b":
        return Parameter("beta", row=element.row)
    return Parameter(element.kind, element.term, element.row, element.column if element.kind == "cor" else 0)
