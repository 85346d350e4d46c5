"""Satterthwaite's degrees of freedom, from the exact gradient (Fai and Cornelius 1996; Kuznetsova et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesml.engines.linear_mixed.contrasts import (
    AbstractTests,
    FTest,
    basis_rows,
    check_contrast,
    f_p_value,
    principal_rows,
    quadratic,
    standardised_rows,
)
from bayesml.engines.linear_mixed.criterion import JointCriterion
from bayesml.engines.linear_mixed.fitting import finite_difference_hessian
from bayesml.engines.linear_mixed.solution import LinearMixedFit

__all__ = ["Satterthwaite", "satterthwaite"]

SINGULAR = 1e-8  # eigenvalues of the curvature below this share of the largest are left out


@dataclass(frozen=True)
class Satterthwaite(AbstractTests):
    """What the degrees of freedom of any contrast need, in the orthogonal basis of the fixed effects.

    Attributes:
        sigma: residual standard deviation.
        basis_derivatives: ``(k + 1, p, p)`` of ``basis_vcov`` with respect to the variance parameters.
        parameter_covariance: ``(k + 1, k + 1)`` of the variance parameters, ``2 H^-1``, H the Hessian of the criterion.
    """

    sigma: float
    basis_derivatives: np.ndarray
    parameter_covariance: np.ndarray

    def df(self, L: np.ndarray) -> np.ndarray:
        """Return the degrees of freedom of each row of ``L`` ``(rows, p)``: ``2 v^2 / (g' A g)``."""
        return self._df(basis_rows(check_contrast(L, len(self.beta)), self.fixed))

    def _df(self, rows: np.ndarray) -> np.ndarray:
        slopes = np.einsum("rp,kpq,rq->rk", rows, self.basis_derivatives, rows)
        relative = slopes / quadratic(rows, self.basis_vcov)[:, None]
        with np.errstate(divide="ignore"):
            return 2.0 / quadratic(relative, self.parameter_covariance)

    def f_test(self, L: np.ndarray) -> FTest:
        """Test all rows of ``L`` ``(rows, p)`` jointly.

        The degrees of freedom combine those of the eigenvectors of ``L vcov L'`` (Fai and Cornelius 1996), which depend
        on how long the rows are relative to each other; F does not.
        """
        rows = basis_rows(check_contrast(L, len(self.beta)), self.fixed)
        unit = standardised_rows(rows, self.basis_vcov)
        rank, F = len(unit), float(np.mean((unit @ (self.fixed.R @ self.beta)) ** 2))
        if not np.isfinite(F):
            return FTest(np.nan, rank, np.nan, np.nan, 1.0, np.nan)
        df = _combine(self._df(principal_rows(rows, self.basis_vcov, rank)))
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
    fixed, inverse = fit.problem.products.fixed, np.linalg.inv(fit.point.factorisation.reduced[:-1, :-1])
    basis_vcov = fit.sigma**2 * (inverse + inverse.T) / 2.0
    if fit.fixed_sigma is not None:
        shape = (0, fit.rank, fit.rank)
        return Satterthwaite(fit.beta, fixed, basis_vcov, fit.sigma, np.zeros(shape), np.zeros((0, 0)))
    x = np.append(fit.point.x[: fit.problem.layout.size], np.log(fit.sigma))
    hessian = finite_difference_hessian(JointCriterion(fit.problem, fit.reml, fit.penalty), x)
    values, vectors = np.linalg.eigh(hessian)
    keep = values > SINGULAR * values.max()
    covariance = 2.0 * (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
    derivatives = _basis_derivatives(fit, inverse, basis_vcov)
    return Satterthwaite(fit.beta, fixed, basis_vcov, fit.sigma, derivatives, covariance)


def _basis_derivatives(fit: LinearMixedFit, inverse: np.ndarray, basis_vcov: np.ndarray) -> np.ndarray:
    """Return ``(k + 1, p, p)`` derivatives of ``basis_vcov`` with respect to theta (scaled) and log sigma.

    With the columns Q of the basis, ``d (Q'V^-1Q) = -(Z'V^-1Q)' d(Lambda Lambda') (Z'V^-1Q)``.
    """
    layout = fit.problem.layout
    lambdas = layout.matrices(fit.point.x[: layout.size])
    projected = [P[:, :-1] for P in fit.substitution.projected]
    through = [np.einsum("ac,apj->cpj", lam, P) for lam, P in zip(lambdas, projected, strict=True)]
    out = []
    for group, row, column in zip(layout.group, layout.row, layout.column, strict=True):
        half = projected[group][row] @ through[group][column].T
        out.append(fit.sigma**2 * inverse @ (half + half.T) @ inverse)
    out.append(2.0 * basis_vcov)
    return np.array(out)
