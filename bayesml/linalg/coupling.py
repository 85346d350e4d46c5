"""The sparse block between the levels of the largest factor and the columns of the dense tail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["SparseCoupling", "sparse_coupling"]

scipy_sparse = lazy_module("scipy.sparse")

LARGEST_PAIR_TABLE = 30_000_000  # entries; beyond, products are formed anew for every theta
CHUNK_ELEMENTS = 20_000_000


@dataclass(frozen=True)
class SparseCoupling:
    """``Z_1' Z_tail`` by level of the first factor.

    Attributes:
        values: ``(q, nnz)`` one column per pair (level, tail column), sorted by level.
        columns: ``(nnz,)`` tail column of each pair.
        starts: ``(J + 1,)`` first pair of each level.
        width: number of tail columns.
        pairs: the products of all pairs of entries of a level, ``(J * q (q + 1) / 2, width * width)``: then
            ``Z_tail' Z_1 N Z_1' Z_tail`` is linear in the entries of the block-diagonal N and costs one sparse
            matrix-vector product. None where that table would be too large.
    """

    values: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    width: int
    pairs: csr_array | None

    @property
    def rows(self) -> np.ndarray:
        """Level of each pair."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def matrix(self, coefficient: int) -> csr_array:
        """Return the ``(J, width)`` block of one coefficient of the first factor."""
        shape = (len(self.starts) - 1, self.width)
        return scipy_sparse.csr_array((self.values[coefficient], self.columns, self.starts), shape=shape)

    def outer(self, inner: np.ndarray) -> np.ndarray:
        """Return ``sum_j B_j' N_j B_j``, ``(width, width)``, for symmetric ``inner`` N ``(q, q, J)``."""
        q = len(self.values)
        if self.pairs is not None:
            rows, columns = np.tril_indices(q)
            return (self.pairs.T @ inner[rows, columns].ravel()).reshape(self.width, self.width)
        total = np.zeros((self.width, self.width))
        for a in range(q):
            half = self._scaled(sum(inner[a, b][self.rows] * self.values[b] for b in range(q)))
            total += (self.matrix(a).T @ half).toarray()
        return total

    def _scaled(self, values: np.ndarray) -> csr_array:
        return scipy_sparse.csr_array((values, self.columns, self.starts), shape=(len(self.starts) - 1, self.width))

    def inner(self, outer: np.ndarray) -> np.ndarray:
        """Return ``B_j S B_j'`` ``(q, q, J)`` for symmetric ``outer`` S ``(width, width)``: the adjoint of `outer`."""
        q, levels = len(self.values), len(self.starts) - 1
        result = np.empty((q, q, levels))
        if self.pairs is not None:
            rows, columns = np.tril_indices(q)
            entries = (self.pairs @ outer.ravel()).reshape(-1, levels)
            entries[rows != columns] *= 0.5
            result[rows, columns] = result[columns, rows] = entries
            return result
        for b in range(q):
            sampled = self._sampled(self.matrix(b), outer)
            for a in range(q):
                result[a, b] = np.bincount(self.rows, self.values[a] * sampled, minlength=levels)
        return result

    def _sampled(self, matrix: csr_array, outer: np.ndarray) -> np.ndarray:
        """Entries of ``matrix @ outer`` at the pairs, a chunk of levels at a time."""
        step = max(1, CHUNK_ELEMENTS // max(self.width, 1))
        rows, out = self.rows, np.empty(len(self.columns))
        for first in range(0, matrix.shape[0], step):
            last = min(first + step, matrix.shape[0])
            part = slice(self.starts[first], self.starts[last])
            product = matrix[first:last] @ outer
            out[part] = product[rows[part] - first, self.columns[part]]
        return out

    def right(self, dense: np.ndarray) -> np.ndarray:
        """Return ``B dense``, ``(q, c, J)``, for ``dense`` ``(width, c)``."""
        return np.stack([(self.matrix(a) @ dense).T for a in range(len(self.values))])

    def left(self, dense: np.ndarray) -> np.ndarray:
        """Return ``sum_j B_j' dense_j``, ``(width, c)``, for ``dense`` ``(q, c, J)``."""
        return sum(self.matrix(a).T @ dense[a].T for a in range(len(self.values)))

    def to_parents(self, weights: np.ndarray, ancestors: np.ndarray, n_parents: int) -> np.ndarray:
        """Return ``sum over children of weights_j' B_j``, ``(k, width, J')``, for ``weights`` ``(q, k, J)``."""
        rows = self.rows
        key = ancestors[rows] * self.width + self.columns
        out = np.empty((weights.shape[1], self.width, n_parents))
        for b in range(weights.shape[1]):
            terms = sum(weights[a, b][rows] * self.values[a] for a in range(len(self.values)))
            out[b] = np.bincount(key, terms, minlength=n_parents * self.width).reshape(n_parents, self.width).T
        return out

    def from_parents(self, dense: np.ndarray, ancestors: np.ndarray) -> np.ndarray:
        """Return ``B_j dense_parent(j)'``, ``(q, k, J)``, for ``dense`` ``(k, width, J')``: adjoint of `to_parents`."""
        rows = self.rows
        sampled = dense[:, self.columns, ancestors[rows]]
        sums = [[np.bincount(rows, v * s, minlength=len(ancestors)) for s in sampled] for v in self.values]
        return np.array(sums)

    def dense(self) -> np.ndarray:
        """Return all of it, ``(q, width, J)``."""
        return np.stack([self.matrix(a).toarray().T for a in range(len(self.values))])


def sparse_coupling(
    values: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> SparseCoupling:
    """Build the coupling from pairs sorted by row then column; ``shape`` is (levels, tail columns)."""
    counts = np.bincount(rows, minlength=shape[0])
    starts = np.concatenate([[0], np.cumsum(counts)])
    index = np.int32 if max(len(columns), shape[1]) < 2**31 - 1 else np.int64
    q = len(values)
    entries = int((counts.astype(float) ** 2).sum()) * q * (q + 1) // 2
    pairs = _pair_table(values, columns, starts, shape[1]) if entries <= LARGEST_PAIR_TABLE else None
    return SparseCoupling(values, columns.astype(index), starts.astype(index), shape[1], pairs)


def _pair_table(values: np.ndarray, columns: np.ndarray, starts: np.ndarray, width: int) -> csr_array:
    counts = np.diff(starts)
    per_entry = np.repeat(counts, counts)
    left = np.repeat(np.arange(len(columns)), per_entry)
    offsets = np.concatenate([[0], np.cumsum(per_entry)[:-1]])
    right = np.arange(len(left)) - np.repeat(offsets, per_entry) + np.repeat(np.repeat(starts[:-1], counts), per_entry)
    cells = (columns[left] * width + columns[right]).astype(np.int32 if width**2 < 2**31 else np.int64)
    triangle = [(a, b) for a in range(len(values)) for b in range(a + 1)]
    data = [values[a][left] * values[b][right] for a, b in triangle]
    for place, (a, b) in enumerate(triangle):
        if a != b:
            data[place] += values[b][left] * values[a][right]
    per_level = np.tile(counts**2, len(triangle))
    indptr = np.concatenate([[0], np.cumsum(per_level)])
    indices = np.tile(cells, len(triangle)) if len(triangle) > 1 else cells
    table = (np.concatenate(data), indices, indptr.astype(indices.dtype))
    return scipy_sparse.csr_array(table, shape=(len(per_level), width * width))
