"""The blocked Cholesky factorisation of the mixed-model equations, one theta at a time; its cost is free of n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesml.lazy import lazy_module
from bayesml.linalg.crossproducts import CrossProducts, Tail
from bayesml.linalg.levels import apply, crossed, gram, inverse_cholesky, sum_children, transposed

__all__ = ["Factorisation", "factorise", "scale_tail"]

lapack = lazy_module("scipy.linalg.lapack")


@dataclass(frozen=True)
class Factorisation:
    """``K = Lambda'Z'WZ Lambda + I`` factored, and what is left of ``[X y]``.

    Attributes:
        products: the cross-products it was made of.
        lambdas: for each factor the relative covariance factor, in the scaled coordinates of ``products``.
        faces: for each lead its faces after all earlier leads were eliminated.
        inverses: for each lead lower-triangular ``C`` ``(q, q, J)`` with ``C'C = K_j^-1``.
        corner: ``(m + p + 1, m + p + 1)`` after all leads were eliminated.
        tail_cholesky: ``(m, m)`` lower triangular.
        tail_half: ``(m, p + 1)`` of the tail, ``L^-1 Lambda' Z'[X y]``.
        log_determinant: ``log |K|``.
        reduced: ``(p + 1, p + 1)`` the matrix ``[X y]'V^-1[X y]``, V relative to the residual variance.
        reduced_cholesky: its lower Cholesky factor.
    """

    products: CrossProducts
    lambdas: tuple[np.ndarray, ...]
    faces: tuple[np.ndarray, ...]
    inverses: tuple[np.ndarray, ...]
    corner: np.ndarray
    tail_cholesky: np.ndarray
    tail_half: np.ndarray
    log_determinant: float
    reduced: np.ndarray
    reduced_cholesky: np.ndarray

    @property
    def residual_sum(self) -> float:
        """Penalised residual sum of squares, the minimum of ``||y - X b - Z Lambda u||^2 + ||u||^2``."""
        return float(self.reduced_cholesky[-1, -1] ** 2)

    @property
    def log_fixed(self) -> float:
        """``log |Q'V^-1 Q|`` of the orthogonal basis Q of the fixed effects."""
        return 2.0 * float(np.log(np.diagonal(self.reduced_cholesky)[:-1]).sum())


def factorise(products: CrossProducts, lambdas: Sequence[np.ndarray]) -> Factorisation | None:
    """Factor the mixed-model equations at one value of the relative covariance factors.

    Leads are eliminated one after the other (each stays block-diagonal), then the dense tail, then ``[X y]``
    (Bates et al. 2015, equations 18-28, in blocks).

    Returns:
        the factorisation, or None where the matrix is not positive definite in floating point.
    """
    faces = [lead.faces for lead in products.leads]
    corner = products.corner.copy()
    inverses, log_determinant = [], 0.0
    for place, lead in enumerate(products.leads):
        lam = lambdas[lead.group]
        inverse = inverse_cholesky(_penalised(faces[place][:, : lead.q], lam))
        log_determinant -= 2.0 * sum(float(np.log(inverse[k, k]).sum()) for k in range(lead.q))
        inverses.append(inverse)
        _eliminate(products, place, apply(inverse, _constant(lam.T)), faces, corner)
    if not np.isfinite(log_determinant):
        return None
    tail = _factor_tail(products, lambdas, corner)
    if tail is None:
        return None
    cholesky, half = tail
    m = len(cholesky)
    log_determinant += 2.0 * float(np.log(np.diagonal(cholesky)).sum())
    reduced = corner[m:, m:] - half.T @ half
    triangle, info = lapack.dpotrf(reduced, lower=1)
    if info:
        return None
    return Factorisation(
        products=products,
        lambdas=tuple(lambdas),
        faces=tuple(faces),
        inverses=tuple(inverses),
        corner=corner,
        tail_cholesky=cholesky,
        tail_half=half,
        log_determinant=log_determinant,
        reduced=reduced,
        reduced_cholesky=triangle,
    )


def _constant(matrix: np.ndarray) -> np.ndarray:
    return matrix[:, :, None]


def _penalised(own: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """``Lambda' A_j Lambda + I`` for all levels."""
    q = len(lam)
    if q == 1:
        return own * lam[0, 0] ** 2 + 1.0
    matrix = apply(lam.T, transposed(apply(lam.T, own)))
    matrix[np.arange(q), np.arange(q)] += 1.0
    return matrix


def _eliminate(
    products: CrossProducts, place: int, root: np.ndarray, faces: list[np.ndarray], corner: np.ndarray
) -> None:
    """Subtract from the later faces and the corner what one lead explains; ``root'root = Lambda K_j^-1 Lambda'``."""
    lead = products.leads[place]
    half = apply(root, faces[place][:, lead.q :])
    sparse = products.coupling if place == 0 else None
    column = 0
    for later, (starts, ancestors) in enumerate(zip(lead.starts, lead.ancestors, strict=True), start=place + 1):
        segment = half[:, column : column + products.leads[later].q]
        update = sum_children(crossed(segment, half[:, column:]), starts)
        if sparse is not None:
            tail_update = sparse.to_parents(crossed(root, segment), ancestors, len(starts))
            at = update.shape[1] - products.p - 1
            update = np.concatenate([update[:, :at], tail_update, update[:, at:]], axis=1)
        faces[later] = faces[later] - update
        column += products.leads[later].q
    border = half[:, column:]
    corner[-border.shape[1] :, -border.shape[1] :] -= gram(border)
    if sparse is not None:
        m = products.tail_size
        cross = sparse.left(crossed(root, border))
        corner[:m, :m] -= sparse.outer(crossed(root, root))
        corner[:m, m:] -= cross
        corner[m:, :m] -= cross.T


def scale_tail(tail: Sequence[Tail], lambdas: Sequence[np.ndarray], rows: np.ndarray, transpose: bool) -> np.ndarray:
    """Multiply ``(m, c)`` from the left by the block-diagonal Lambda of the tail, or by its transpose."""
    if all(part.q == 1 for part in tail):
        scales = [lambdas[part.group][0, 0] for part in tail]
        return rows * np.repeat(scales, [len(part.levels) for part in tail])[:, None]
    out = np.empty_like(rows)
    for part in tail:
        lam = lambdas[part.group].T if transpose else lambdas[part.group]
        block = rows[part.rows].reshape(len(part.levels), part.q, -1)
        out[part.rows] = (lam @ block).reshape(-1, rows.shape[1])
    return out


def _factor_tail(
    products: CrossProducts, lambdas: Sequence[np.ndarray], corner: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    m = products.tail_size
    if not m:
        return np.zeros((0, 0)), np.zeros((0, products.p + 1))
    scaled = scale_tail(products.tail, lambdas, corner[:m, :m], transpose=True)
    matrix = scale_tail(products.tail, lambdas, scaled.T, transpose=True)
    matrix[np.arange(m), np.arange(m)] += 1.0
    cholesky, info = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1)
    if info:
        return None
    half, _ = lapack.dtrtrs(cholesky, scale_tail(products.tail, lambdas, corner[:m, m:], transpose=True), lower=1)
    return cholesky, half
