"""The block Cholesky factorisation of a block arrow, and solutions with it; the cost is that of levels, not of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from bayesml.linalg.arrow import ArrowMatrix, NotPositiveDefinite
from bayesml.linalg.levels import apply, crossed, gram

__all__ = ["Elimination", "Pivot", "backward", "eliminate", "forward"]


@final
@dataclass(frozen=True)
class Pivot:
    """How the own blocks ``A_j`` of a stage, as earlier stages left them, are inverted.

    What is eliminated is ``A_j + (Lambda Lambda')^-1``, the second term a precision of the coefficients beside that of
    the data. Its inverse is ``Lambda K_j^-1 Lambda'`` with ``K_j = Lambda'A_j Lambda + I``, which is there for
    ``Lambda = 0`` too.

    Attributes:
        inverse: ``(q, q, J)`` lower-triangular C with ``C'C = K_j^-1``.
        root: ``(q, q, J)`` R = C Lambda', so that ``R'R`` is the inverse of what is eliminated.
        log_determinant: ``sum_j log |K_j|``.
    """

    inverse: np.ndarray
    root: np.ndarray
    log_determinant: float

    @cached_property
    def explained(self) -> np.ndarray:
        """``(q, q, J)`` the inverse of what is eliminated, ``R'R``."""
        return crossed(self.root, self.root)


@final
@dataclass(frozen=True)
class Elimination:
    """All stages eliminated, the tail not yet.

    Attributes:
        matrix: what was eliminated.
        pivots: one for each stage.
        faces: for each stage its face after all earlier stages were eliminated.
        corner: ``(m + e, m + e)`` after all stages were.
        log_determinant: of the stages.
    """

    matrix: ArrowMatrix
    pivots: tuple[Pivot, ...]
    faces: tuple[np.ndarray, ...]
    corner: np.ndarray
    log_determinant: float


def eliminate(matrix: ArrowMatrix, pivot: Callable[[int, np.ndarray], Pivot]) -> Elimination:
    """Eliminate the stages from the leaf to the root; each stays block-diagonal.

    Args:
        matrix: its entries.
        pivot: called with the place of a stage and its own blocks ``(q, q, J)``.

    Raises:
        NotPositiveDefinite: a determinant is not positive and finite.
    """
    faces, corner, pivots, log_determinant = list(matrix.faces), matrix.corner.copy(), [], 0.0
    for place, stage in enumerate(matrix.arrow.stages):
        pivots.append(pivot(place, faces[place][:, : stage.q]))
        log_determinant += pivots[-1].log_determinant
        if not np.isfinite(log_determinant):
            raise NotPositiveDefinite
        _subtract(matrix, place, pivots[-1], faces, corner)
    return Elimination(matrix, tuple(pivots), tuple(faces), corner, log_determinant)


def _subtract(matrix: ArrowMatrix, place: int, pivot: Pivot, faces: list[np.ndarray], corner: np.ndarray) -> None:
    """Subtract from the later faces and the corner what one stage explains."""
    stage, sparse, root = matrix.arrow.stages[place], matrix.coupling_of(place), pivot.root
    if faces[place].shape[1] == stage.q and sparse is None:
        return
    half = apply(root, faces[place][:, stage.q :])
    column = 0
    for later, above in enumerate(stage.above, start=place + 1):
        q = matrix.arrow.stages[later].q
        segment = half[:, column : column + q]
        update = above.sum(crossed(segment, half[:, column:]))
        if sparse is not None:
            of_tail = sparse.to_parents(crossed(root, segment), above.index, above.size)
            at = update.shape[1] - matrix.ends
            update = np.concatenate([update[:, :at], of_tail, update[:, at:]], axis=1)
        faces[later] = faces[later] - update
        column += q
    border = half[:, column:]
    if border.shape[1]:
        corner[-border.shape[1] :, -border.shape[1] :] -= gram(border)
    if sparse is not None:
        m = matrix.arrow.width
        corner[:m, :m] -= sparse.outer(pivot.explained)
        if matrix.ends:
            cross = sparse.left(crossed(root, border))
            corner[:m, m:] -= cross
            corner[m:, :m] -= cross.T


def forward(found: Elimination, given: Sequence[np.ndarray], tail: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Return right-hand sides ``(q, c, J)`` of each stage and ``(m, c)`` of the tail, freed of the earlier stages."""
    arrow, rests = found.matrix.arrow, list(given)
    for place, stage in enumerate(arrow.stages):
        face, column, sparse = found.faces[place], stage.q, found.matrix.coupling_of(place)
        if face.shape[1] == stage.q and sparse is None:
            continue
        solved = apply(found.pivots[place].explained, rests[place])
        for later, above in enumerate(stage.above, start=place + 1):
            q = arrow.stages[later].q
            rests[later] = rests[later] - above.sum(crossed(face[:, column : column + q], solved))
            column += q
        if sparse is not None:
            tail = tail - sparse.left(solved)
        elif len(tail):
            border = face[:, column : column + len(tail)]
            tail = tail - sum(rows @ values.T for rows, values in zip(border, solved, strict=True))
    return rests, tail


def backward(
    found: Elimination, rests: Sequence[np.ndarray], tail: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Solve from the root to the leaf.

    Args:
        found: the elimination.
        rests: ``(q, c, J)`` right-hand side of each stage, freed of the earlier stages.
        tail: ``(m, c)`` solution of the tail.

    Returns:
        for each stage its solution, and its right-hand side freed of the later stages and the tail too.
    """
    matrix, stages = found.matrix, found.matrix.arrow.stages
    solved, free = [np.empty(0)] * len(stages), list(rests)
    for place in reversed(range(len(stages))):
        face, column = found.faces[place], stages[place].q
        for later, above in enumerate(stages[place].above, start=place + 1):
            q = stages[later].q
            free[place] = free[place] - apply(face[:, column : column + q], above.spread(solved[later]))
            column += q
        sparse = matrix.coupling_of(place)
        if sparse is not None:
            free[place] = free[place] - sparse.right(tail)
        elif len(tail):
            border = face[:, column : column + len(tail)]
            free[place] = free[place] - np.stack([(rows.T @ tail).T for rows in border])
        solved[place] = apply(found.pivots[place].explained, free[place])
    return solved, free
