"""Groups of rows over which numbers are added up with weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["RowGroups"]


@final
@dataclass(frozen=True)
class RowGroups:
    """Groups of rows.

    Attributes:
        count: number of groups.
        members: ``(rows,)`` group of each row.
        weights: ``(rows,)``.
    """

    count: int
    members: np.ndarray
    weights: np.ndarray

    def sums(self, columns: np.ndarray) -> np.ndarray:
        """Return weighted sums of columns ``(rows, k)`` in each group, ``(groups, k)``."""
        each = [np.bincount(self.members, self.weights * column, self.count) for column in columns.T]
        return np.stack(each, axis=1) if each else np.zeros((self.count, 0))

    def sums_by_level(self, column: np.ndarray, index: np.ndarray, levels: int) -> np.ndarray:
        """Return weighted sums of a column ``(rows,)`` over the rows of each level, ``(groups, levels)``."""
        cells = self.members * levels + index
        return np.bincount(cells, self.weights * column, self.count * levels).reshape(self.count, levels)
