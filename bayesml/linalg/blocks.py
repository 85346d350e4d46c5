"""The random effects of a mixed model as arrays, and the parameters of their covariance matrices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.errors import DataError
from bayesml.linalg.fixed_effects import level_columns

__all__ = ["AbstractBlock", "DenseBlock", "GroupBlock", "SpreadBlock", "ThetaLayout"]


@dataclass(frozen=True)
class AbstractBlock(ABC):
    """Coefficients that are Gaussian given their covariance: ``n_levels`` independent vectors of ``q``, all alike.

    Each correlated set of coefficients has a lower triangle of its own in theta. So one set is an unstructured
    covariance matrix, sets of one coefficient each a diagonal one, one coefficient for many columns a scaled identity,
    and a block for each stratum a matrix for each stratum.

    Attributes:
        name: label used in messages.
        codes: ``(n,)`` integers from 0, the set of columns that each row belongs to.
        n_levels: number of vectors.
        Z: ``(n, columns)``.
        blocks: sizes of the correlated sets of coefficients, in order, summing to ``q``.
        columns: labels of the coefficients, used in messages.
    """

    name: str
    codes: np.ndarray
    n_levels: int
    Z: np.ndarray
    blocks: tuple[int, ...]
    columns: tuple[str, ...] = ()

    @property
    def q(self) -> int:
        """Size of the vectors."""
        return sum(self.blocks)

    def labels(self) -> tuple[str, ...]:
        """Return the labels of the coefficients, ``z1, z2, ...`` where none were given."""
        return self.columns or tuple(f"z{i + 1}" for i in range(self.q))

    @property
    @abstractmethod
    def is_factor(self) -> bool:
        """Whether the vectors belong to the levels of a factor, of which each row has one."""

    @abstractmethod
    def row_shape(self, count: int) -> tuple[int, int]:
        """Return how ``count`` vectors look from the rows: coefficients that a row touches, and levels it may have."""

    @abstractmethod
    def standardised(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return columns ``(columns, n)`` of size 1 in the place of Z, and T ``(q, q)``: their effects are ``T b``."""

    @abstractmethod
    def scaled(self, Z: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """Return ``Lambda'Z'`` ``(columns, n)`` for a covariance factor Lambda ``(q, q)``."""

    @abstractmethod
    def contribution(self, effects: np.ndarray) -> np.ndarray:
        """Return what ``(..., n_levels, q)`` effects add to the linear predictor, ``(..., n)``."""

    @abstractmethod
    def check(self, n: int) -> None:
        """Raise `DataError` unless the arrays fit together and ``n`` rows."""


@final
@dataclass(frozen=True)
class GroupBlock(AbstractBlock):
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

    @property
    def is_factor(self) -> bool:
        """True."""
        return True

    def row_shape(self, count: int) -> tuple[int, int]:
        """Return that a row touches the effects of its level."""
        return self.q, count

    def standardised(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return columns orthogonal within each correlated set."""
        return level_columns(Z, self.blocks)

    def scaled(self, Z: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """Return the columns whose coefficients are standardised effects."""
        return factor.T @ Z.T

    def contribution(self, effects: np.ndarray) -> np.ndarray:
        """Return the row's columns times the effects of its level."""
        return np.einsum("nq,...nq->...n", self.Z, effects[..., self.codes, :])

    def check(self, n: int) -> None:
        """Raise `DataError` unless the arrays fit together and ``n`` rows."""
        if self.Z.ndim != 2 or self.Z.shape[0] != n or self.codes.shape != (n,):
            raise DataError(
                f"group `{self.name}`: codes {self.codes.shape} and Z {self.Z.shape} do not match the {n} rows of y"
            )
        if self.q != self.Z.shape[1] or min(self.blocks, default=0) < 1:
            raise DataError(
                f"group `{self.name}`: blocks {self.blocks} do not add up to the {self.Z.shape[1]} columns of Z"
            )
        if n and (self.codes.min() < 0 or self.codes.max() >= self.n_levels):
            raise DataError(f"group `{self.name}`: codes must lie in 0 .. {self.n_levels - 1}")


@final
@dataclass(frozen=True)
class DenseBlock(AbstractBlock):
    """Independent coefficients with one standard deviation that every row may touch: those of a penalised spline.

    Each of them is a vector of one. Write ``DenseBlock.of(name, Z)``.
    """

    @classmethod
    def of(cls, name: str, Z: np.ndarray, label: str = "sd") -> DenseBlock:
        """Return the block of the coefficients of ``Z`` ``(n, columns)``; the label is that of the sd in messages."""
        Z = np.asarray(Z, dtype=float)
        return cls(name, np.zeros(len(Z), dtype=np.intp), Z.shape[-1], Z, (1,), (label,))

    @property
    def is_factor(self) -> bool:
        """False: rows share coefficients."""
        return False

    def row_shape(self, count: int) -> tuple[int, int]:
        """Return that a row touches all coefficients."""
        return count, 1

    def standardised(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Divide all columns by one number, so that coefficients of sd 1 give the rows a mean square of 1."""
        size = float(np.sqrt(np.einsum("ij,ij->", Z, Z) / max(len(Z), 1))) or 1.0
        return np.ascontiguousarray(Z.T) / size, np.array([[size]])

    def scaled(self, Z: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """Return the columns whose coefficients are standardised effects."""
        return factor[0, 0] * np.ascontiguousarray(Z.T)

    def contribution(self, effects: np.ndarray) -> np.ndarray:
        """Return the rows times the coefficients."""
        return effects[..., 0] @ self.Z.T

    def check(self, n: int) -> None:
        """Raise `DataError` unless there are columns of ``n`` rows."""
        if self.Z.ndim != 2 or self.Z.shape[0] != n or not self.Z.shape[1]:
            raise DataError(f"block `{self.name}`: Z has shape {self.Z.shape}; it needs {n} rows and at least a column")


@final
@dataclass(frozen=True)
class SpreadBlock(AbstractBlock):
    """Vectors of effects that every row may touch: levels with known covariances, rows that belong to several levels.

    ``Z`` is ``(n, q * n_levels)``: the columns of the first coefficient for all vectors, then those of the second.
    """

    @classmethod
    def of(
        cls, name: str, Z: np.ndarray, n_levels: int, blocks: tuple[int, ...], columns: tuple[str, ...] = ()
    ) -> SpreadBlock:
        """Return the block of the columns ``Z``."""
        return cls(name, np.zeros(len(Z), dtype=np.intp), n_levels, Z, blocks, columns)

    @property
    def is_factor(self) -> bool:
        """False: rows share coefficients."""
        return False

    def row_shape(self, count: int) -> tuple[int, int]:
        """Return that a row touches all coefficients."""
        return self.q * count, 1

    def standardised(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return columns orthogonal within each correlated set, whose effects of sd 1 give rows a mean square of 1.

        Every row and vector counts like a row of a factor: ``Z_il = Q_il T`` for the q columns of row i and vector l.
        """
        n, root = len(Z), float(np.sqrt(self.n_levels))
        by_vector = Z.reshape(n, self.q, self.n_levels).transpose(0, 2, 1).reshape(-1, self.q)
        columns, T = level_columns(by_vector * root, self.blocks)
        ordered = (columns / root).reshape(self.q, n, self.n_levels).transpose(0, 2, 1)
        return np.ascontiguousarray(ordered.reshape(-1, n)), T

    def scaled(self, Z: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """Return the columns whose coefficients are standardised effects."""
        by_entry = Z.T.reshape(self.q, -1)
        return np.ascontiguousarray((factor.T @ by_entry).reshape(-1, len(Z)))

    def contribution(self, effects: np.ndarray) -> np.ndarray:
        """Return the rows times the coefficients."""
        return effects.swapaxes(-1, -2).reshape(*effects.shape[:-2], -1) @ self.Z.T

    def check(self, n: int) -> None:
        """Raise `DataError` unless there are columns of ``n`` rows."""
        if self.Z.shape != (n, self.q * self.n_levels):
            raise DataError(f"block `{self.name}`: Z has shape {self.Z.shape} for {n} rows and {self.n_levels} levels")


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
