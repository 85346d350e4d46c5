"""A block arrow plus the identity, factorised: its determinant, solutions with it, and entries of its inverse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from bayesml.lazy import lazy_module
from bayesml.linalg.arrow import ArrowMatrix, NotPositiveDefinite
from bayesml.linalg.elimination import Elimination, Pivot, backward, eliminate, forward
from bayesml.linalg.levels import inverse_cholesky, log_determinant
from bayesml.linalg.selected_inverse import SelectedInverse, inverse_blocks

__all__ = ["ArrowFactor", "factorise_identity_plus", "inverse_of_cholesky"]

lapack = lazy_module("scipy.linalg.lapack")
SMALL = 300  # a symmetric matrix this small is inverted without dpotri, which wakes BLAS threads even for it


@final
@dataclass(frozen=True)
class ArrowFactor:
    """``K = M + I`` factorised; a vector holds the coefficients of the blocks in order, ``(q, levels)`` each.

    Attributes:
        elimination: of the stages.
        tail_inverse: ``(m, m)`` the tail's block of ``K^-1``.
        log_determinant: ``log |K|``.
    """

    elimination: Elimination
    tail_inverse: np.ndarray
    log_determinant: float

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return ``K^-1 right`` for ``(size,)`` or ``(size, c)``."""
        arrow, blocks = self.elimination.matrix.arrow, self.elimination.matrix.arrow.slices
        given = right[:, None] if right.ndim == 1 else right
        count = given.shape[1]
        stages = [_levels_last(given[blocks[stage.block]], stage.q, stage.levels) for stage in arrow.stages]
        tail = np.concatenate([given[blocks[part.block]] for part in arrow.tail]) if arrow.tail else given[:0]
        rests, tail = forward(self.elimination, stages, tail)
        tail = self.tail_inverse @ tail if len(tail) else tail
        solved, _ = backward(self.elimination, rests, tail)
        result = np.empty_like(given)
        for stage, values in zip(arrow.stages, solved, strict=True):
            result[blocks[stage.block]] = values.swapaxes(1, 2).reshape(-1, count)
        for part in arrow.tail:
            result[blocks[part.block]] = tail[part.rows]
        return result.reshape(right.shape)

    @cached_property
    def inverse(self) -> SelectedInverse:
        """``K^-1`` on the pattern of the matrix."""
        return inverse_blocks(self.elimination, self.tail_inverse)

    def level_blocks(self) -> tuple[np.ndarray, ...]:
        """Return for each block the diagonal blocks of ``K^-1``, ``(q, q, levels)``."""
        arrow, out = self.elimination.matrix.arrow, {}
        for stage, face in zip(arrow.stages, self.inverse.faces, strict=True):
            out[stage.block] = face[:, : stage.q]
        for part in arrow.tail:
            own = self.tail_inverse[part.rows, part.rows].reshape(part.q, part.levels, part.q, part.levels)
            out[part.block] = np.einsum("ajbj->abj", own)
        return tuple(out[block] for block in sorted(out))


def _levels_last(values: np.ndarray, q: int, levels: int) -> np.ndarray:
    """Return ``(q, c, levels)`` of ``(q * levels, c)``."""
    return values.reshape(q, levels, -1).swapaxes(1, 2)


def factorise_identity_plus(matrix: ArrowMatrix) -> ArrowFactor:
    """Factorise a matrix without ends.

    Raises:
        NotPositiveDefinite: the sum is not positive definite.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        found = eliminate(matrix, _unit_pivot)
    m = len(found.corner)
    if not m:
        return ArrowFactor(found, np.empty((0, 0)), found.log_determinant)
    cholesky, info = lapack.dpotrf(found.corner.T + np.eye(m), lower=1, clean=0, overwrite_a=1)
    if info != 0:
        raise NotPositiveDefinite
    of_tail = 2.0 * float(np.log(np.diagonal(cholesky)).sum())
    return ArrowFactor(found, inverse_of_cholesky(cholesky), found.log_determinant + of_tail)


def _unit_pivot(place: int, own: np.ndarray) -> Pivot:
    own = own.copy()
    own[np.arange(len(own)), np.arange(len(own))] += 1.0
    inverse = inverse_cholesky(own)
    return Pivot(inverse, inverse, log_determinant(inverse))


def inverse_of_cholesky(cholesky: np.ndarray) -> np.ndarray:
    """Return the inverse of a matrix whose lower Cholesky factor is given."""
    if len(cholesky) <= SMALL:
        root = np.tril(lapack.dtrtri(cholesky, lower=1)[0])
        return root.T @ root
    inverse, _ = lapack.dpotri(cholesky, lower=1)
    inverse = np.tril(inverse)
    return inverse + np.tril(inverse, -1).T
