"""Symmetric matrices in the shape of a block arrow: a chain of nested block-diagonal stages, then a dense corner.

The levels of a grouping factor share no row, so that its own block is block-diagonal. Where the factor is nested in
another, it still is once the levels below it have been eliminated. What crosses the chain, and what has no levels (the
coefficients of a spline, hyperparameters), forms the dense *tail*. Further columns may follow, the *ends*: those of the
fixed effects and of the response. REML, Laplace's approximation and whitening all factorise a matrix of this shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.linalg.nesting import parents

if TYPE_CHECKING:
    from bayesml.linalg.coupling import SparseCoupling

__all__ = ["Ancestors", "ArrowMatrix", "BlockArrow", "NotPositiveDefinite", "Stage", "TailPart"]


class NotPositiveDefinite(ArithmeticError):
    """The matrix has a direction of negative curvature, or is not finite."""


@final
@dataclass(frozen=True)
class Ancestors:
    """The level of a later stage that each level of a stage lies in.

    Attributes:
        index: ``(J,)``.
        size: number of levels of the later stage.
    """

    index: np.ndarray
    size: int

    @cached_property
    def starts(self) -> np.ndarray | None:
        """``(size,)`` the first child of each level where children are contiguous and no level is without, else None.

        Sums over slices are four times as fast as sums by index.
        """
        if len(self.index) == 0 or np.any(np.diff(self.index) < 0):
            return None
        starts = np.searchsorted(self.index, np.arange(self.size + 1))
        return starts[:-1] if np.all(np.diff(starts) > 0) else None

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sum ``(..., J)`` over the children of each level."""
        if self.starts is not None:
            return np.add.reduceat(values, self.starts, axis=-1)
        flat = values.reshape(-1, values.shape[-1])
        sums = np.empty((len(flat), self.size))
        for place, row in enumerate(flat):
            sums[place] = np.bincount(self.index, row, self.size)
        return sums.reshape(*values.shape[:-1], self.size)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Give every child the value ``(..., size)`` of its ancestor."""
        return np.take(values, self.index, axis=-1)


@final
@dataclass(frozen=True)
class Stage:
    """One block of the chain.

    Attributes:
        block: which of the blocks of the model.
        q: coefficients of each level.
        levels: number of levels.
        above: for each later stage, where its levels lie.
    """

    block: int
    q: int
    levels: int
    above: tuple[Ancestors, ...]


@final
@dataclass(frozen=True)
class TailPart:
    """One block of the dense tail: coefficient by coefficient from row ``offset``, levels innermost.

    A block without levels (the coefficients of a spline) has a single one, which all rows share.
    """

    block: int
    q: int
    levels: int
    offset: int

    @property
    def rows(self) -> slice:
        """Its rows of the tail."""
        return slice(self.offset, self.offset + self.q * self.levels)


@final
@dataclass(frozen=True)
class BlockArrow:
    """Which blocks form the chain, the leaf first, and which the tail."""

    stages: tuple[Stage, ...]
    tail: tuple[TailPart, ...]

    @classmethod
    def of(cls, shapes: Sequence[tuple[int, int]], codes: Sequence[np.ndarray], chain: Sequence[int]) -> BlockArrow:
        """Arrange the blocks: the chain in the order given, all others from the largest to the smallest.

        Args:
            shapes: number of coefficients of a level, and of levels, of each block.
            codes: ``(n,)`` level of each row, for each block.
            chain: blocks that are nested, each in the next.
        """
        stages = []
        for place, i in enumerate(chain):
            found = ((parents(codes[i], codes[j], shapes[i][1]), shapes[j][1]) for j in chain[place + 1 :])
            above = tuple(Ancestors(index, size) for index, size in found if index is not None)
            stages.append(Stage(i, *shapes[i], above))
        others = sorted((i for i in range(len(shapes)) if i not in chain), key=lambda i: -shapes[i][0] * shapes[i][1])
        ends = np.cumsum([0, *(shapes[i][0] * shapes[i][1] for i in others)]).tolist()
        tail = (TailPart(i, *shapes[i], end) for i, end in zip(others, ends, strict=False))
        return cls(tuple(stages), tuple(tail))

    @cached_property
    def width(self) -> int:
        """Number of tail columns."""
        return sum(part.q * part.levels for part in self.tail)

    @property
    def count(self) -> int:
        """Number of blocks."""
        return len(self.stages) + len(self.tail)

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Coefficients and levels of each block."""
        shapes = {stage.block: (stage.q, stage.levels) for stage in self.stages}
        shapes |= {part.block: (part.q, part.levels) for part in self.tail}
        return tuple(shapes[block] for block in range(self.count))

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each block lies in a vector that holds them one after the other."""
        ends = np.cumsum([0, *(q * levels for q, levels in self.shapes)]).tolist()
        return tuple(slice(start, end) for start, end in zip(ends, ends[1:], strict=False))


@final
@dataclass(frozen=True)
class ArrowMatrix:
    """The entries of a matrix of this shape.

    Attributes:
        arrow: the shape.
        faces: for each stage ``(q, width, J)``: the columns are its own q, those of its ancestors in each later stage,
            then the tail (absent from the first stage where ``coupling`` holds it), then the ends.
        coupling: the sparse block between the first stage and the tail, or None where it is dense.
        corner: ``(m + e, m + e)`` of the tail and the ends.
    """

    arrow: BlockArrow
    faces: tuple[np.ndarray, ...]
    coupling: SparseCoupling | None
    corner: np.ndarray

    @property
    def ends(self) -> int:
        """Number of columns after the tail."""
        return len(self.corner) - self.arrow.width

    def coupling_of(self, place: int) -> SparseCoupling | None:
        """Return the sparse tail columns of a stage, None where its face has them."""
        return self.coupling if place == 0 else None
