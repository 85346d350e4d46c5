"""Algebra of many small symmetric matrices, unrolled: XLA on CPUs pays for each operation, and LAPACK calls dearly.

A batch of q x q matrices is a list of lists of arrays over the batch; every function is elementwise in the batch.
"""

from __future__ import annotations

from typing import Any

from jax import numpy as jnp

__all__ = ["cholesky", "log_determinant", "solve_lower", "solve_upper"]

Array = Any
Matrix = list[list[Array]]


def cholesky(matrix: Matrix) -> Matrix:
    """Return the lower Cholesky factor of ``matrix`` (its lower triangle is read)."""
    size = len(matrix)
    factor: Matrix = [[jnp.zeros(()) for _ in range(size)] for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j] - sum(factor[i][k] * factor[j][k] for k in range(j))
            factor[i][j] = jnp.sqrt(rest) if i == j else rest / factor[j][j]
    return factor


def log_determinant(factor: Matrix) -> Array:
    """Return the summed log determinant of all matrices from their Cholesky factors."""
    return 2.0 * sum(jnp.sum(jnp.log(factor[i][i])) for i in range(len(factor)))


def solve_lower(factor: Matrix, right: list[Array]) -> list[Array]:
    """Solve C x = right."""
    solution: list[Array] = []
    for i, row in enumerate(factor):
        rest = right[i] - sum(row[k] * solution[k] for k in range(i))
        solution.append(rest / row[i])
    return solution


def solve_upper(factor: Matrix, right: list[Array]) -> list[Array]:
    """Solve C' x = right."""
    size = len(factor)
    solution: list[Array] = [jnp.zeros(())] * size
    for i in reversed(range(size)):
        rest = right[i] - sum(factor[k][i] * solution[k] for k in range(i + 1, size))
        solution[i] = rest / factor[i][i]
    return solution
