"""Many small matrices at once, levels last, ``(rows, columns, J)``: each step is one operation on all levels."""

from __future__ import annotations

import numpy as np

__all__ = ["apply", "contract", "crossed", "gram", "inverse_cholesky", "log_determinant", "transposed"]


def inverse_cholesky(matrices: np.ndarray) -> np.ndarray:
    """Return the lower-triangular ``C`` with ``C'C = A^-1`` for each positive definite ``A``, ``(q, q, J)``.

    A matrix that is not positive definite gives NaN or infinity, which shows in the criterion.
    """
    q = len(matrices)
    if q == 1:
        return 1.0 / np.sqrt(matrices)
    if q == 2:
        return _inverse_cholesky_2(matrices)
    rest = matrices.copy()
    inverse = np.zeros_like(matrices)
    inverse[np.arange(q), np.arange(q)] = 1.0
    for k in range(q):
        pivot = 1.0 / np.sqrt(rest[k, k])
        inverse[k, : k + 1] *= pivot
        column = rest[k + 1 :, k] * pivot
        inverse[k + 1 :, : k + 1] -= column[:, None] * inverse[k, : k + 1]
        rest[k + 1 :, k + 1 :] -= column[:, None] * column[None, :]
    return inverse


def _inverse_cholesky_2(matrices: np.ndarray) -> np.ndarray:
    inverse = np.zeros_like(matrices)
    off = matrices[1, 0]
    ratio = off / matrices[0, 0]
    last = 1.0 / np.sqrt(matrices[1, 1] - ratio * off)
    inverse[0, 0] = 1.0 / np.sqrt(matrices[0, 0])
    inverse[1, 0] = -ratio * last
    inverse[1, 1] = last
    return inverse


def log_determinant(inverse: np.ndarray) -> float:
    """Return ``sum_j log |A_j|`` for lower-triangular ``C`` with ``C'C = A^-1``, ``(q, q, J)``."""
    return -2.0 * sum(float(np.log(inverse[k, k]).sum()) for k in range(len(inverse)))


def apply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the product ``(r, c, J)`` of ``left`` ``(r, k, J)`` or ``(r, k)`` with ``right`` ``(k, c, J)``."""
    if left.ndim == 2:
        return (left @ right.reshape(len(right), -1)).reshape(len(left), *right.shape[1:])
    out = left[:, 0, None] * right[0]
    for k in range(1, len(right)):
        out += left[:, k, None] * right[k]
    return out


def transposed(matrices: np.ndarray) -> np.ndarray:
    """Transpose every level's matrix."""
    return matrices.swapaxes(0, 1)


def crossed(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return ``left' right`` for each level: ``(k, a, J)`` and ``(k, c, J)`` give ``(a, c, J)``."""
    return apply(transposed(left), right)


def gram(faces: np.ndarray) -> np.ndarray:
    """Return ``sum_j faces_j' faces_j``, ``(c, c)``, for ``(q, c, J)``."""
    flat = faces[0] if len(faces) == 1 else transposed(faces).reshape(faces.shape[1], -1)
    return flat @ flat.T


def contract(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return ``left right'`` for each level: ``(a, c, J)`` and ``(b, c, J)`` give ``(a, b, J)``."""
    if right.shape[1] == 0:
        return np.zeros((len(left), len(right), left.shape[2]))
    return np.einsum("acj,bcj->abj", left, right)
