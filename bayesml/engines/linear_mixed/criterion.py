"""The REML criterion and the ML deviance with their exact gradients.

With ``V = I + Z Lambda Lambda' Z'`` relative to the residual variance and ``nu`` = n (ML) or n - p (REML), it is

    log |V| [+ log |X'V^-1 X| for REML] - sum log w + nu log(2 pi sigma^2) + r^2 / sigma^2

(Bates et al. 2015, equations 34 and 41, before profiling sigma), where r^2 is the penalised residual sum of squares.
There is no ``log |X'X|`` term. At ``sigma^2 = r^2 / nu`` it is the profiled criterion that lme4 prints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtrtri

from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.linalg import Adjoint, Factorisation, adjoint, factorise

__all__ = ["AbstractObjective", "JointCriterion", "Penalty", "Point", "ProfiledCriterion", "deviance", "weights_matrix"]

Penalty = Callable[[np.ndarray, float], tuple[float, np.ndarray, float]]
"""``(theta, sigma)`` to ``(value, d value / d theta, d value / d sigma)``, added to the criterion."""


@dataclass(frozen=True)
class Point:
    """The criterion at one place.

    Attributes:
        x: coordinates of the objective.
        value: the criterion.
        factorisation: what it was computed from; the gradient starts here.
        sigma: residual standard deviation, profiled or given.
    """

    x: np.ndarray
    value: float
    factorisation: Factorisation
    sigma: float


def deviance(fact: Factorisation, sigma: float, reml: bool) -> float:
    """Return the criterion at the factorised theta and at ``sigma``, all constants included."""
    products = fact.products
    nu = products.n - products.p if reml else products.n
    value = fact.log_determinant - products.log_weights + nu * np.log(2.0 * np.pi * sigma**2)
    if reml:
        value += fact.log_fixed + products.fixed.log_determinant
    return float(value + fact.residual_sum / sigma**2)


def weights_matrix(fact: Factorisation, fixed_weight: float, response_weight: float) -> np.ndarray:
    """``S = R^-T diag(w) R^-1``: the derivative of ``w_X log |M_XX| + w_y log r^2`` with respect to ``M = R R'``."""
    inverse, _ = dtrtri(fact.reduced_cholesky, lower=1)
    inverse = np.tril(inverse)
    weights = np.full(len(inverse), fixed_weight)
    weights[-1] = response_weight
    return inverse.T @ (weights[:, None] * inverse)


@dataclass(frozen=True)
class AbstractObjective(ABC):
    """A function to minimise whose gradient continues from what its value computed.

    Attributes:
        problem: the model whose layout gives the first coordinates their meaning.
    """

    problem: LinearMixedProblem

    @abstractmethod
    def evaluate(self, x: np.ndarray) -> Point | None:
        """Return the value at ``x``, or None where it cannot be computed."""

    @abstractmethod
    def gradient(self, point: Point) -> np.ndarray:
        """Return the exact gradient at an evaluated point."""


@dataclass(frozen=True)
class ProfiledCriterion(AbstractObjective):
    """The criterion as a function of theta in internal coordinates, sigma profiled out or known.

    Attributes:
        problem: the model.
        reml: REML criterion instead of the ML deviance.
        sigma: the residual standard deviation where it is known.
        penalty: added to the criterion; only with a known sigma (else `JointCriterion`). Takes theta in the user's
            coordinates.
    """

    reml: bool
    sigma: float | None = None
    penalty: Penalty | None = None

    @property
    def degrees(self) -> int:
        """``nu``: n - p (REML) or n (ML)."""
        products = self.problem.products
        return products.n - products.p if self.reml else products.n

    def evaluate(self, x: np.ndarray) -> Point | None:
        """Return the criterion at theta ``x``."""
        fact = factorise(self.problem.products, self.problem.layout.matrices(x))
        if fact is None:
            return None
        sigma = float(np.sqrt(fact.residual_sum / self.degrees)) if self.sigma is None else self.sigma
        value = deviance(fact, sigma, self.reml)
        if self.penalty is not None:
            value += self.penalty(self.problem.from_internal @ x, sigma)[0]
        return Point(x, value, fact, sigma) if np.isfinite(value) else None

    def gradient(self, point: Point) -> np.ndarray:
        """Return the gradient with respect to theta."""
        gradient = self.problem.layout.gather(self.adjoint(point).slopes)
        if self.penalty is not None:
            J = self.problem.from_internal
            gradient += self.penalty(J @ point.x, point.sigma)[1] @ J
        return gradient

    def adjoint(self, point: Point) -> Adjoint:
        """Return the derivatives with respect to Lambda, and so on, at an evaluated point."""
        return adjoint(point.factorisation, self.weights(point))

    def weights(self, point: Point) -> np.ndarray:
        """Return the derivative with respect to the reduced matrix of the fixed effects and response."""
        fact = point.factorisation
        return weights_matrix(fact, float(self.reml), fact.residual_sum / point.sigma**2)


@dataclass(frozen=True)
class JointCriterion(AbstractObjective):
    """The criterion as a function of theta (internal coordinates) and log sigma, with an optional penalty.

    Attributes:
        problem: the model.
        reml: REML criterion instead of the ML deviance.
        penalty: added to the criterion, ``-2 log prior``; takes theta in the user's coordinates.
    """

    reml: bool
    penalty: Penalty | None = None

    def evaluate(self, x: np.ndarray) -> Point | None:
        """Return the value at ``x`` = (theta, log sigma)."""
        fact = factorise(self.problem.products, self.problem.layout.matrices(x[:-1]))
        if fact is None or abs(x[-1]) > 500:
            return None
        sigma = float(np.exp(x[-1]))
        value = deviance(fact, sigma, self.reml)
        if self.penalty is not None:
            value += self.penalty(self.problem.from_internal @ x[:-1], sigma)[0]
        return Point(x, value, fact, sigma) if np.isfinite(value) else None

    def gradient(self, point: Point) -> np.ndarray:
        """Return the gradient with respect to (theta, log sigma)."""
        fact, products = point.factorisation, self.problem.products
        nu = products.n - products.p if self.reml else products.n
        ratio = fact.residual_sum / point.sigma**2
        slopes = adjoint(fact, weights_matrix(fact, float(self.reml), ratio)).slopes
        out = np.append(self.problem.layout.gather(slopes), 2.0 * (nu - ratio))
        if self.penalty is not None:
            J = self.problem.from_internal
            _, by_theta, by_sigma = self.penalty(J @ point.x[:-1], point.sigma)
            out += np.append(by_theta @ J, by_sigma * point.sigma)
        return out
