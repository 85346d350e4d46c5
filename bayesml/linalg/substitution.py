"""Back-substitution: conditional modes of the group effects and what the fixed effects see through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.lazy import lazy_module
from bayesml.linalg.cholesky import Factorisation, scale_tail
from bayesml.linalg.elimination import backward
from bayesml.linalg.levels import apply

__all__ = ["Substitution", "substitute"]

lapack = lazy_module("scipy.linalg.lapack")


@final
@dataclass(frozen=True)
class Substitution:
    """The effects regressed on each column of ``[Q y]``, factor by factor, levels last and in stored order.

    Attributes:
        effects: ``Lambda K^-1 Lambda'Z'W [Q y]``, one ``(q, p + 1, J)`` per factor.
        projected: ``Z'V^-1 [Q y]``, one ``(q, p + 1, J)`` per factor; V is relative to the residual variance.
    """

    effects: tuple[np.ndarray, ...]
    projected: tuple[np.ndarray, ...]


def substitute(fact: Factorisation) -> Substitution:
    """Solve for the group effects from the last eliminated factor to the first."""
    found, arrow = fact.elimination, fact.products.matrix.arrow
    m, ends = arrow.width, found.matrix.ends
    effects: list[np.ndarray] = [np.empty(0)] * arrow.count
    projected: list[np.ndarray] = [np.empty(0)] * arrow.count
    tail = np.zeros((0, ends))
    if m:
        solved, _ = lapack.dtrtrs(fact.tail_cholesky, fact.tail_half, lower=1, trans=1)
        tail = scale_tail(arrow, fact.lambdas, solved, transpose=False)
        rest = found.corner[:m, m:] - found.corner[:m, :m] @ tail
        for part in arrow.tail:
            shape = (len(fact.lambdas[part.block]), -1, ends)
            effects[part.block] = tail[part.rows].reshape(shape).swapaxes(1, 2)
            projected[part.block] = rest[part.rows].reshape(shape).swapaxes(1, 2)
    solutions, free = backward(found, [face[:, -ends:] for face in found.faces], tail)
    for stage, face, solution, right in zip(arrow.stages, found.faces, solutions, free, strict=True):
        effects[stage.block] = solution
        projected[stage.block] = right - apply(face[:, : stage.q], solution)
    return Substitution(tuple(effects), tuple(projected))
