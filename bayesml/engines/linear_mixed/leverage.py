"""Leverages of the rows without a matrix over rows."""

from __future__ import annotations

import numpy as np

from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.linalg import Factorisation, mixed_model_inverse

__all__ = ["leverages"]


def leverages(problem: LinearMixedProblem, fact: Factorisation, S: np.ndarray) -> np.ndarray:
    """Return ``diag(W^.5 [Z X] C [Z X]' W^.5)``, C the inverse of the mixed-model equations.

    Args:
        problem: the model.
        fact: its factorisation.
        S: ``(p + 1, p + 1)`` inverse of ``X'V^-1X`` in the orthogonal basis, zero for the response; then the
            derivatives with respect to the cross-products are the blocks of C.
    """
    rows, arrow, inverse = problem.rows, problem.products.matrix.arrow, mixed_model_inverse(fact, S)
    basis, ends, m = rows.W[:-1], len(rows.W), arrow.width
    out = np.einsum("pn,pq,qn->n", basis, inverse.corner[m:-1, m:-1], basis, optimize=True)
    beside = {stage.block: face[:, -ends:-1] for stage, face in zip(arrow.stages, inverse.faces, strict=True)}
    for part in arrow.tail:
        beside[part.block] = inverse.corner[part.rows, m:-1].reshape(part.q, part.levels, -1).swapaxes(1, 2)
    for block, values in beside.items():
        codes = rows.blocks.codes[block]
        for column, coefficient in zip(rows.columns[block], values, strict=True):
            out += 2.0 * column * sum(by_level[codes] * x for by_level, x in zip(coefficient, basis, strict=True))
    return out + rows.blocks.leverages(inverse, rows.columns)
