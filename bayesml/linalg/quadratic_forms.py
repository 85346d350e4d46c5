"""Quadratic forms ``m' K^-1 m`` of many rows m that touch one level of each block, without a solve for each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.linalg.arrow_factor import ArrowFactor

__all__ = ["SparseRows", "quadratic_forms"]

NUMBERS_AT_ONCE = 4_000_000


@final
@dataclass(frozen=True)
class SparseRows:
    """Rows with as many columns as a block arrow.

    Attributes:
        levels: for each block ``(n,)`` the level that each row touches; any where it touches none.
        columns: for each block ``(q, n)`` the entries there, 0 where it touches none.
    """

    levels: tuple[np.ndarray, ...]
    columns: tuple[np.ndarray, ...]

    def taken(self, rows: np.ndarray | slice) -> SparseRows:
        """Return some of the rows."""
        return SparseRows(
            tuple(levels[rows] for levels in self.levels), tuple(columns[:, rows] for columns in self.columns)
        )

    def dense(self, factor: ArrowFactor) -> np.ndarray:
        """Return ``(size, n)`` all entries."""
        arrow = factor.elimination.matrix.arrow
        count = len(self.levels[0])
        out = np.zeros((arrow.slices[-1].stop, count))
        for place, (_, size), levels, columns in zip(
            arrow.slices, arrow.shapes, self.levels, self.columns, strict=True
        ):
            for a, entries in enumerate(columns):
                out[place.start + a * size + levels, np.arange(count)] += entries
        return out


def quadratic_forms(factor: ArrowFactor, rows: SparseRows) -> np.ndarray:
    """Return ``m' K^-1 m`` ``(n,)``.

    The elimination frees a row of one stage after the other. What is left of it in a later stage stands in the level
    that holds the one just eliminated; a row whose own level there is another one is solved for by itself.
    """
    arrow = factor.elimination.matrix.arrow
    if not arrow.count:
        return np.zeros(len(rows.levels[0]) if rows.levels else 0)
    out = np.empty(len(rows.levels[0]))
    regular = _paths(factor, rows)
    for part in _chunks(np.flatnonzero(regular[1]), arrow.width + 1):
        out[part] = _along_paths(factor, rows.taken(part), [levels[part] for levels in regular[0]])
    for part in _chunks(np.flatnonzero(~regular[1]), arrow.slices[-1].stop):
        entries = rows.taken(part).dense(factor)
        out[part] = np.einsum("sn,sn->n", entries, factor.solve(entries))
    return out


def _chunks(rows: np.ndarray, width: int) -> Iterator[np.ndarray]:
    step = max(NUMBERS_AT_ONCE // width, 1)
    yield from (rows[start : start + step] for start in range(0, len(rows), step))


def _paths(factor: ArrowFactor, rows: SparseRows) -> tuple[list[np.ndarray], np.ndarray]:
    """Return for each stage the level ``(n,)`` in which a row stands, and whether it stands in one alone."""
    stages = factor.elimination.matrix.arrow.stages
    count = len(rows.levels[0])
    regular, started = np.ones(count, dtype=bool), np.zeros(count, dtype=bool)
    levels = [rows.levels[stage.block].copy() for stage in stages]
    for place, stage in enumerate(stages):
        touched = np.any(rows.columns[stage.block] != 0.0, axis=0)
        regular &= ~(started & touched) | (levels[place] == rows.levels[stage.block])
        started |= touched
        levels[place] = np.where(started, levels[place], 0)
        for later, above in enumerate(stage.above, start=place + 1):
            levels[later] = np.where(started, above.index[levels[place]], levels[later])
    return levels, regular


def _along_paths(factor: ArrowFactor, rows: SparseRows, levels: Sequence[np.ndarray]) -> np.ndarray:
    found, arrow = factor.elimination, factor.elimination.matrix.arrow
    count = len(levels[0]) if levels else len(rows.levels[0])
    total, tail = np.zeros(count), np.zeros((count, arrow.width))
    for part in arrow.tail:
        for a, entries in enumerate(rows.columns[part.block]):
            tail[np.arange(count), part.offset + a * part.levels + rows.levels[part.block]] += entries
    left = [rows.columns[stage.block] for stage in arrow.stages]
    for place, stage in enumerate(arrow.stages):
        face, level = found.faces[place], levels[place]
        solved = np.einsum("abn,bn->an", found.pivots[place].explained[:, :, level], left[place])
        total += np.einsum("an,an->n", left[place], solved)
        column = stage.q
        for later in range(place + 1, len(arrow.stages)):
            q = arrow.stages[later].q
            left[later] = left[later] - np.einsum("acn,an->cn", face[:, column : column + q, level], solved)
            column += q
        if not arrow.width:
            continue
        sparse = found.matrix.coupling_of(place)
        for a, values in enumerate(solved):
            if sparse is None:
                tail -= (face[a, column : column + arrow.width, level]) * values[:, None]
            else:
                tail -= sparse.matrices[a][level].multiply(values[:, None]).toarray()
    return total + np.einsum("nt,nt->n", tail @ factor.tail_inverse, tail)
