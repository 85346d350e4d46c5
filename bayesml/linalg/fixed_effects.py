"""Orthogonal bases of the columns of X and Z: rank, dropped columns, and the maps back to coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesml.lazy import lazy_module

__all__ = ["FixedEffects", "inverse_triangle", "level_columns", "orthogonalise"]

linalg = lazy_module("scipy.linalg")

DEPENDENT = 1e-7  # a column whose part outside the earlier columns is shorter than this (relative) is dropped
DEPENDENT_CENTRED = 3e-6  # the same for the part outside, relative to the centred column
FARTHEST = 1e-10  # the least standard deviation of a column in units of its length: closer, it is a constant
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


def orthogonalise(X: np.ndarray, root: np.ndarray | None = None) -> tuple[np.ndarray, FixedEffects]:
    """Return an orthonormal basis of the columns of ``X`` and the triangular map to them.

    Columns are taken in order; one whose part outside the columns before it is shorter than 1e-7 of its length is
    dropped, which is the rule of R's default QR decomposition, so the same columns go. Where the first column is
    constant a column also stays whose part is longer than 3e-6 of the centred column: it is short since the covariate
    is far from zero (a Julian day), up to a distance of 1e10 standard deviations. What is left over of a dependent
    column in single precision is shorter.

    Args:
        X: ``(n, p)``.
        root: ``(n,)`` square roots of the weights, by which the rows are multiplied, or None.
    """
    has_constant = X.shape[1] > 0 and len(X) > 0 and bool((X[:, 0] == X[0, 0]).all())
    X = X if root is None else X * root[:, None]
    norms = np.sqrt(np.einsum("ij,ij->j", X, X))
    scaled = X / np.where(norms > 0, norms, 1.0)
    gram = scaled.T @ scaled
    try:
        R = np.linalg.cholesky(gram).T
    except np.linalg.LinAlgError:
        return _careful(scaled, norms, has_constant)
    if len(R) and np.min(np.diagonal(R)) ** 2 < WELL_CONDITIONED:
        return _careful(scaled, norms, has_constant)
    basis = scaled @ np.linalg.inv(R)  # an inverse, not a solve: R is small and its condition below 1e4
    return basis, FixedEffects(R * norms, np.arange(len(R)), np.arange(0))


def _careful(scaled: np.ndarray, norms: np.ndarray, has_constant: bool) -> tuple[np.ndarray, FixedEffects]:
    """Gram-Schmidt in column order, each column orthogonalised twice, dropping the dependent ones."""
    n, p = scaled.shape
    basis, R = np.empty((n, p), order="F"), np.zeros((p, p))
    kept: list[int] = []
    for j in range(p):
        rank = len(kept)
        rest = scaled[:, j].copy()
        centred = 1.0
        if has_constant and 0 in kept:
            about = rest - basis[:, 0] * (basis[:, 0] @ rest)
            centred = float(np.sqrt(about @ about))
        for _ in range(2):
            part = basis[:, :rank].T @ rest
            rest -= basis[:, :rank] @ part
            R[:rank, j] += part
        length = float(np.sqrt(rest @ rest))
        far = centred > FARTHEST and length > DEPENDENT_CENTRED * centred
        if norms[j] > 0 and (length > DEPENDENT or far):
            basis[:, rank], R[rank, j] = rest / length, length
            kept.append(j)
    rank = len(kept)
    dropped = np.setdiff1d(np.arange(p), kept)
    triangle = R[:rank, kept] * norms[kept]
    return basis[:, :rank], FixedEffects(triangle, np.array(kept, dtype=np.intp), dropped)


def level_columns(Z: np.ndarray, blocks: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return orthogonal columns Q and the lower-triangular T with ``Z = Q T``, block by block.

    The effects of a level are ``T b`` in the coordinates of Q, and ``T Lambda`` has the shape of Lambda. A covariate
    far from zero (a year, a Julian day) then neither loses digits nor slows the search: Q is the same wherever its
    zero lies. T is found from the last column to the first, so that it is lower triangular. Each column of Q has mean
    square 1. The columns of a block that are dependent are only divided by their root mean squares, zero columns by 1.

    Args:
        Z: ``(n, q)``.
        blocks: sizes of the correlated sets of columns.

    Returns:
        Q ``(q, n)``, and T ``(q, q)``.
    """
    scales = np.sqrt(np.einsum("ij,ij->j", Z, Z) / len(Z))
    scales[scales == 0.0] = 1.0
    columns, T = np.ascontiguousarray(Z.T) / scales[:, None], np.diag(scales)
    for end, size in zip(np.cumsum(blocks), blocks, strict=True):
        block = slice(end - size, end)
        found = _reversed_triangle(columns[block]) if size > 1 else None
        if found is not None:
            columns[block], triangle = found
            T[block, block] = triangle * scales[block]
    return columns, T


def _reversed_triangle(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Orthogonalise rows of mean square 1 from the last to the first; None where they are dependent."""
    n = columns.shape[1]
    gram = columns @ columns.T / n
    try:
        triangle = np.linalg.cholesky(gram[::-1, ::-1])[::-1, ::-1].T
    except np.linalg.LinAlgError:
        triangle = np.zeros_like(gram)
    if np.diagonal(triangle).min() ** 2 > WELL_CONDITIONED:
        return inverse_triangle(triangle).T @ columns, triangle
    basis, triangle = np.empty_like(columns), np.zeros_like(gram)
    for k in reversed(range(len(columns))):
        rest = columns[k].copy()
        for _ in range(2):
            part = basis[k + 1 :] @ rest / n
            rest -= part @ basis[k + 1 :]
            triangle[k + 1 :, k] += part
        length = float(np.sqrt(rest @ rest / n))
        if not length > FARTHEST:
            return None
        basis[k], triangle[k, k] = rest / length, length
    return basis, triangle


def inverse_triangle(T: np.ndarray) -> np.ndarray:
    """Return the inverse of a lower-triangular matrix, with exact zeros above the diagonal however it is graded."""
    return np.asarray(linalg.solve_triangular(T, np.eye(len(T)), lower=True))
