"""The frozen result of a generalised linear mixed model fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["Convergence", "GeneralisedMixedFit", "GroupEstimate"]


@final
@dataclass(frozen=True)
class Convergence:
    """How the search went.

    Attributes:
        converged: the search reached its tolerance and the Newton decrement is small.
        iterations: quasi-Newton steps.
        evaluations: evaluations of criterion and gradient, those for the Hessian included.
        newton_steps: inner steps for the modes of the group effects.
        decrement: ``sqrt(g'H^-1 g)`` at the end; the criterion is about half its square above its minimum.
        singular: one sentence for each group whose covariance matrix is singular.
        separated: columns of X whose coefficients have no finite estimate.
        messages: all sentences for the user, those two included.
        at_bounds: names of the parameters that lie at a bound of their priors.
    """

    converged: bool
    iterations: int
    evaluations: int
    newton_steps: int
    decrement: float
    singular: tuple[str, ...]
    separated: tuple[int, ...]
    messages: tuple[str, ...]
    at_bounds: frozenset[str] = frozenset()


@final
@dataclass(frozen=True)
class GroupEstimate:
    """The effects of one grouping factor.

    Attributes:
        name: the factor.
        columns: labels of its coefficients.
        factor: ``(q, q)`` lower triangular Lambda; the covariance is ``factor @ factor.T``.
        sd: ``(q,)``.
        correlation: ``(q, q)``; NaN off the diagonal where a standard deviation is zero.
        effects: ``(levels, q)`` conditional modes.
        variances: ``(levels, q, q)`` their conditional covariances given the parameters.
    """

    name: str
    columns: tuple[str, ...]
    factor: np.ndarray
    sd: np.ndarray
    correlation: np.ndarray
    effects: np.ndarray
    variances: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """Covariance matrix of the effects of one level."""
        return self.factor @ self.factor.T


@final
@dataclass(frozen=True)
class GeneralisedMixedFit:
    """A fitted generalised linear mixed model.

    Attributes:
        theta: ``(k,)`` lower triangles of Lambda, column by column, factor after factor; on the scale of eta.
        beta: ``(p,)`` coefficients of the columns of X that were kept.
        psi: ``(m,)`` auxiliary parameters on their unbounded scale (mostly the logarithm).
        auxiliary: their names.
        kept: columns of X in the model.
        dropped: columns of X that are linear combinations of earlier ones.
        log_likelihood: Laplace or quadrature, all constants included.
        penalty: minus twice the log prior at the estimate, 0 without one.
        conditional_deviance: ``-2 sum log f`` at the modes.
        effects_norm: ``|u|^2`` of the standardised effects.
        log_determinant: ``log |K|``.
        saturated: log likelihood with one parameter per row; only for more than one quadrature point.
        n: number of rows.
        quadrature_points: 1 is Laplace.
        vcov: ``(p, p)`` covariance of beta with the uncertainty of theta and psi; right for combinations that are
            orthogonal to ``unbounded``.
        vcov_root: ``(p, p)`` B with ``B B' = vcov``: a combination c has variance ``|c B|^2``, without cancellation.
        unbounded: ``(p, r)`` directions of beta without a finite estimate; mostly none.
        runaway: ``(2, p)`` whether each coefficient may go to minus and to plus infinity without loss of likelihood.
        covariance: ``(k + p + m,)`` squared, joint covariance of ``(theta, beta, psi)``; NaN rows for entries of
            theta that are exactly zero.
        hessian_message: why the covariance is conditional on theta and psi, or empty.
        groups: one entry per grouping factor.
        eta: ``(n,)`` linear predictor at the modes.
        eta_fixed: ``(n,)`` the same without group effects.
        convergence: how the search went.
    """

    theta: np.ndarray
    beta: np.ndarray
    psi: np.ndarray
    auxiliary: tuple[str, ...]
    kept: np.ndarray
    dropped: np.ndarray
    log_likelihood: float
    penalty: float
    conditional_deviance: float
    effects_norm: float
    log_determinant: float
    saturated: float | None
    n: int
    quadrature_points: int
    vcov: np.ndarray
    vcov_root: np.ndarray
    unbounded: np.ndarray
    runaway: np.ndarray
    covariance: np.ndarray
    hessian_message: str
    groups: tuple[GroupEstimate, ...]
    eta: np.ndarray
    eta_fixed: np.ndarray
    convergence: Convergence

    @property
    def df(self) -> int:
        """Number of estimated parameters."""
        return len(self.theta) + len(self.beta) + len(self.psi)

    @property
    def deviance(self) -> float:
        """Minus twice the log likelihood."""
        return -2.0 * self.log_likelihood

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.deviance + 2.0 * self.df

    @property
    def bic(self) -> float:
        """Schwarz's criterion with the number of rows."""
        return self.deviance + float(np.log(self.n)) * self.df

    @property
    def standard_errors(self) -> np.ndarray:
        """Standard errors of beta; infinite where there is no finite estimate."""
        return np.where(self.unbounded.any(axis=1), np.inf, np.sqrt(np.maximum(np.diagonal(self.vcov), 0.0)))

    @property
    def saturated_deviance(self) -> float | None:
        """Minus twice the log likelihood relative to the saturated model, what lme4 reports for quadrature."""
        return None if self.saturated is None else self.deviance + 2.0 * self.saturated
