"""Orthogonal bases of the columns of X and Z: rank, dropped columns, and the maps back to coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["FixedEffects", "column_basis", "orthogonalise"]

DEPENDENT = 1e-7  # a column whose part outside the earlier columns is shorter than this (relative) is dropped
COLLINEAR = 1e-5  # columns of Z closer to dependence than this are only scaled
WELL_CONDITIONED = 1e-8  # squared: below this the Gram matrix is no longer trusted to judge the rank


@dataclass(frozen=True)
class FixedEffects:
    """``X[:, kept] = Q R``: the basis in which all cross-products are formed.

    Attributes:
        R: ``(rank, rank)`` upper triangular.
        kept: indices of the columns of X that are in the model, in order.
        dropped: indices of the columns that are linear combinations of earlier ones.
    """

    R: np.ndarray
    kept: np.ndarray
    dropped: np.ndarray

    @property
    def log_determinant(self) -> float:
        """``log |R|^2``: what separates ``log |X'V^-1 X|`` from ``log |Q'V^-1 Q|``."""
        return 2.0 * float(np.log(np.abs(np.diagonal(self.R))).sum())

    def coefficients(self, gamma: np.ndarray) -> np.ndarray:
        """Return coefficients of ``X[:, kept]`` from those of ``Q``; ``(rank, ...)`` in and out."""
        return np.linalg.solve(self.R, gamma)

    def covariance(self, covariance: np.ndarray) -> np.ndarray:
        """Return the covariance matrix of the coefficients of ``X[:, kept]`` from that of ``Q``'s."""
        half = self.coefficients(covariance)
        return self.coefficients(half.T)


def orthogonalise(X: np.ndarray) -> tuple[np.ndarray, FixedEffects]:
    """Return an orthonormal basis of the columns of ``X`` and the triangular map to them.

    Columns are taken in order; one whose part outside the columns before it is shorter than 1e-7 of its length is
    dropped, which is the rule of R's default QR decomposition, so the same columns go.

    Args:
        X: ``(n, p)``, rows already multiplied by the square roots of the weights.
    """
    norms = np.sqrt(np.einsum("ij,ij->j", X, X))
    scaled = X / np.where(norms > 0, norms, 1.0)
    gram = scaled.T @ scaled
    try:
        R = np.linalg.cholesky(gram).T
    except np.linalg.LinAlgError:
        return _careful(scaled, norms)
    if len(R) and np.min(np.diagonal(R)) ** 2 < WELL_CONDITIONED:
        return _careful(scaled, norms)
    basis = scaled @ np.linalg.inv(R)  # an inverse, not a solve: R is small and its condition below 1e4
    return basis, FixedEffects(R * norms, np.arange(len(R)), np.arange(0))


def _careful(scaled: np.ndarray, norms: np.ndarray) -> tuple[np.ndarray, FixedEffects]:
    """Gram-Schmidt in column order, each column orthogonalised twice, dropping the dependent ones."""
    n, p = scaled.shape
    basis, R = np.empty((n, p), order="F"), np.zeros((p, p))
    kept: list[int] = []
    for j in range(p):
        rank = len(kept)
        rest = scaled[:, j].copy()
        for _ in range(2):
            part = basis[:, :rank].T @ rest
            rest -= basis[:, :rank] @ part
            R[:rank, j] += part
        length = float(np.sqrt(rest @ rest))
        if norms[j] > 0 and length > DEPENDENT:
            basis[:, rank], R[rank, j] = rest / length, length
            kept.append(j)
    rank = len(kept)
    dropped = np.setdiff1d(np.arange(p), kept)
    triangle = R[:rank, kept] * norms[kept]
    return basis[:, :rank], FixedEffects(triangle, np.array(kept, dtype=np.intp), dropped)


def column_basis(Z: np.ndarray, blocks: tuple[int, ...]) -> np.ndarray:
    """Return the lower-triangular T for which the columns of ``Z T^-1`` are orthonormal (times n) within each block.

    A covariate far from zero (a year) then neither loses digits nor slows the search. Columns that are (nearly)
    dependent are only divided by their root mean squares, zero columns by 1.

    Args:
        Z: ``(n, q)``.
        blocks: sizes of the correlated sets of columns.
    """
    scales = np.sqrt(np.einsum("ij,ij->j", Z, Z) / len(Z))
    scales[scales == 0.0] = 1.0
    T = np.diag(scales)
    if max(blocks) == 1:
        return T
    gram = Z.T @ Z / (len(Z) * np.outer(scales, scales))
    for end, size in zip(np.cumsum(blocks), blocks, strict=True):
        block = slice(end - size, end)
        try:
            triangle = np.linalg.cholesky(gram[block, block][::-1, ::-1])[::-1, ::-1].T
        except np.linalg.LinAlgError:
            continue
        if np.diagonal(triangle).min() > COLLINEAR:
            T[block, block] = triangle * scales[block]
    return T
