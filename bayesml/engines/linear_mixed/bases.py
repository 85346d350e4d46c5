"""Coordinates in which the columns of Z of a factor are orthonormal."""

from __future__ import annotations

import numpy as np

from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.linalg import CrossProducts

__all__ = ["orthogonal_bases", "own_blocks", "within_blocks"]

COLLINEAR = 1e-5


def within_blocks(blocks: tuple[int, ...]) -> np.ndarray:
    """1 where two columns belong to the same correlated block, else 0."""
    block = np.repeat(np.arange(len(blocks)), blocks)
    return (block[:, None] == block[None, :]).astype(float)


def own_blocks(products: CrossProducts) -> dict[int, np.ndarray]:
    """Return for each factor ``(q, q, J)`` the products of its columns within each level."""
    out = {lead.group: lead.faces[:, : lead.q] for lead in products.leads}
    for part in products.tail:
        size = len(part.levels)
        block = products.corner[part.rows, part.rows].reshape(size, part.q, size, part.q)
        out[part.group] = np.einsum("jajb->abj", block)
    return out


def orthogonal_bases(problem: LinearMixedProblem) -> list[np.ndarray]:
    """For each factor the lower-triangular T, block by block, for which the columns of ``Z T^-1`` are orthonormal.

    ``T Lambda`` is then lower triangular too: the search starts as if it ran in these coordinates, so that an
    uncentred covariate costs no more steps than a centred one. The identity where the columns are collinear.
    """
    own, out = own_blocks(problem.products), []
    for place, group in enumerate(problem.groups):
        gram = own[place].sum(axis=2) / problem.products.n * within_blocks(group.blocks)
        try:
            T = np.linalg.cholesky(gram[::-1, ::-1])[::-1, ::-1].T
        except np.linalg.LinAlgError:
            T = np.eye(group.q)
        out.append(T if np.diagonal(T).min() > COLLINEAR else np.eye(group.q))
    return out
