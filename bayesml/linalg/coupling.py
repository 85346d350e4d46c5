"""The sparse block between the levels of the first stage of a block arrow and the columns of its tail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["CouplingPattern", "PatternPart", "SparseCoupling"]

scipy_sparse = lazy_module("scipy.sparse")

LARGEST_PAIR_TABLE = 30_000_000  # entries; beyond, products are formed anew for every factorisation
CHUNK_ELEMENTS = 20_000_000


@final
@dataclass(frozen=True)
class PatternPart:
    """The pairs of levels of the first stage and of one block of the tail that occur together.

    Attributes:
        block: which block.
        offset: its first tail column.
        levels: number of its levels.
        pair: ``(n,)`` which of the pairs each row belongs to.
        cells: ``(count,)`` the pairs, ``level of the stage * levels + own level``, sorted.
    """

    block: int
    offset: int
    levels: int
    pair: np.ndarray
    cells: np.ndarray


@final
@dataclass(frozen=True)
class CouplingPattern:
    """Which entries there are; their values depend on the rows.

    Attributes:
        parts: one for each block of the tail.
        firsts: for each part the first entry of each of its coefficients, before sorting.
        place: ``(nnz,)`` sorted place of each entry.
        rows: ``(nnz,)`` level of the first stage, sorted.
        columns: ``(nnz,)`` tail column, sorted within a level.
        starts: ``(J + 1,)`` first entry of each level.
        width: number of tail columns.
    """

    parts: tuple[PatternPart, ...]
    firsts: tuple[tuple[int, ...], ...]
    place: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    width: int

    @classmethod
    def of(cls, parts: Sequence[PatternPart], sizes: Sequence[int], levels: int, width: int) -> CouplingPattern:
        """Sort the entries by level.

        Args:
            parts: the pairs of levels.
            sizes: coefficients of each part.
            levels: of the first stage.
            width: number of tail columns.
        """
        rows, columns, firsts, total = [], [], [], 0
        for part, q in zip(parts, sizes, strict=True):
            level, other = np.divmod(part.cells, part.levels)
            rows.append(np.tile(level, q))
            columns.append(np.concatenate([part.offset + d * part.levels + other for d in range(q)]))
            firsts.append(tuple(total + d * len(level) for d in range(q)))
            total += q * len(level)
        all_rows, all_columns = np.concatenate(rows), np.concatenate(columns)
        order = np.lexsort((all_columns, all_rows))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        starts = np.concatenate([[0], np.cumsum(np.bincount(all_rows, minlength=levels))])
        index = np.int32 if max(len(order), width) < 2**31 - 1 else np.int64
        sorted_columns = all_columns[order].astype(index)
        return cls(tuple(parts), tuple(firsts), place, all_rows[order], sorted_columns, starts.astype(index), width)

    @property
    def levels(self) -> int:
        """Number of levels of the first stage."""
        return len(self.starts) - 1

    def form(self, left: np.ndarray, columns: Sequence[np.ndarray], reused: bool) -> SparseCoupling:
        """Sum the rows of every pair.

        Args:
            left: ``(q, n)`` columns of the first stage.
            columns: ``(q, n)`` of every block.
            reused: the coupling will serve for many factorisations.
        """
        values = np.empty((len(left), len(self.rows)))
        for out, first in zip(values, left, strict=True):
            sums = (
                np.bincount(part.pair, first * second, len(part.cells))
                for part in self.parts
                for second in columns[part.block]
            )
            out[self.place] = np.concatenate(list(sums))
        return SparseCoupling(self, values, _pair_table(self, values) if reused else None)

    def matrix(self, values: np.ndarray) -> csr_array:
        """Return ``(nnz,)`` entries as a matrix ``(J, width)``."""
        return scipy_sparse.csr_array((values, self.columns, self.starts), shape=(self.levels, self.width))

    def at_rows(self, entries: np.ndarray, part: int, coefficient: int) -> np.ndarray:
        """Return the entry ``(n,)`` of each row of the data, of one coefficient of one part."""
        return entries[self.place[self.firsts[part][coefficient] + self.parts[part].pair]]


@final
@dataclass(frozen=True)
class SparseCoupling:
    """The block B of the first stage and the tail.

    Attributes:
        pattern: which entries there are.
        values: ``(q, nnz)``.
        pairs: the products of all pairs of entries of a level, ``(J * q (q + 1) / 2, width * width)``: then
            ``sum_j B_j' N_j B_j`` is linear in the entries of the block-diagonal N and costs one sparse matrix-vector
            product. None where that table would be too large, or would serve only once.
    """

    pattern: CouplingPattern
    values: np.ndarray
    pairs: csr_array | None

    @cached_property
    def matrices(self) -> tuple[csr_array, ...]:
        """For each coefficient of the first stage the block ``(J, width)``."""
        return tuple(self.pattern.matrix(row) for row in self.values)

    def outer(self, inner: np.ndarray) -> np.ndarray:
        """Return ``sum_j B_j' N_j B_j``, ``(width, width)``, for symmetric ``inner`` N ``(q, q, J)``."""
        q, width = len(self.values), self.pattern.width
        if self.pairs is not None:
            rows, columns = np.tril_indices(q)
            return (self.pairs.T @ inner[rows, columns].ravel()).reshape(width, width)
        total = np.zeros((width, width))
        for a, matrix in enumerate(self.matrices):
            half = self.pattern.matrix(sum(inner[a, b][self.pattern.rows] * self.values[b] for b in range(q)))
            total += (matrix.T.tocsr() @ half).toarray()
        return total

    def inner(self, outer: np.ndarray, sampled: np.ndarray | None = None) -> np.ndarray:
        """Return ``B_j S B_j'`` ``(q, q, J)`` for symmetric ``outer`` S ``(width, width)``: the adjoint of `outer`.

        Args:
            outer: S.
            sampled: ``B S`` at the entries, where it is known.
        """
        q, levels = len(self.values), self.pattern.levels
        if sampled is None and self.pairs is not None:
            result = np.empty((q, q, levels))
            rows, columns = np.tril_indices(q)
            entries = (self.pairs @ outer.ravel()).reshape(-1, levels)
            entries[rows != columns] *= 0.5
            result[rows, columns] = result[columns, rows] = entries
            return result
        sampled = self.sampled(outer) if sampled is None else sampled
        return self._level_sums(self.values, sampled)

    def _level_sums(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        rows, levels = self.pattern.rows, self.pattern.levels
        return np.array([[np.bincount(rows, one * two, levels) for two in right] for one in left])

    def sampled(self, outer: np.ndarray) -> np.ndarray:
        """Return ``B S`` at the entries, ``(q, nnz)``, a chunk of levels at a time."""
        pattern = self.pattern
        step = max(1, CHUNK_ELEMENTS // max(pattern.width, 1))
        out = np.empty_like(self.values)
        for matrix, row in zip(self.matrices, out, strict=True):
            for first in range(0, pattern.levels, step):
                last = min(first + step, pattern.levels)
                part = slice(pattern.starts[first], pattern.starts[last])
                product = matrix[first:last] @ outer
                row[part] = product[pattern.rows[part] - first, pattern.columns[part]]
        return out

    def right(self, dense: np.ndarray) -> np.ndarray:
        """Return ``B dense``, ``(q, c, J)``, for ``dense`` ``(width, c)``."""
        return np.stack([(matrix @ dense).T for matrix in self.matrices])

    def left(self, dense: np.ndarray) -> np.ndarray:
        """Return ``sum_j B_j' dense_j``, ``(width, c)``, for ``dense`` ``(q, c, J)``."""
        return sum(matrix.T @ part.T for matrix, part in zip(self.matrices, dense, strict=True))

    def to_parents(self, weights: np.ndarray, ancestors: np.ndarray, n_parents: int) -> np.ndarray:
        """Return ``sum over children of weights_j' B_j``, ``(k, width, J')``, for ``weights`` ``(q, k, J)``."""
        rows, width = self.pattern.rows, self.pattern.width
        key = ancestors[rows] * width + self.pattern.columns
        out = np.empty((weights.shape[1], width, n_parents))
        for b in range(weights.shape[1]):
            terms = sum(weights[a, b][rows] * self.values[a] for a in range(len(self.values)))
            out[b] = np.bincount(key, terms, minlength=n_parents * width).reshape(n_parents, width).T
        return out

    def at_parents(self, dense: np.ndarray, ancestors: np.ndarray) -> np.ndarray:
        """Return ``dense_parent(j)`` at the entries, ``(k, nnz)``, for ``dense`` ``(k, width, J')``."""
        return dense[:, self.pattern.columns, ancestors[self.pattern.rows]]

    def from_parents(self, dense: np.ndarray, ancestors: np.ndarray) -> np.ndarray:
        """Return ``B_j dense_parent(j)'``, ``(q, k, J)``, for ``dense`` ``(k, width, J')``: adjoint of `to_parents`."""
        return self._level_sums(self.values, self.at_parents(dense, ancestors))

    def dense(self) -> np.ndarray:
        """Return all of it, ``(q, width, J)``."""
        return np.stack([matrix.toarray().T for matrix in self.matrices])


def _pair_table(pattern: CouplingPattern, values: np.ndarray) -> csr_array | None:
    starts, columns, width = pattern.starts, pattern.columns.astype(np.int64), pattern.width
    counts: np.ndarray = np.diff(starts.astype(np.int64))
    triangle = [(a, b) for a in range(len(values)) for b in range(a + 1)]
    if int((counts.astype(float) ** 2).sum()) * len(triangle) > LARGEST_PAIR_TABLE:
        return None
    per_entry = np.repeat(counts, counts)
    left = np.repeat(np.arange(len(columns)), per_entry)
    offsets = np.concatenate([[0], np.cumsum(per_entry)[:-1]])
    right = np.arange(len(left)) - np.repeat(offsets, per_entry) + np.repeat(np.repeat(starts[:-1], counts), per_entry)
    cells = (columns[left] * width + columns[right]).astype(np.int32 if width**2 < 2**31 else np.int64)
    data = [values[a][left] * values[b][right] for a, b in triangle]
    for place, (a, b) in enumerate(triangle):
        if a != b:
            data[place] += values[b][left] * values[a][right]
    per_level = np.tile(counts**2, len(triangle))
    indptr = np.concatenate([[0], np.cumsum(per_level)])
    indices = np.tile(cells, len(triangle)) if len(triangle) > 1 else cells
    table = (np.concatenate(data), indices, indptr.astype(indices.dtype))
    return scipy_sparse.csr_array(table, shape=(len(per_level), width * width))
