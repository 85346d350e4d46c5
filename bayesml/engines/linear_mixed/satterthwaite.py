"""Satterthwaite's degrees of freedom, from the exact gradient (Fai and Cornelius 1996; Kuznetsova et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesml.engines.linear_mixed.contrasts import FTest, TTest, check_contrast, f_p_value, t_p_value
from bayesml.engines.linear_mixed.criterion import JointCriterion
from bayesml.engines.linear_mixed.fitting import finite_difference_hessian
from bayesml.engines.linear_mixed.solution import LinearMixedFit

__all__ = ["Satterthwaite", "satterthwaite", "variance_derivatives"]

SINGULAR = 1e-8  # eigenvalues of the curvature below this share of the largest are left out


@dataclass(frozen=True)
class Satterthwaite:
    """What the degrees of freedom of any contrast need.

    Attributes:
        beta: ``(p,)`` fixed effects.
        vcov: ``(p, p)`` their covariance matrix.
        sigma: residual standard deviation.
        derivatives: ``(k + 1, p, p)`` of ``vcov`` with respect to the variance parameters.
        parameter_covariance: ``(k + 1, k + 1)`` of the variance parameters, ``2 H^-1``, H the Hessian of the criterion.
    """

    beta: np.ndarray
    vcov: np.ndarray
    sigma: float
    derivatives: np.ndarray
    parameter_covariance: np.ndarray

    def df(self, L: np.ndarray) -> np.ndarray:
        """Return the degrees of freedom of each row of ``L`` ``(rows, p)``: ``2 v^2 / (g' A g)``."""
        L = check_contrast(L, len(self.beta))
        variance = np.einsum("rp,pq,rq->r", L, self.vcov, L)
        slopes = np.einsum("rp,kpq,rq->rk", L, self.derivatives, L)
        relative = slopes / variance[:, None]
        spread = np.einsum("rk,kl,rl->r", relative, self.parameter_covariance, relative)
        with np.errstate(divide="ignore"):
            return 2.0 / spread

    def t_test(self, contrast: np.ndarray, value: float = 0.0) -> TTest:
        """Test one combination ``(p,)`` of the fixed effects."""
        L = check_contrast(contrast, len(self.beta))
        estimate = float((L @ self.beta)[0]) - value
        error = float(np.sqrt((L @ self.vcov @ L.T)[0, 0]))
        df = float(self.df(L)[0])
        return TTest(estimate, error, df, estimate / error, t_p_value(estimate / error, df))

    def f_test(self, L: np.ndarray) -> FTest:
        """Test all rows of ``L`` ``(rows, p)`` jointly, through independent combinations of them."""
        L = check_contrast(L, len(self.beta))
        values, vectors = np.linalg.eigh(L @ self.vcov @ L.T)
        keep = values > np.sqrt(np.finfo(float).eps) * values.max()
        rotated = vectors[:, keep].T @ L
        squares = (rotated @ self.beta) ** 2 / values[keep]
        rank = int(keep.sum())
        F = float(squares.sum()) / rank
        df = _combine(self.df(rotated))
        return FTest(F, rank, df, f_p_value(F, rank, df), 1.0, F * self.sigma**2)


def _combine(nu: np.ndarray) -> float:
    """Denominator degrees of freedom whose F has the mean of the average of squared t with ``nu``."""
    q = len(nu)
    if q == 1 or np.ptp(nu) < 1e-8:
        return float(nu.mean())
    if np.any(nu <= 2.0):
        return 2.0
    expected = float((nu / (nu - 2.0)).sum())
    return 2.0 * expected / (expected - q)


def satterthwaite(fit: LinearMixedFit) -> Satterthwaite:
    """Return what Satterthwaite's degrees of freedom need: 2 (k + 1) gradients, whatever the number of rows."""
    if fit.fixed_sigma is not None:
        shape = (0, fit.rank, fit.rank)
        return Satterthwaite(fit.beta, fit.vcov, fit.sigma, np.zeros(shape), np.zeros((0, 0)))
    x = np.append(fit.point.x[: fit.problem.layout.size], np.log(fit.sigma))
    hessian = finite_difference_hessian(JointCriterion(fit.problem, fit.reml, fit.penalty), x)
    values, vectors = np.linalg.eigh(hessian)
    keep = values > SINGULAR * values.max()
    covariance = 2.0 * (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
    return Satterthwaite(fit.beta, fit.vcov, fit.sigma, variance_derivatives(fit), covariance)


def variance_derivatives(fit: LinearMixedFit) -> np.ndarray:
    """Return ``(k + 1, p, p)`` derivatives of ``vcov`` with respect to theta (scaled) and log sigma.

    ``d (X'V^-1X) = -(Z'V^-1X)' d(Lambda Lambda') (Z'V^-1X)``.
    """
    problem, fixed = fit.problem, fit.problem.products.fixed
    lambdas = problem.layout.matrices(fit.point.x[: problem.layout.size])
    projected = [P[:, :-1] for P in fit.substitution.projected]
    through = [np.einsum("ac,apj->cpj", lam, P) for lam, P in zip(lambdas, projected, strict=True)]
    inverse = np.linalg.inv(fit.point.factorisation.reduced[:-1, :-1])
    out = []
    for group, row, column in zip(problem.layout.group, problem.layout.row, problem.layout.column, strict=True):
        half = projected[group][row] @ through[group][column].T
        out.append(fit.sigma**2 * fixed.covariance(inverse @ (half + half.T) @ inverse))
    out.append(2.0 * fit.vcov)
    return np.array(out)
