"""The blocked Cholesky factorisation of the mixed-model equations, one theta at a time; its cost is free of n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.lazy import lazy_module
from bayesml.linalg.arrow import BlockArrow, NotPositiveDefinite
from bayesml.linalg.crossproducts import CrossProducts
from bayesml.linalg.elimination import Elimination, Pivot, eliminate
from bayesml.linalg.levels import apply, inverse_cholesky, log_determinant, transposed
from bayesml.linalg.tail import block_product

__all__ = ["Factorisation", "factorise", "scale_tail"]

lapack = lazy_module("scipy.linalg.lapack")


@final
@dataclass(frozen=True)
class Factorisation:
    """``K = Lambda'Z'WZ Lambda + I`` factored, and what is left of ``[X y]``.

    Attributes:
        products: the cross-products it was made of.
        lambdas: for each factor the relative covariance factor, in the scaled coordinates of ``products``.
        elimination: of the chain of nested factors.
        tail_cholesky: ``(m, m)`` lower triangular.
        tail_half: ``(m, p + 1)`` of the tail, ``L^-1 Lambda' Z'[X y]``.
        log_determinant: ``log |K|``.
        reduced: ``(p + 1, p + 1)`` the matrix ``[X y]'V^-1[X y]``, V relative to the residual variance.
        reduced_cholesky: its lower Cholesky factor.
    """

    products: CrossProducts
    lambdas: tuple[np.ndarray, ...]
    elimination: Elimination
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

    The chain of nested factors is eliminated first, then the dense tail, then ``[X y]`` (Bates et al. 2015, equations
    18-28, in blocks).

    Returns:
        the factorisation, or None where the matrix is not positive definite in floating point.
    """
    arrow = products.matrix.arrow

    def pivot(place: int, own: np.ndarray) -> Pivot:
        lam = lambdas[arrow.stages[place].block]
        inverse = inverse_cholesky(_penalised(own, lam))
        return Pivot(inverse, apply(inverse, lam.T[:, :, None]), log_determinant(inverse))

    try:
        found = eliminate(products.matrix, pivot)
        cholesky, half = _factor_tail(arrow, lambdas, found.corner)
    except NotPositiveDefinite:
        return None
    m = len(cholesky)
    reduced = found.corner[m:, m:] - half.T @ half
    triangle, info = lapack.dpotrf(reduced, lower=1)
    if info:
        return None
    return Factorisation(
        products=products,
        lambdas=tuple(lambdas),
        elimination=found,
        tail_cholesky=cholesky,
        tail_half=half,
        log_determinant=found.log_determinant + 2.0 * float(np.log(np.diagonal(cholesky)).sum()),
        reduced=reduced,
        reduced_cholesky=triangle,
    )


def _penalised(own: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """``Lambda' A_j Lambda + I`` for all levels."""
    q = len(lam)
    if q == 1:
        return own * lam[0, 0] ** 2 + 1.0
    matrix = apply(lam.T, transposed(apply(lam.T, own)))
    matrix[np.arange(q), np.arange(q)] += 1.0
    return matrix


def scale_tail(arrow: BlockArrow, lambdas: Sequence[np.ndarray], rows: np.ndarray, transpose: bool) -> np.ndarray:
    """Multiply ``(m, c)`` from the left by the block-diagonal Lambda of the tail, or by its transpose."""
    factors = [lambdas[part.block].T if transpose else lambdas[part.block] for part in arrow.tail]
    return block_product([part.q * part.levels for part in arrow.tail], factors, rows)


def _factor_tail(arrow: BlockArrow, lambdas: Sequence[np.ndarray], corner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    m = arrow.width
    if not m:
        return np.zeros((0, 0)), np.zeros((0, len(corner)))
    scaled = scale_tail(arrow, lambdas, corner[:m, :m], transpose=True)
    matrix = scale_tail(arrow, lambdas, scaled.T, transpose=True)
    matrix[np.arange(m), np.arange(m)] += 1.0
    cholesky, info = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1)
    if info:
        raise NotPositiveDefinite
    half, _ = lapack.dtrtrs(cholesky, scale_tail(arrow, lambdas, corner[:m, m:], transpose=True), lower=1)
    return cholesky, half
