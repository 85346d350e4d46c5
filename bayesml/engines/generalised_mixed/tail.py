"""Crossed factors: the largest is eliminated level by level, all others form one dense matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri

from bayesml.engines.generalised_mixed.blocks import AbstractBlocks, AbstractFactor, Columns, NotPositiveDefinite, split
from bayesml.engines.generalised_mixed.chain import root_inverse, solutions_of_rows
from bayesml.engines.generalised_mixed.coupling import (
    AbstractCoupling,
    AbstractPattern,
    AbstractSamples,
    build_pattern,
)
from bayesml.errors import ModelError
from bayesml.linalg.levels import apply, crossed

__all__ = ["Tail", "TailFactor"]

LARGEST = 250_000_000  # doubles in one dense array, 2 GB


@final
@dataclass(frozen=True)
class Tail(AbstractBlocks):
    """Crossed factors.

    Attributes:
        columns: the factors in the order of the model.
        lead: the factor that is eliminated first.
        others: the factors of the tail.
        starts: first tail column of each of them; coefficient by coefficient, levels innermost.
        width: number of tail columns.
        pattern: how the block between lead and tail is stored.
        pairs: for each two tail factors the pair of levels of each row.
    """

    columns: tuple[Columns, ...]
    lead: int
    others: tuple[int, ...]
    starts: tuple[int, ...]
    width: int
    pattern: AbstractPattern
    pairs: tuple[tuple[int, int, np.ndarray], ...]

    @classmethod
    def of(cls, columns: Sequence[Columns]) -> Tail:
        """Build the structure.

        Raises:
            ModelError: the tail is too large for memory.
        """
        lead = max(range(len(columns)), key=lambda i: (columns[i].size, -i))
        others = tuple(i for i in range(len(columns)) if i != lead)
        starts = np.concatenate([[0], np.cumsum([columns[i].size for i in others])])
        width = int(starts[-1])
        if width**2 > LARGEST:
            raise ModelError(
                f"the crossed grouping factors have {width} coefficients besides those of the largest factor, which "
                f"needs {width**2 * 8 / 2**30:.1f} GiB per matrix; merge rare levels of the smaller factors"
            )
        pattern = build_pattern(columns, lead, others, [int(start) for start in starts[:-1]], width)
        pairs = tuple(
            (a, b, columns[i].codes * columns[j].n_levels + columns[j].codes)
            for a, i in enumerate(others)
            for b, j in enumerate(others)
            if a < b
        )
        return cls(tuple(columns), lead, others, tuple(int(s) for s in starts[:-1]), width, pattern, pairs)

    def factorise(self, weights: np.ndarray, rows: Sequence[np.ndarray]) -> TailFactor:
        """Eliminate the lead, then factorise its Schur complement."""
        lead = self.columns[self.lead]
        weighted = weights * rows[self.lead]
        sums = [[np.bincount(lead.codes, a * b, lead.n_levels) for b in rows[self.lead]] for a in weighted]
        own = np.array(sums, dtype=float)
        own[np.arange(len(own)), np.arange(len(own))] += 1.0
        root, log_determinant = root_inverse(own)
        inverse = crossed(root, root)
        coupling = self.pattern.form(weighted, rows, inverse)
        dense = self._corner(weights, rows) - coupling.schur()
        cholesky, info = dpotrf(dense, lower=1, clean=0, overwrite_a=1)
        if info != 0:
            raise NotPositiveDefinite
        log_determinant += 2.0 * float(np.log(np.diagonal(cholesky)).sum())
        # dtrtri and a product: dpotri wakes BLAS threads even for a small matrix
        root_of_inverse = np.tril(dtrtri(cholesky, lower=1)[0])
        tail_inverse = root_of_inverse.T @ root_of_inverse
        return TailFactor(self, tuple(rows), inverse, coupling, tail_inverse, log_determinant)

    def _corner(self, weights: np.ndarray, rows: Sequence[np.ndarray]) -> np.ndarray:
        corner = np.zeros((self.width, self.width))
        for i, start in zip(self.others, self.starts, strict=True):
            part = self.columns[i]
            index = start + np.arange(part.n_levels)
            for a, first in enumerate(rows[i]):
                for b, second in enumerate(rows[i]):
                    sums = np.bincount(part.codes, weights * first * second, part.n_levels)
                    corner[index + a * part.n_levels, index + b * part.n_levels] = sums
        for one, other, cells in self.pairs:
            self._corner_pair(corner, weights, rows, one, other, cells)
        corner[np.arange(self.width), np.arange(self.width)] += 1.0
        return corner

    def _corner_pair(
        self,
        corner: np.ndarray,
        weights: np.ndarray,
        rows: Sequence[np.ndarray],
        one: int,
        other: int,
        cells: np.ndarray,
    ) -> None:
        i, j = self.others[one], self.others[other]
        height, width = self.columns[i].n_levels, self.columns[j].n_levels
        for a, first in enumerate(rows[i]):
            for b, second in enumerate(rows[j]):
                table = np.bincount(cells, weights * first * second, height * width).reshape(height, width)
                top, left = self.starts[one] + a * height, self.starts[other] + b * width
                corner[top : top + height, left : left + width] = table
                corner[left : left + width, top : top + height] = table.T


@final
@dataclass(frozen=True)
class TailFactor(AbstractFactor):
    """A factorised crossed design.

    Attributes:
        structure: the structure.
        rows: ``(q, n)`` per factor.
        inverse: ``(q, q, J)`` inverse of the lead's own blocks.
        coupling: the block between lead and tail.
        tail_inverse: ``(width, width)`` the tail's block of ``K^-1``.
        total: ``log |K|``.
    """

    structure: Tail
    rows: tuple[np.ndarray, ...]
    inverse: np.ndarray
    coupling: AbstractCoupling
    tail_inverse: np.ndarray
    total: float

    @property
    def log_determinant(self) -> float:
        """``log |K|``."""
        return self.total

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return ``K^-1 right``."""
        if right.ndim == 2:
            return np.stack([self.solve(column) for column in right.T], axis=1)
        structure, columns = self.structure, self.structure.columns
        result = np.empty(len(right))
        given, wanted = split(columns, right), split(columns, result)
        lead = given[structure.lead]
        tail = np.concatenate([given[i].ravel() for i in structure.others])
        tail = self.tail_inverse @ (tail - self.coupling.down(lead))
        wanted[structure.lead][:] = apply(self.inverse, lead[:, None])[:, 0] - self.coupling.up(tail)
        for i, start in zip(structure.others, structure.starts, strict=True):
            wanted[i][:] = tail[start : start + columns[i].size].reshape(wanted[i].shape)
        return result

    @cached_property
    def cross(self) -> AbstractSamples:
        """Minus the block of ``K^-1`` between tail and lead, where rows have both levels."""
        return self.coupling.sample(self.tail_inverse)

    @cached_property
    def lead_blocks(self) -> np.ndarray:
        """The lead's diagonal blocks of ``K^-1``, ``(q, q, J)``."""
        return self.inverse + self.cross.lead()

    def row_solutions(self) -> tuple[np.ndarray, ...]:
        """Return ``K^-1 m_i`` at the levels of each row."""
        structure, columns = self.structure, self.structure.columns
        lead = columns[structure.lead]
        out: list[np.ndarray] = [np.zeros_like(part) for part in self.rows]
        out[structure.lead] = solutions_of_rows(self.lead_blocks, lead.codes, self.rows[structure.lead])
        for place, i in enumerate(structure.others):
            for b in range(len(self.rows[i])):
                for a in range(len(self.inverse)):
                    gathered = self.cross.rows(a, place, b)
                    out[structure.lead][a] -= gathered * self.rows[i][b]
                    out[i][b] -= gathered * self.rows[structure.lead][a]
                out[i][b] += self._own(place, b)
        for one, other, cells in structure.pairs:
            self._add_pair(out, one, other, cells)
        return tuple(out)

    def _own(self, place: int, b: int) -> np.ndarray:
        i = self.structure.others[place]
        part, total = self.structure.columns[i], np.zeros(self.rows[i].shape[1])
        index = self.structure.starts[place] + np.arange(part.n_levels)
        for c, row in enumerate(self.rows[i]):
            diagonal = self.tail_inverse[index + b * part.n_levels, index + c * part.n_levels]
            total += diagonal[part.codes] * row
        return total

    def _add_pair(self, out: list[np.ndarray], one: int, other: int, cells: np.ndarray) -> None:
        structure = self.structure
        i, j = structure.others[one], structure.others[other]
        height, width = structure.columns[i].n_levels, structure.columns[j].n_levels
        for a in range(len(self.rows[i])):
            for b in range(len(self.rows[j])):
                top, left = structure.starts[one] + a * height, structure.starts[other] + b * width
                gathered = self.tail_inverse[top : top + height, left : left + width].ravel()[cells]
                out[i][a] += gathered * self.rows[j][b]
                out[j][b] += gathered * self.rows[i][a]

    def level_blocks(self) -> tuple[np.ndarray, ...]:
        """Return the diagonal blocks of ``K^-1``."""
        structure, out = self.structure, [np.empty(0)] * len(self.rows)
        out[structure.lead] = self.lead_blocks
        for place, i in enumerate(structure.others):
            part = structure.columns[i]
            index = structure.starts[place] + np.arange(part.n_levels)
            places = [index + a * part.n_levels for a in range(len(part.Z))]
            out[i] = np.array([[self.tail_inverse[first, second] for second in places] for first in places])
        return tuple(out)
