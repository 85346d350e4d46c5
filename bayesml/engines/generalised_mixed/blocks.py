"""The random effects of a generalised linear mixed model over the rows, and vectors of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["Columns", "split", "total_size"]


@final
@dataclass(frozen=True)
class Columns:
    """One block of random effects, coefficients first.

    Attributes:
        codes: ``(n,)`` level of each row.
        n_levels: number of levels.
        Z: ``(columns, n)``; the effects of a level are one for each.
        q: size of the vectors with one covariance matrix: the columns of a factor. Where every row touches all vectors
            there are q columns for each of them, those of the first entry first.
    """

    codes: np.ndarray
    n_levels: int
    Z: np.ndarray
    q: int

    @property
    def size(self) -> int:
        """Number of effects."""
        return len(self.Z) * self.n_levels

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """Sum ``(..., n)`` over the rows of each level."""
        if rows.ndim == 1:
            return np.bincount(self.codes, rows, self.n_levels)
        return np.stack([self.sums(part) for part in rows])

    def times(self, factor: np.ndarray) -> np.ndarray:
        """Return ``Lambda'Z'`` ``(columns, n)`` for a covariance factor ``(q, q)``."""
        return (factor.T @ self.Z.reshape(self.q, -1)).reshape(self.Z.shape)

    def slope(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return what the derivative ``left right'`` with respect to ``(columns, n)`` columns is in Lambda."""
        return left.reshape(self.q, -1) @ right.reshape(self.q, -1).T

    def vectors(self, effects: np.ndarray) -> np.ndarray:
        """Return effects ``(columns, levels)`` as ``(q, vectors)``."""
        return effects.reshape(self.q, -1)

    def vector_blocks(self, blocks: np.ndarray) -> np.ndarray:
        """Return ``(q, q, vectors)`` of the diagonal blocks ``(columns, columns, levels)`` of a matrix."""
        count = len(self.Z) // self.q
        pairs = blocks.reshape(self.q, count, self.q, count, -1)
        return np.einsum("avbvj->abvj", pairs).reshape(self.q, self.q, -1)


def total_size(columns: Sequence[Columns]) -> int:
    """Return the number of effects of all factors."""
    return sum(part.size for part in columns)


def split(columns: Sequence[Columns], flat: np.ndarray) -> list[np.ndarray]:
    """Return views ``(q, levels)`` of each factor's part of a flat vector of effects."""
    parts, start = [], 0
    for part in columns:
        parts.append(flat[start : start + part.size].reshape(len(part.Z), part.n_levels))
        start += part.size
    return parts
