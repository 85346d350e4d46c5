"""Functions of a spline whose penalty is the identity, with some that have none: mgcv's ``nat.param``.

How functions without a penalty are scaled, and which mixtures of them are taken, matters where they get one later: in
tensor products and in curves of each level of a factor. mgcv takes eigenvectors of a singular matrix with the
eigenvalue 0, of which there are several. LAPACK finds them in the space that is spanned by e1, S e1, S^2 e1, ... and in
its complement, e1 being the first unit vector: the part of e1 without a penalty, and what is orthogonal to it.
"""

from __future__ import annotations

import numpy as np

__all__ = ["natural", "orthonormal", "without_penalty"]

TINY = 1e-8


def natural(functions: np.ndarray, penalty: np.ndarray, polynomials: np.ndarray) -> np.ndarray:
    """Return coefficients ``(k, k)`` of functions of equal mean squares: those with a penalty, then those without.

    The penalty of the former is a multiple of the identity. Those without one are orthogonal beside the constant.

    Args:
        functions: of the spline at the rows of the fit, ``(rows, k)``.
        penalty: ``(k, k)``.
        polynomials: coefficients of the functions without a penalty, ``(k, d)``.
    """
    values, vectors = np.linalg.eigh(penalty)
    d = polynomials.shape[1]
    bent = vectors[:, d:] / np.sqrt(values[d:])
    if not d:
        return _unit(functions, bent)
    size = np.mean(np.sum((functions @ bent) ** 2, axis=0))
    free = without_penalty(polynomials)
    free = free * np.sqrt(size / np.sum((functions @ free) ** 2, axis=0))
    if d > 1:
        at_rows = functions @ free
        at_rows = at_rows - at_rows.mean(axis=0)
        free = free @ np.linalg.eigh(at_rows.T @ at_rows)[1]
    return np.hstack([_unit(functions, bent), _unit(functions, free)])


def orthonormal(functions: np.ndarray, penalty: np.ndarray, polynomials: np.ndarray) -> np.ndarray:
    """Return coefficients ``(k, k)`` of functions that are orthogonal over the rows, those without a penalty last.

    The penalty of the others is a multiple of the identity.
    """
    d = polynomials.shape[1]
    Q, R = np.linalg.qr(functions)
    root = np.linalg.solve(R.T, np.linalg.solve(R.T, penalty).T)
    values, vectors = np.linalg.eigh((root + root.T) / 2.0)
    bent = np.linalg.solve(R, vectors[:, d:] / np.sqrt(values[d:]))
    free = np.linalg.solve(R, without_penalty(R @ polynomials)[:, ::-1]) if d else polynomials
    return np.hstack([_unit(functions, bent), _unit(functions, free)])


def without_penalty(polynomials: np.ndarray) -> np.ndarray:
    """Return orthonormal vectors that span the same space: the part of e1 in it, and then the others."""
    basis = np.linalg.qr(polynomials)[0]
    first = basis @ basis[0]
    length = np.linalg.norm(first)
    if length < TINY:
        return polynomials / np.linalg.norm(polynomials, axis=0)
    first /= length
    others = basis - np.outer(first, first @ basis)
    vectors = np.linalg.svd(others)[0][:, : basis.shape[1] - 1]
    return np.column_stack([first, vectors])


def _unit(functions: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Scale functions together so that their mean square is 1."""
    if not coefficients.shape[1]:
        return coefficients
    scaled: np.ndarray = coefficients / np.sqrt(np.mean((functions @ coefficients) ** 2))
    return scaled
