"""The matrix ``K = Lambda'Z'WZ Lambda + I`` of the group effects: one interface, one file for each structure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["AbstractBlocks", "AbstractFactor", "Columns", "NotPositiveDefinite", "split", "total_size"]


class NotPositiveDefinite(ArithmeticError):
    """K has a direction of negative curvature at these weights."""


@final
@dataclass(frozen=True)
class Columns:
    """One grouping factor, coefficients first.

    Attributes:
        codes: ``(n,)`` level of each row.
        n_levels: number of levels.
        Z: ``(q, n)``.
    """

    codes: np.ndarray
    n_levels: int
    Z: np.ndarray

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return len(self.Z) * self.n_levels

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """Sum ``(..., n)`` over the rows of each level."""
        if rows.ndim == 1:
            return np.bincount(self.codes, rows, self.n_levels)
        return np.stack([self.sums(part) for part in rows])


class AbstractFactor(ABC):
    """A factorised K."""

    @property
    @abstractmethod
    def log_determinant(self) -> float:
        """``log |K|``."""

    @abstractmethod
    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return ``K^-1 right`` for ``(size,)`` or ``(size, c)``."""

    @abstractmethod
    def row_solutions(self) -> tuple[np.ndarray, ...]:
        """Return ``K^-1 m_i`` of every row i at the levels of that row, ``(q, n)`` for each factor."""

    @abstractmethod
    def level_blocks(self) -> tuple[np.ndarray, ...]:
        """Return the diagonal blocks of ``K^-1``, ``(q, q, levels)`` for each factor."""


class AbstractBlocks(ABC):
    """The structure of K; effects are stored factor by factor, ``(q, levels)`` each, in one flat vector."""

    @abstractmethod
    def factorise(self, weights: np.ndarray, rows: Sequence[np.ndarray]) -> AbstractFactor:
        """Factorise K.

        Args:
            weights: ``(n,)`` curvature of each row.
            rows: ``(q, n)`` columns ``Lambda'Z'`` of each factor.

        Raises:
            NotPositiveDefinite: K is not positive definite.
        """


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
