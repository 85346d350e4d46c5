"""The block of K between the eliminated factor and the dense tail, dense or by the pairs of levels that occur."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from scipy.sparse import csr_array

from bayesml.engines.generalised_mixed.blocks import Columns
from bayesml.linalg.levels import apply

__all__ = ["AbstractCoupling", "AbstractPattern", "AbstractSamples", "build_pattern"]

DENSE_ELEMENTS = 200_000  # a block this small is stored dense whatever its pattern
DENSE_SHARE = 0.1
CHUNK = 4_000_000  # elements of a dense product formed at once


class AbstractSamples(ABC):
    """``A^-1 C S`` at the pairs of levels of the rows; A the lead's blocks, C the coupling, S the tail's inverse."""

    @abstractmethod
    def lead(self) -> np.ndarray:
        """Return ``A^-1 C S C' A^-1`` for each level of the lead, ``(q, q, J)``."""

    @abstractmethod
    def rows(self, a: int, place: int, b: int) -> np.ndarray:
        """Return ``(n,)`` the element of coefficient a of the lead and b of a tail factor at each row's levels."""


class AbstractCoupling(ABC):
    """The coupling C at given weights, times the inverse of the lead's own blocks."""

    @abstractmethod
    def schur(self) -> np.ndarray:
        """Return ``C' A^-1 C``, ``(width, width)``."""

    @abstractmethod
    def down(self, lead: np.ndarray) -> np.ndarray:
        """Return ``C' A^-1 lead``, ``(width,)``, for ``(q, J)``."""

    @abstractmethod
    def up(self, tail: np.ndarray) -> np.ndarray:
        """Return ``A^-1 C tail``, ``(q, J)``, for ``(width,)``."""

    @abstractmethod
    def sample(self, tail_inverse: np.ndarray) -> AbstractSamples:
        """Return ``A^-1 C S`` where it is needed."""


class AbstractPattern(ABC):
    """What of the coupling does not depend on the weights."""

    @abstractmethod
    def form(self, weighted: np.ndarray, rows: Sequence[np.ndarray], inverse: np.ndarray) -> AbstractCoupling:
        """Form the coupling.

        Args:
            weighted: ``(q, n)`` the lead's columns times the weights.
            rows: ``(q, n)`` columns of every factor.
            inverse: ``(q, q, J)`` inverse of the lead's own blocks.
        """


def build_pattern(
    columns: Sequence[Columns], lead: int, others: Sequence[int], starts: Sequence[int], width: int
) -> AbstractPattern:
    """Choose the storage by the share of pairs of levels that occur."""
    size = columns[lead].n_levels
    cells = tuple(columns[i].codes * size + columns[lead].codes for i in others)
    dense = DensePattern(tuple(columns), lead, tuple(others), tuple(starts), width, cells)
    if size * width <= DENSE_ELEMENTS or len(columns[lead].codes) == 0:
        return dense
    found = [np.unique(part, return_inverse=True) for part in cells]
    filled = sum(len(pairs) * len(columns[i].Z) for (pairs, _), i in zip(found, others, strict=True))
    if filled > DENSE_SHARE * size * width:
        return dense
    return SparsePattern.of(columns, size, others, starts, width, found)


@final
@dataclass(frozen=True)
class DensePattern(AbstractPattern):
    """Every pair of levels has a place; ``cells`` is the place of each row in the table of a tail factor."""

    columns: tuple[Columns, ...]
    lead: int
    others: tuple[int, ...]
    starts: tuple[int, ...]
    width: int
    cells: tuple[np.ndarray, ...]

    def form(self, weighted: np.ndarray, rows: Sequence[np.ndarray], inverse: np.ndarray) -> DenseCoupling:
        """Fill the table of each pair of coefficients."""
        size = self.columns[self.lead].n_levels
        block = np.empty((len(weighted), self.width, size))
        for i, start, cells in zip(self.others, self.starts, self.cells, strict=True):
            levels = self.columns[i].n_levels
            for a, first in enumerate(weighted):
                for b, second in enumerate(rows[i]):
                    table = np.bincount(cells, first * second, levels * size)
                    block[a, start + b * levels : start + (b + 1) * levels] = table.reshape(levels, size)
        return DenseCoupling(self, block, apply(inverse, block))


@final
@dataclass(frozen=True)
class DenseCoupling(AbstractCoupling):
    """``block`` is C and ``explained`` A^-1 C, both ``(q, width, J)``."""

    pattern: DensePattern
    block: np.ndarray
    explained: np.ndarray

    def schur(self) -> np.ndarray:
        """Return ``C' A^-1 C``."""
        return sum((part @ solved.T for part, solved in zip(self.block, self.explained, strict=True)), np.zeros(()))

    def down(self, lead: np.ndarray) -> np.ndarray:
        """Return ``C' A^-1 lead``."""
        return sum((part @ values for part, values in zip(self.explained, lead, strict=True)), np.zeros(()))

    def up(self, tail: np.ndarray) -> np.ndarray:
        """Return ``A^-1 C tail``."""
        return np.stack([tail @ part for part in self.explained])

    def sample(self, tail_inverse: np.ndarray) -> DenseSamples:
        """Return ``A^-1 C S``, all of it."""
        return DenseSamples(self, np.stack([tail_inverse @ part for part in self.explained]))


@final
@dataclass(frozen=True)
class DenseSamples(AbstractSamples):
    """``cross`` is ``(q, width, J)``."""

    coupling: DenseCoupling
    cross: np.ndarray

    def lead(self) -> np.ndarray:
        """Return ``A^-1 C S C' A^-1`` for each level of the lead."""
        q, explained = len(self.cross), self.coupling.explained
        return np.array(
            [[np.einsum("wj,wj->j", self.cross[a], explained[b]) for b in range(q)] for a in range(q)], dtype=float
        )

    def rows(self, a: int, place: int, b: int) -> np.ndarray:
        """Return the elements of the rows."""
        pattern = self.coupling.pattern
        levels = pattern.columns[pattern.others[place]].n_levels
        start = pattern.starts[place] + b * levels
        return self.cross[a, start : start + levels].ravel()[pattern.cells[place]]


@final
@dataclass(frozen=True)
class SparsePattern(AbstractPattern):
    """The pairs of levels that occur, as a matrix ``(J, width)`` in compressed rows.

    Attributes:
        others: the tail factors.
        pairs: for each of them, which of its pairs each row belongs to.
        counts: number of pairs of each.
        firsts: for each of them, the first entry of each of its coefficients before sorting.
        order: the entries in the order of the compressed rows.
        level: lead's level of each entry, sorted.
        column: tail column of each entry, sorted.
        ends: ``(J + 1,)`` first entry of each level.
        shape: ``(J, width)``.
    """

    others: tuple[int, ...]
    pairs: tuple[np.ndarray, ...]
    counts: tuple[int, ...]
    firsts: tuple[tuple[int, ...], ...]
    order: np.ndarray
    level: np.ndarray
    column: np.ndarray
    ends: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        columns: Sequence[Columns],
        size: int,
        others: Sequence[int],
        starts: Sequence[int],
        width: int,
        found: Sequence[tuple[np.ndarray, np.ndarray]],
    ) -> SparsePattern:
        """Sort the entries of all tail factors and coefficients by level of the lead."""
        level, column, firsts, total = [], [], [], 0
        for i, start, (cells, _) in zip(others, starts, found, strict=True):
            other, own = np.divmod(cells, size)
            q = len(columns[i].Z)
            level += [own] * q
            column += [start + b * columns[i].n_levels + other for b in range(q)]
            firsts.append(tuple(total + b * len(cells) for b in range(q)))
            total += q * len(cells)
        levels, places = np.concatenate(level), np.concatenate(column)
        order = np.lexsort((places, levels))
        ends = np.concatenate([[0], np.cumsum(np.bincount(levels, minlength=size))])
        pairs, counts = tuple(pair.ravel() for _, pair in found), tuple(len(cells) for cells, _ in found)
        return cls(
            tuple(others), pairs, counts, tuple(firsts), order, levels[order], places[order], ends, (size, width)
        )

    def form(self, weighted: np.ndarray, rows: Sequence[np.ndarray], inverse: np.ndarray) -> SparseCoupling:
        """Sum the rows of each pair."""
        values = np.empty((len(weighted), len(self.order)))
        for a, first in enumerate(weighted):
            parts = [
                np.bincount(pair, first * second, count)
                for i, pair, count in zip(self.others, self.pairs, self.counts, strict=True)
                for second in rows[i]
            ]
            values[a] = np.concatenate(parts)[self.order]
        explained = np.einsum("abe,be->ae", inverse[:, :, self.level], values)
        return SparseCoupling(self, values, explained)

    def matrix(self, values: np.ndarray) -> csr_array:
        """Return one coefficient's entries as a matrix."""
        return csr_array((values, self.column, self.ends), shape=self.shape)

    @cached_property
    def place(self) -> np.ndarray:
        """Sorted place of each entry."""
        place = np.empty_like(self.order)
        place[self.order] = np.arange(len(self.order))
        return place


@final
@dataclass(frozen=True)
class SparseCoupling(AbstractCoupling):
    """``values`` are the entries of C and ``explained`` those of A^-1 C, ``(q, entries)``."""

    pattern: SparsePattern
    values: np.ndarray
    explained: np.ndarray

    def schur(self) -> np.ndarray:
        """Return ``C' A^-1 C``."""
        total = np.zeros((self.pattern.shape[1],) * 2)
        for part, solved in zip(self.values, self.explained, strict=True):
            total += (self.pattern.matrix(part).T.tocsr() @ self.pattern.matrix(solved)).toarray()
        return total

    def down(self, lead: np.ndarray) -> np.ndarray:
        """Return ``C' A^-1 lead``."""
        pairs = zip(self.explained, lead, strict=True)
        weights = sum((part * values[self.pattern.level] for part, values in pairs), np.zeros(()))
        return np.bincount(self.pattern.column, weights, self.pattern.shape[1])

    def up(self, tail: np.ndarray) -> np.ndarray:
        """Return ``A^-1 C tail``."""
        return np.stack([self.pattern.matrix(part) @ tail for part in self.explained])

    def sample(self, tail_inverse: np.ndarray) -> SparseSamples:
        """Form ``A^-1 C S`` some levels at a time and keep the entries of the pattern."""
        pattern, (size, width) = self.pattern, self.pattern.shape
        out = np.empty_like(self.explained)
        step = max(1, CHUNK // max(width, 1))
        for a, part in enumerate(self.explained):
            matrix = pattern.matrix(part)
            for first in range(0, size, step):
                last = min(first + step, size)
                entries = slice(pattern.ends[first], pattern.ends[last])
                product = matrix[first:last] @ tail_inverse
                out[a, entries] = product[pattern.level[entries] - first, pattern.column[entries]]
        return SparseSamples(self, out)


@final
@dataclass(frozen=True)
class SparseSamples(AbstractSamples):
    """``cross`` is ``(q, entries)``."""

    coupling: SparseCoupling
    cross: np.ndarray

    def lead(self) -> np.ndarray:
        """Return ``A^-1 C S C' A^-1`` for each level of the lead."""
        pattern, explained = self.coupling.pattern, self.coupling.explained
        size = pattern.shape[0]
        return np.array([[np.bincount(pattern.level, one * two, size) for two in explained] for one in self.cross])

    def rows(self, a: int, place: int, b: int) -> np.ndarray:
        """Return the elements of the rows."""
        pattern = self.coupling.pattern
        return self.cross[a, pattern.place[pattern.firsts[place][b] + pattern.pairs[place]]]
