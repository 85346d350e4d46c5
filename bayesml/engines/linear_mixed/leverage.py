"""Leverages of the rows and effective degrees of freedom, without a matrix over rows."""

from __future__ import annotations

import numpy as np

from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.linalg import Factorisation, mixed_model_inverse

__all__ = ["row_shares"]


def row_shares(problem: LinearMixedProblem, fact: Factorisation, S: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what the fixed effects, then each block of random effects add to the leverages, ``(n,)`` each.

    With C the inverse of the mixed-model equations and x_i the row of ``W^.5 [Z X]``, the leverage ``x_i' C x_i`` is a
    sum over coefficients; the sum over rows of the part of coefficient k is the diagonal entry of ``C [Z X]'W [Z X]``:
    its effective degrees of freedom.

    Args:
        problem: the model.
        fact: its factorisation.
        S: ``(p + 1, p + 1)`` inverse of ``X'V^-1X`` in the orthogonal basis, zero for the response; then the
            derivatives with respect to the cross-products are the blocks of C.
    """
    rows, arrow, inverse = problem.rows, problem.products.matrix.arrow, mixed_model_inverse(fact, S)
    basis, ends, m = rows.W[:-1], len(rows.W), arrow.width
    fixed = inverse.corner[m:-1, m:-1] @ basis
    products = rows.blocks.products(inverse, rows.columns)
    beside = {stage.block: face[:, -ends:-1] for stage, face in zip(arrow.stages, inverse.faces, strict=True)}
    for part in arrow.tail:
        beside[part.block] = inverse.corner[part.rows, m:-1].reshape(part.q, part.levels, -1).swapaxes(1, 2)
    for block, values in beside.items():
        codes = rows.blocks.codes[block]
        for a, column in enumerate(rows.columns[block]):
            for c, entries in enumerate(values[a]):
                products[block][a] += entries[codes] * basis[c]
                fixed[c] += entries[codes] * column
    shares = [np.einsum("qn,qn->n", Z, product) for Z, product in zip(rows.columns, products, strict=True)]
    return np.einsum("pn,pn->n", basis, fixed), *shares
