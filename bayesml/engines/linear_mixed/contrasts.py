"""Tests of linear combinations of the fixed effects: one result for every way of counting degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, gammaincc

from bayesml.errors import ModelError
from bayesml.linalg import FixedEffects

__all__ = [
    "FTest",
    "AbstractTests",
    "basis_rows",
    "check_contrast",
    "f_p_value",
    "principal_rows",
    "quadratic",
    "standardised_rows",
]

DEPENDENT_ROWS = 1e-10  # of standardised rows: a combination of them shorter than this is taken for zero
ROUNDING = 100.0 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class FTest:
    """A joint test that several linear combinations of the fixed effects equal zero.

    Attributes:
        F: the statistic, scaled where the method scales it.
        numerator_df: rank of the combinations.
        denominator_df: degrees of freedom.
        p_value: upper tail of F.
        scale: Kenward and Roger's scaling, 1 for Satterthwaite; ``F / scale`` is the unscaled statistic.
        mean_square: ``F sigma^2``, what an analysis of variance table prints.
    """

    F: float
    numerator_df: int
    denominator_df: float
    p_value: float
    scale: float
    mean_square: float


@dataclass(frozen=True)
class AbstractTests:
    """Tests with finite degrees of freedom, in an orthogonal basis of the columns.

    Attributes:
        beta: ``(p,)`` fixed effects.
        fixed: the basis; its coefficients are ``R beta``.
        basis_vcov: ``(p, p)`` covariance matrix of these.
    """

    beta: np.ndarray
    fixed: FixedEffects
    basis_vcov: np.ndarray

    @property
    def vcov(self) -> np.ndarray:
        """``(p, p)`` covariance matrix of beta."""
        return self.fixed.covariance(self.basis_vcov)

    def standard_errors(self, L: np.ndarray) -> np.ndarray:
        """Return the standard error of each row of ``L`` ``(rows, p)``."""
        return np.sqrt(quadratic(basis_rows(L, self.fixed), self.basis_vcov))


def f_p_value(F: float, numerator: float, denominator: float) -> float:
    """Upper tail probability of the F distribution."""
    if not np.isfinite(denominator):
        return float(gammaincc(numerator / 2.0, numerator * F / 2.0))
    return float(betainc(denominator / 2.0, numerator / 2.0, denominator / (denominator + numerator * max(F, 0.0))))


def basis_rows(L: np.ndarray, fixed: FixedEffects) -> np.ndarray:
    """Return rows over the coefficients ``R beta`` of the orthogonal basis from rows ``L`` over beta, ``L R^-1``.

    Variances are computed there: a row that is moderate in the data has moderate entries, wherever the predictors have
    their zeros, while in ``L vcov L'`` terms cancel that are larger by the square of a predictor's distance from zero.
    """
    return np.linalg.solve(fixed.R.T, L.T).T


def quadratic(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return ``r' M r`` for each row r."""
    return np.asarray(np.einsum("rp,pq,rq->r", rows, matrix, rows))


def standardised_rows(L: np.ndarray, vcov: np.ndarray) -> np.ndarray:
    """Return independent combinations of the rows of ``L`` whose estimates are uncorrelated with variance 1.

    Which rows depend on each other is judged after each is divided by its standard error, and in a factor of the
    covariance matrix of which every row is divided by the standard error of its coefficient. Neither depends on the
    units of predictors, contrasts or response. Wald's statistic is the sum of the squares of the estimates of the rows.

    Args:
        L: ``(rows, p)``.
        vcov: ``(p, p)`` covariance matrix of the coefficients.

    Returns:
        ``(rank, p)``; NaN where a row has no variance, or one that is not known.
    """
    L = L[L.any(axis=1)]
    if not len(L):
        return L
    scaled, half = _half(L, vcov)
    lengths = np.sqrt(np.einsum("ij,ij->i", half, half))
    if not (lengths > 0).all():
        return np.full(L.shape, np.nan)
    left, values, _ = np.linalg.svd(half / lengths[:, None], full_matrices=False)
    # Rounding in a row is relative to its terms, which can be much larger than their sum.
    cancelled = float((np.abs(scaled).sum(axis=1) / lengths).max())
    rank = int((values > max(DEPENDENT_ROWS, ROUNDING * cancelled) * values[0]).sum())
    return np.asarray((left[:, :rank] / values[:rank]).T @ (L / lengths[:, None]))


def principal_rows(L: np.ndarray, vcov: np.ndarray, rank: int) -> np.ndarray:
    """Return the first ``rank`` eigenvectors of ``L vcov L'``, largest first, applied to the rows of ``L``.

    They are left singular vectors of ``L F`` with ``vcov = F F'``, which keeps twice the digits.

    Args:
        L: ``(rows, p)``.
        vcov: ``(p, p)`` covariance matrix of the coefficients.
        rank: number of independent rows.
    """
    left, _, _ = np.linalg.svd(_half(L, vcov)[1], full_matrices=False)
    return left[:, :rank].T @ L


def _half(L: np.ndarray, vcov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows over coefficients divided by their standard errors, and times a factor of vcov; NaN if unknown."""
    used = np.flatnonzero(L.any(axis=0) & (np.diagonal(vcov) != 0.0))
    variances = vcov[np.ix_(used, used)]
    if not np.isfinite(variances).all():
        return np.full(L.shape, np.nan), np.full(L.shape, np.nan)
    errors = np.sqrt(np.diagonal(variances))
    scaled = L[:, used] * errors
    return scaled, scaled @ _root(variances / np.outer(errors, errors))


def _root(correlation: np.ndarray) -> np.ndarray:
    """Return a factor F of a correlation matrix, ``F F'``; rounding may have left it barely indefinite."""
    try:
        return np.asarray(np.linalg.cholesky(correlation))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(correlation)
        return vectors * np.sqrt(np.maximum(values, 0.0))


def check_contrast(L: np.ndarray, rank: int) -> np.ndarray:
    """Return the contrast as ``(rows, rank)``, or raise `ModelError`."""
    L = np.atleast_2d(np.asarray(L, dtype=float))
    if L.ndim != 2 or L.shape[1] != rank or not np.isfinite(L).all():
        raise ModelError(f"a contrast of shape {L.shape} does not fit the {rank} estimated fixed effects")
    if not np.any(L):
        raise ModelError("a contrast without a non-zero coefficient tests nothing")
    return L
