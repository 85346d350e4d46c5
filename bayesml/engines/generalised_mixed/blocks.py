"""The grouping factors of a generalised linear mixed model over the rows, and vectors of their effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["Columns", "split", "total_size"]


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
