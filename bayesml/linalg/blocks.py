"""The grouping factors of a mixed model as arrays, and the parameters of their covariance matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesml.errors import DataError

__all__ = ["GroupBlock", "ThetaLayout"]


@dataclass(frozen=True)
class GroupBlock:
    """One grouping factor with the columns that vary over its levels.

    Attributes:
        name: the factor's label, used in messages.
        codes: ``(n,)`` integers in ``0 .. n_levels - 1``, the level of each row.
        n_levels: number of levels; a level without rows is allowed.
        Z: ``(n, q)`` columns whose coefficients vary over the levels.
        blocks: sizes of the correlated sets of columns, in order, summing to ``q``: ``(2,)`` for ``(x | g)``,
            ``(1, 1)`` for ``(x || g)``.
        columns: labels of the columns of ``Z``, used in messages.
    """

    name: str
    codes: np.ndarray
    n_levels: int
    Z: np.ndarray
    blocks: tuple[int, ...]
    columns: tuple[str, ...] = ()

    @property
    def q(self) -> int:
        """Number of coefficients per level."""
        return int(self.Z.shape[1])

    def labels(self) -> tuple[str, ...]:
        """Return the labels of the columns, ``z1, z2, ...`` where none were given."""
        return self.columns or tuple(f"z{i + 1}" for i in range(self.q))

    def check(self, n: int) -> None:
        """Raise `DataError` unless the arrays fit together and ``n`` rows."""
        if self.Z.ndim != 2 or self.Z.shape[0] != n or self.codes.shape != (n,):
            raise DataError(
                f"group `{self.name}`: codes {self.codes.shape} and Z {self.Z.shape} do not match the {n} rows of y"
            )
        if sum(self.blocks) != self.q or min(self.blocks, default=0) < 1:
            raise DataError(f"group `{self.name}`: blocks {self.blocks} do not add up to the {self.q} columns of Z")
        if n and (self.codes.min() < 0 or self.codes.max() >= self.n_levels):
            raise DataError(f"group `{self.name}`: codes must lie in 0 .. {self.n_levels - 1}")


@dataclass(frozen=True)
class ThetaLayout:
    """Where each entry of theta sits in the relative covariance factors Lambda.

    theta is the lower triangle, column by column, of each correlated block of each factor in turn (the order of
    Bates et al. 2015, section 2.2).

    Attributes:
        sizes: number of coefficients per factor.
        group: ``(k,)`` factor of each entry.
        row: ``(k,)`` row in the ``(q, q)`` matrix of that factor.
        column: ``(k,)`` column.
    """

    sizes: tuple[int, ...]
    group: np.ndarray
    row: np.ndarray
    column: np.ndarray

    @classmethod
    def of(cls, blocks: Sequence[Sequence[int]]) -> ThetaLayout:
        """Build the layout of factors with the given correlated block sizes."""
        entries = []
        for group, sizes in enumerate(blocks):
            offset = 0
            for size in sizes:
                entries += [(group, offset + i, offset + j) for j in range(size) for i in range(j, size)]
                offset += size
        table = np.array(entries, dtype=np.intp).reshape(-1, 3)
        return cls(tuple(sum(sizes) for sizes in blocks), table[:, 0], table[:, 1], table[:, 2])

    @property
    def size(self) -> int:
        """Length of theta."""
        return len(self.group)

    @property
    def is_diagonal(self) -> np.ndarray:
        """Return a ``(k,)`` mask of the entries on the diagonals of Lambda."""
        return self.row == self.column

    def matrices(self, theta: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return Lambda, one lower-triangular ``(q, q)`` matrix per factor."""
        out = tuple(np.zeros((q, q)) for q in self.sizes)
        for value, group, row, column in zip(theta.tolist(), self.group, self.row, self.column, strict=True):
            out[group][row, column] = value
        return out

    def gather(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        """Return the entries of one matrix per factor at the places of theta."""
        places = zip(self.group, self.row, self.column, strict=True)
        return np.array([matrices[group][row, column] for group, row, column in places], dtype=float)

    def through(self, maps: Sequence[np.ndarray]) -> np.ndarray:
        """Return the ``(k, k)`` matrix that takes theta to the theta of ``maps[g] Lambda_g``, all lower triangular."""
        ends = np.cumsum([0, *self.sizes])
        stacked = np.zeros((ends[-1], ends[-1]))
        for start, end, matrix in zip(ends, ends[1:], maps, strict=False):
            stacked[start:end, start:end] = matrix
        place = ends[self.group] + self.row
        same = (self.group[:, None] == self.group) & (self.column[:, None] == self.column)
        return np.where(same, stacked[place[:, None], place], 0.0)
