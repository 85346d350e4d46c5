"""From rows to a block arrow and back: which coefficients each row touches, its cross-products, and its leverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.linalg.arrow import ArrowMatrix, BlockArrow, Stage, TailPart
from bayesml.linalg.blocks import AbstractBlock
from bayesml.linalg.coupling import CouplingPattern, PatternPart

if TYPE_CHECKING:
    from bayesml.linalg.selected_inverse import SelectedInverse

__all__ = ["RowBlocks", "arranged"]

LARGEST_DENSE = 250_000_000  # doubles in one dense array, 2 GB
DENSE_ELEMENTS = (200_000, 20_000)  # a coupling this small is stored dense: formed once, or reused
DENSE_SHARE = (0.1, 0.2)  # and so is one with more than this share of its entries


@final
@dataclass(frozen=True)
class RowBlocks:
    """The blocks of a model over its rows. Their columns ``(q, n)`` are handed in, since they change with Lambda.

    Attributes:
        arrow: chain and tail.
        codes: ``(n,)`` level of each row, for each block.
        pattern: the pairs of levels of the first stage and of the tail that occur, or None where their block is dense.
        reused: whether a matrix is factorised many times, so that tables of its products pay.
    """

    arrow: BlockArrow
    codes: tuple[np.ndarray, ...]
    pattern: CouplingPattern | None
    reused: bool

    def form(
        self, columns: Sequence[np.ndarray], ends: np.ndarray | None = None, weights: np.ndarray | None = None
    ) -> ArrowMatrix:
        """Return ``[Z E]' W [Z E]``.

        Args:
            columns: ``(q, n)`` for each block.
            ends: ``(e, n)`` further columns.
            weights: ``(n,)`` of the rows, of any sign.
        """
        right = np.empty((0, 0)) if ends is None else ends
        left = tuple(columns) if weights is None else tuple(weights * rows for rows in columns)
        faces = tuple(self.face(place, left, columns, right) for place in range(len(self.arrow.stages)))
        coupling = None
        if self.pattern is not None:
            coupling = self.pattern.form(left[self.arrow.stages[0].block], columns, self.reused)
        return ArrowMatrix(self.arrow, faces, coupling, self.corner(left, columns, right, weights))

    def face(
        self, place: int, left: Sequence[np.ndarray], columns: Sequence[np.ndarray], ends: np.ndarray
    ) -> np.ndarray:
        """Return the face of one stage of ``left W [columns ends]``, W already in ``left``."""
        stage, q = self.arrow.stages[place], self.arrow.stages[place].q
        later = [columns[other.block] for other in self.arrow.stages[place + 1 :]]
        m = 0 if place == 0 and self.pattern is not None else self.arrow.width
        width = q + sum(len(rows) for rows in later) + m + len(ends)
        face = np.empty((q, width, stage.levels))
        codes, levels = self.codes[stage.block], stage.levels
        for a, first in enumerate(left[stage.block]):
            for c in range(a, q):
                face[a, c] = face[c, a] = np.bincount(codes, first * columns[stage.block][c], levels)
            for c, second in enumerate((row for rows in later for row in rows), start=q):
                face[a, c] = np.bincount(codes, first * second, levels)
            for c, second in enumerate(ends, start=width - len(ends)):
                face[a, c] = np.bincount(codes, first * second, levels)
            if m:
                self.fill_tail(face[a, width - len(ends) - m : width - len(ends)], place, first, columns)
        return face

    def fill_tail(self, face: np.ndarray, place: int, first: np.ndarray, columns: Sequence[np.ndarray]) -> None:
        """Fill ``(width, J)`` with the products of one column ``first`` of a stage and all of the tail."""
        levels = self.arrow.stages[place].levels
        for part, cells in zip(self.arrow.tail, self.cells[place], strict=True):
            for d, second in enumerate(columns[part.block]):
                table = np.bincount(cells, first * second, part.levels * levels)
                start = part.offset + d * part.levels
                face[start : start + part.levels] = table.reshape(part.levels, levels)

    @cached_property
    def cells(self) -> tuple[tuple[np.ndarray, ...], ...]:
        """For each stage with a dense face the pair of levels of each row, for each part of the tail, its own first."""
        return tuple(
            tuple(self.codes[part.block] * stage.levels + self.codes[stage.block] for part in self.arrow.tail)
            if place > 0 or self.pattern is None
            else ()
            for place, stage in enumerate(self.arrow.stages)
        )

    @cached_property
    def pairs(self) -> tuple[tuple[int, int, np.ndarray], ...]:
        """For each two parts of the tail the pair of levels of each row, that of the first one first."""
        tail = self.arrow.tail
        return tuple(
            (i, j, self.codes[tail[i].block] * tail[j].levels + self.codes[tail[j].block])
            for i in range(len(tail))
            for j in range(i + 1, len(tail))
        )

    def corner(
        self,
        left: Sequence[np.ndarray],
        columns: Sequence[np.ndarray],
        ends: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the products ``(m + e, m + e)`` of tail and ends; ``weights`` are those that ``left`` has already."""
        m, tail = self.arrow.width, self.arrow.tail
        corner = np.zeros((m + len(ends), m + len(ends)))
        if not len(corner):
            return corner
        for part in tail:
            self._fill_own(corner, part, left[part.block], columns[part.block])
            for c, column in enumerate(ends, start=m):
                corner[part.rows, c] = corner[c, part.rows] = self.sums(part.block, left[part.block], column).ravel()
        for i, j, cells in self.pairs:
            one, other = tail[i], tail[j]
            if one.levels == other.levels == 1:
                block = left[one.block] @ np.asarray(columns[other.block]).T
                corner[one.rows, other.rows], corner[other.rows, one.rows] = block, block.T
                continue
            for a, first in enumerate(left[one.block]):
                for b, second in enumerate(columns[other.block]):
                    table = np.bincount(cells, first * second, one.levels * other.levels)
                    top, aside = one.offset + a * one.levels, other.offset + b * other.levels
                    block = table.reshape(one.levels, other.levels)
                    corner[top : top + one.levels, aside : aside + other.levels] = block
                    corner[aside : aside + other.levels, top : top + one.levels] = block.T
        if len(ends):
            corner[m:, m:] = (ends if weights is None else weights * ends) @ ends.T
        return corner

    def _fill_own(self, corner: np.ndarray, part: TailPart, left: np.ndarray, columns: np.ndarray) -> None:
        """Fill in the products of a part with itself; rows of different levels share none."""
        if part.levels == 1:
            corner[part.rows, part.rows] = left @ columns.T
            return
        index, codes = part.offset + np.arange(part.levels), self.codes[part.block]
        for a, first in enumerate(left):
            for b, second in enumerate(columns):
                sums = np.bincount(codes, first * second, part.levels)
                corner[index + a * part.levels, index + b * part.levels] = sums

    def sums(self, block: int, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return ``Z'v``, ``(q, levels)``, for ``(n,)`` values v."""
        codes, levels = self.codes[block], self.arrow.shapes[block][1]
        if levels == 1:
            return np.asarray(columns @ values)[:, None]
        return np.stack([np.bincount(codes, column * values, levels) for column in columns])

    def products(self, inverse: SelectedInverse, columns: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return ``P z_i`` of every row i at the coefficients of that row, ``(q, n)`` for each block.

        Args:
            inverse: P, which has all its entries that two coefficients of one row need.
            columns: ``(q, n)`` for each block.
        """
        out = [np.zeros_like(rows) for rows in columns]
        for place, stage in enumerate(self.arrow.stages):
            self._add_stage(out, inverse, place, stage, columns)
        for part in self.arrow.tail:
            entries = inverse.corner[part.rows, part.rows]
            if part.levels == 1:
                out[part.block] += entries @ columns[part.block]
                continue
            index, codes = np.arange(part.levels), self.codes[part.block]
            for a in range(part.q):
                for b in range(a, part.q):
                    own = entries[index + a * part.levels, index + b * part.levels][codes]
                    _add_pair(out, columns, (part.block, a), (part.block, b), own)
        for i, j, cells in self.pairs:
            one, other = self.arrow.tail[i], self.arrow.tail[j]
            entries = inverse.corner[one.rows, other.rows]
            for a in range(one.q):
                for b in range(other.q):
                    top, aside = a * one.levels, b * other.levels
                    block = entries[top : top + one.levels, aside : aside + other.levels]
                    _add_pair(out, columns, (one.block, a), (other.block, b), block.ravel()[cells])
        return tuple(out)

    def _add_stage(
        self,
        out: Sequence[np.ndarray],
        inverse: SelectedInverse,
        place: int,
        stage: Stage,
        columns: Sequence[np.ndarray],
    ) -> None:
        face, codes = inverse.faces[place], self.codes[stage.block]
        sparse, sampled = (self.pattern, inverse.coupling) if place == 0 else (None, None)
        for a in range(stage.q):
            for c in range(a, stage.q):
                _add_pair(out, columns, (stage.block, a), (stage.block, c), face[a, c][codes])
            column = stage.q
            for other in self.arrow.stages[place + 1 :]:
                for b in range(other.q):
                    _add_pair(out, columns, (stage.block, a), (other.block, b), face[a, column + b][codes])
                column += other.q
            for i, part in enumerate(self.arrow.tail):
                for b in range(part.q):
                    start = column + part.offset + b * part.levels
                    if sparse is None or sampled is None:
                        entries = face[a, start : start + part.levels].ravel()[self.cells[place][i]]
                    else:
                        entries = sparse.at_rows(sampled[a], i, b)
                    _add_pair(out, columns, (stage.block, a), (part.block, b), entries)


def _add_pair(
    out: Sequence[np.ndarray],
    columns: Sequence[np.ndarray],
    one: tuple[int, int],
    other: tuple[int, int],
    entries: np.ndarray,
) -> None:
    """Add what an entry of P between two coefficients, ``(n,)`` by row, adds to the products of both."""
    out[one[0]][one[1]] += entries * columns[other[0]][other[1]]
    if one != other:
        out[other[0]][other[1]] += entries * columns[one[0]][one[1]]


def arranged(
    blocks: Sequence[AbstractBlock],
    counts: Sequence[int],
    codes: Sequence[np.ndarray],
    chain: Sequence[int],
    reused: bool,
) -> RowBlocks:
    """Arrange blocks and choose how the block between the first stage and the tail is stored.

    Args:
        blocks: the blocks.
        counts: number of vectors of effects of each that are requested.
        codes: ``(n,)`` level of each row, for each block.
        chain: blocks that are nested, each in the next.
        reused: whether a matrix is factorised many times.

    Raises:
        ModelError: the tail is too large for memory.
    """
    shapes = [block.row_shape(count) for block, count in zip(blocks, counts, strict=True)]
    arrow = BlockArrow.of(shapes, codes, chain)
    if arrow.width**2 > LARGEST_DENSE:
        crossed = ", ".join(f"`{blocks[part.block].name}`" for part in arrow.tail)
        raise ModelError(
            f"the crossed factors {crossed} have {arrow.width} coefficients besides those of the largest factor: this "
            f"needs {arrow.width**2 * 8 / 2**30:.1f} GiB per matrix. Write fewer crossed factors, or merge rare levels "
            "of the smaller ones"
        )
    return RowBlocks(arrow, tuple(codes), _pattern(arrow, codes, reused), reused)


def _pattern(arrow: BlockArrow, codes: Sequence[np.ndarray], reused: bool) -> CouplingPattern | None:
    """Return the entries of the block between the first stage and the tail, None where it is small or nearly full."""
    if not arrow.stages or not arrow.tail or not len(codes[0]):
        return None
    leaf, elements = arrow.stages[0], arrow.stages[0].levels * arrow.width
    if elements <= DENSE_ELEMENTS[reused]:
        return None
    parts = [_part(leaf, part, codes) for part in arrow.tail]
    filled = sum(len(part.cells) * own.q for part, own in zip(parts, arrow.tail, strict=True))
    if filled >= DENSE_SHARE[reused] * elements and leaf.q * elements <= LARGEST_DENSE:
        return None
    return CouplingPattern.of(parts, [part.q for part in arrow.tail], leaf.levels, arrow.width)


def _part(leaf: Stage, part: TailPart, codes: Sequence[np.ndarray]) -> PatternPart:
    """Find the pairs of levels that occur together, and the pair of each row."""
    key = codes[leaf.block] * part.levels + codes[part.block]
    possible = leaf.levels * part.levels
    if possible > 20 * len(key) + 1_000_000:
        cells, pair = np.unique(key, return_inverse=True)
        pair = pair.reshape(-1)
    else:
        occurs = np.bincount(key, minlength=possible) > 0
        cells, pair = np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[key]
    return PatternPart(part.block, part.offset, part.levels, pair, cells)
