"""Leverages of the rows without a matrix over rows."""

from __future__ import annotations

import numpy as np

from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.linalg import Factorisation, adjoint
from bayesml.linalg.selected_inverse import sparse_faces

__all__ = ["leverages"]

CHUNK_ELEMENTS = 20_000_000


def leverages(problem: LinearMixedProblem, fact: Factorisation, S: np.ndarray) -> np.ndarray:
    """Return ``diag(W^.5 [Z X] C [Z X]' W^.5)``, C the inverse of the mixed-model equations.

    Args:
        problem: the model.
        fact: its factorisation.
        S: ``(p + 1, p + 1)`` inverse of ``X'V^-1X`` in the orthogonal basis, zero for the response; then the
            adjoint faces are the blocks of C, those of ``Z`` with the fixed effects included.
    """
    products, rows = problem.products, problem.rows
    blocks = adjoint(fact, S, want_faces=True)
    basis = rows.W[:-1]
    out = np.einsum("pn,pq,qn->n", basis, blocks.corner[-len(rows.W) : -1, -len(rows.W) : -1], basis, optimize=True)
    for place, lead in enumerate(products.leads):
        face, codes, Z = blocks.faces[place], rows.orders[lead.group].codes, rows.columns[lead.group]
        columns = [rows.columns[lead.group]]
        columns += [rows.columns[later.group] for later in products.leads[place + 1 :]]
        offset = 0
        for i, other in enumerate(columns):
            out += (1.0 if i == 0 else 2.0) * _form(Z, face[:, offset : offset + len(other)], codes, other)
            offset += len(other)
        out += 2.0 * _form(Z, face[:, -len(rows.W) : -1], codes, basis)
        if products.tail:
            sparse = place == 0 and products.coupling is not None
            tail = sparse_faces(fact, blocks) if sparse else face[:, offset : offset + products.tail_size]
            out += 2.0 * _with_tail(problem, Z, tail, codes)
    return out + _tail_alone(problem, blocks.corner)


def _form(left: np.ndarray, faces: np.ndarray, codes: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``left' faces[level] right`` for every row."""
    out = np.zeros(left.shape[1])
    for a, first in enumerate(left):
        for c, second in enumerate(right):
            out += first * faces[a, c][codes] * second
    return out


def _with_tail(problem: LinearMixedProblem, Z: np.ndarray, faces: np.ndarray, codes: np.ndarray) -> np.ndarray:
    out = np.zeros(Z.shape[1])
    for part in problem.products.tail:
        own = problem.rows.orders[part.group].codes
        for d, second in enumerate(problem.rows.columns[part.group]):
            at = part.offset + own * part.q + d
            for a, first in enumerate(Z):
                out += first * faces[a, at, codes] * second
    return out


def _tail_alone(problem: LinearMixedProblem, corner: np.ndarray) -> np.ndarray:
    rows, tail = problem.rows, problem.products.tail
    ends = len(rows.W)
    out = np.zeros(problem.products.n)
    entries = []
    for part in tail:
        for d, column in enumerate(rows.columns[part.group]):
            entries.append((part.offset + rows.orders[part.group].codes * part.q + d, column))
    for i, (at, column) in enumerate(entries):
        out += column**2 * corner[at, at]
        for other, second in entries[i + 1 :]:
            out += 2.0 * column * corner[at, other] * second
        for c, second in enumerate(rows.W[:-1]):
            out += 2.0 * column * corner[at, corner.shape[1] - ends + c] * second
    return out
