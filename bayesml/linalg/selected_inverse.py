"""The entries of the inverse that two coefficients of one row need: the elimination run backwards (Takahashi)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from bayesml.linalg.coupling import SparseCoupling
from bayesml.linalg.elimination import Elimination
from bayesml.linalg.levels import apply, contract, transposed

__all__ = ["Reversal", "SelectedInverse", "inverse_blocks", "reverse"]


@final
@dataclass(frozen=True)
class SelectedInverse:
    """Entries on the pattern of a block arrow.

    Attributes:
        faces: for each stage ``(q, width, J)`` in the columns of its face: own blocks, those with its ancestors, those
            with tail and ends.
        coupling: ``(q, nnz)`` those of the first stage with the tail where these are sparse, else None.
        corner: ``(m + e, m + e)``.
    """

    faces: tuple[np.ndarray, ...]
    coupling: np.ndarray | None
    corner: np.ndarray


class Reversal(NamedTuple):
    """What a stage needs of those after it.

    With R its reduced face without its own columns, and T the derivative of a function f of the matrix with respect to
    all that R has columns for, ``df/dR = -N R T`` and ``df/d(own) = N + N R T R' N`` where f holds ``log |K|`` and N is
    the inverse of what was eliminated. For f the log determinant alone these are entries of the inverse.

    Attributes:
        place: which stage.
        image: ``R T``, ``(q, c, J)``, in the columns of the face (without sparse ones).
        middle: ``R T R'``, ``(q, q, J)``.
        sampled: of the first stage, ``B T`` at the entries of a sparse coupling B, ``(q, nnz)``, on request.
    """

    place: int
    image: np.ndarray
    middle: np.ndarray
    sampled: np.ndarray | None


def reverse(found: Elimination, corner: np.ndarray, faces: list[np.ndarray], whole: bool) -> Iterator[Reversal]:
    """Go through the stages from the root to the leaf.

    Args:
        found: the elimination.
        corner: ``(m + e, m + e)`` derivative with respect to the corner.
        faces: filled with the derivatives with respect to the faces, that of the first stage only where ``whole``.
        whole: also return the entries of a sparse coupling.
    """
    matrix = found.matrix
    for place in reversed(range(len(matrix.arrow.stages))):
        stage, sparse = matrix.arrow.stages[place], matrix.coupling_of(place)
        others = found.faces[place][:, stage.q :]
        if not others.shape[1] and sparse is None:
            faces[place] = found.pivots[place].explained
            yield Reversal(place, others, np.zeros((stage.q, stage.q, stage.levels)), None)
            continue
        image, sampled = _image(found, place, corner, faces), None
        if sparse is None:
            middle = contract(image, others)
        else:
            of_tail = _image_of_tail(found, sparse, corner, faces)
            cross = contract(of_tail, others)
            image += of_tail
            m = matrix.arrow.width
            sampled = sparse.sampled(corner[:m, :m]) if whole else None
            own = sparse.inner(corner[:m, :m], sampled)
            middle = contract(image, others) + transposed(cross) + own
        if place > 0 or whole:
            explained = found.pivots[place].explained
            variance = explained + apply(explained, apply(middle, explained))
            faces[place] = np.concatenate([variance, -apply(explained, image)], axis=1)
        yield Reversal(place, image, middle, sampled)


def inverse_blocks(found: Elimination, corner: np.ndarray) -> SelectedInverse:
    """Return the entries of the inverse, given ``(m + e, m + e)`` those of tail and ends."""
    faces: list[np.ndarray] = [np.empty(0)] * len(found.faces)
    entries = None
    for step in reverse(found, corner, faces, whole=True):
        if step.sampled is not None:
            entries = _entries(found, step.sampled, corner, faces)
    return SelectedInverse(tuple(faces), entries, corner)


def _image(found: Elimination, place: int, corner: np.ndarray, faces: Sequence[np.ndarray]) -> np.ndarray:
    """Return ``R T`` for every level, ``(q, c, J)``, sparse tail columns aside."""
    matrix, stage = found.matrix, found.matrix.arrow.stages[place]
    others = found.faces[place][:, stage.q :]
    upper = sum(other.q for other in matrix.arrow.stages[place + 1 :])
    image = np.zeros(others.shape)
    if others.shape[1] > upper:
        of_border = corner[upper - others.shape[1] :, upper - others.shape[1] :]
        for a, other in enumerate(others):
            image[a, upper:] = of_border @ other[upper:]
    column = 0
    for later, above in enumerate(stage.above, start=place + 1):
        q, face = matrix.arrow.stages[later].q, faces[later]
        beside = above.spread(face if matrix.coupling_of(place) is None else _without_tail(face, found))
        image[:, column:] += apply(others[:, column : column + q], beside)
        image[:, column : column + q] += contract(others[:, column + q :], beside[:, q:])
        column += q
    return image


def _image_of_tail(
    found: Elimination, sparse: SparseCoupling, corner: np.ndarray, faces: Sequence[np.ndarray]
) -> np.ndarray:
    """Return what the sparse tail columns add to ``R T``, in the dense columns of the first stage."""
    m, ends = found.matrix.arrow.width, found.matrix.ends
    parts = []
    for later, above in enumerate(found.matrix.arrow.stages[0].above, start=1):
        end = faces[later].shape[1] - ends
        parts.append(sparse.from_parents(faces[later][:, end - m : end], above.index))
    return np.concatenate([*parts, sparse.right(corner[:m, m:])], axis=1)


def _without_tail(face: np.ndarray, found: Elimination) -> np.ndarray:
    end = face.shape[1] - found.matrix.ends
    return np.concatenate([face[:, : end - found.matrix.arrow.width], face[:, end:]], axis=1)


def _entries(found: Elimination, sampled: np.ndarray, corner: np.ndarray, faces: Sequence[np.ndarray]) -> np.ndarray:
    """Return the entries ``-N R T`` of the first stage and a sparse tail, ``(q, nnz)``."""
    matrix, stage, face = found.matrix, found.matrix.arrow.stages[0], found.faces[0]
    sparse, m, ends = matrix.coupling, matrix.arrow.width, matrix.ends
    assert sparse is not None
    rows, image, column = sparse.pattern.rows, sampled.copy(), stage.q
    for later, above in enumerate(stage.above, start=1):
        q, end = matrix.arrow.stages[later].q, faces[later].shape[1] - ends
        beside = sparse.at_parents(faces[later][:, end - m : end], above.index)
        image += apply(face[:, column : column + q, rows], beside[:, None])[:, 0]
        column += q
    for c in range(ends):
        image += face[:, column + c, rows] * corner[sparse.pattern.columns, m + c]
    return -apply(found.pivots[0].explained[:, :, rows], image[:, None])[:, 0]
