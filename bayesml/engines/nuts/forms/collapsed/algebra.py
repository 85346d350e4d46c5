"""Positive definite matrices without LAPACK calls: small ones, one for each level of a factor, and a single large one.

A matrix is a list of rows whose entries are arrays ``(J,)`` over the levels (scalars for a single matrix); of
triangular and symmetric ones the lower triangle is kept. Up to ``LARGEST_UNROLLED`` rows the Cholesky factor and its
solves are written out, so that XLA fuses them into a few loops over the levels. A LAPACK call for each level costs
nine times as much at two rows. Entries that are 0 in every model of a structure are the number 0.0: each operation that
need not be there is one less to trace, to differentiate and to compile.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import jax
from jax import numpy as jnp

__all__ = [
    "LARGEST_UNROLLED",
    "Matrix",
    "cholesky",
    "divided",
    "full",
    "gaussian_integral",
    "gram",
    "half_solve",
    "identity_plus_gram",
    "inner",
    "inverse_cholesky",
    "log_diagonal",
    "normal_draw",
    "sandwich",
    "scaled_root",
    "scaled_rows",
    "sum_by_parent",
]

Array = Any
Matrix = list[list[Array]]
LARGEST_UNROLLED = 4
LARGEST_BLOCK = 24


def inner(left: Iterable[Array], right: Iterable[Array]) -> Array:
    """Return the sum of the products of entries; 0.0 where there are none."""
    pairs = zip(left, right, strict=True)
    products = [x * y for x, y in pairs if not (_is_zero(x) or _is_zero(y))]
    return reduce(operator.add, products) if products else 0.0


def _is_zero(entry: Array) -> bool:
    return isinstance(entry, float) and entry == 0.0


def _less(value: Array, known: Array) -> Array:
    return value if _is_zero(known) else value - known


def identity_plus_gram(rows: Sequence[Sequence[Array]]) -> Matrix:
    """Return the lower triangle of ``I + A A'`` for the rows of A."""
    return [[inner(rows[i], rows[j]) for j in range(i)] + [inner(rows[i], rows[i]) + 1.0] for i in range(len(rows))]


def sandwich(own: Array, scale: Matrix) -> Matrix:
    """Return the lower triangle of ``I + S' A S`` for symmetric ``own`` A ``(q, q, J)`` and lower triangular S."""
    q = len(scale)
    columns = [[scale[k][j] for k in range(j, q)] for j in range(q)]
    half = [[inner([own[i, k] for k in range(j, q)], columns[j]) for i in range(q)] for j in range(q)]
    products = [[inner(columns[i], half[j][i:]) for j in range(i + 1)] for i in range(q)]
    return [[*row[:-1], row[-1] + 1.0] for row in products]


def scaled_root(root: Array, scale: Matrix) -> Matrix:
    """Return the rows of ``R S`` for upper triangular R ``(q, q, J)`` and lower triangular S."""
    q = len(scale)
    rows = [[root[a, c] for c in range(a, q)] for a in range(q)]
    return [
        [inner(rows[a][max(b - a, 0) :], [scale[c][b] for c in range(max(a, b), q)]) for b in range(q)]
        for a in range(q)
    ]


def scaled_rows(scale: Matrix, block: Array) -> list[Array]:
    """Return the rows of ``S' B`` for lower triangular S and ``block`` B ``(q, ..., J)``."""
    q = len(scale)
    rows = list(block)
    return [inner([scale[b][a] for b in range(a, q)], rows[a:]) for a in range(q)]


def divided(scale: Matrix, sigma: Array) -> Matrix:
    """Return a lower triangular matrix over ``sigma``."""
    return [[entry if _is_zero(entry) else entry / sigma for entry in row] for row in scale]


def full(scale: Matrix) -> Array:
    """Return a lower triangular matrix as one array ``(q, q)``."""
    q = len(scale)
    return jnp.stack([jnp.stack([jnp.asarray(x) for x in row] + [jnp.zeros(())] * (q - len(row))) for row in scale])


def cholesky(matrix: Matrix) -> Matrix:
    """Return the lower Cholesky factor of the lower triangle of positive definite matrices."""
    if len(matrix) > LARGEST_UNROLLED:
        return _cholesky_by_columns(matrix)
    factor: Matrix = []
    for i, row in enumerate(matrix):
        factor.append([])
        for j in range(i):
            rest = _less(row[j], inner(factor[i][:j], factor[j][:j]))
            factor[i].append(rest if _is_zero(rest) else rest / factor[j][j])
        factor[i].append(jnp.sqrt(_less(row[i], inner(factor[i], factor[i]))))
    return factor


def _cholesky_by_columns(matrix: Matrix) -> Matrix:
    """Cholesky factor with one rank-one update a column, so that the number of operations grows with q only."""
    q = len(matrix)
    shape = jnp.shape(matrix[0][0])
    lower = [[jnp.broadcast_to(entry, shape) for entry in row] for row in matrix]
    rest = jnp.stack([jnp.stack([lower[max(i, j)][min(i, j)] for j in range(q)]) for i in range(q)])
    columns = []
    for _ in range(q):
        columns.append(rest[:, 0] / jnp.sqrt(rest[0, 0]))
        rest = rest[1:, 1:] - columns[-1][1:, None] * columns[-1][None, 1:]
    return [[columns[j][i - j] for j in range(i + 1)] for i in range(q)]


def log_diagonal(factor: Matrix) -> Array:
    """Return half the log determinant: the sum of the logarithms of the diagonal, ``(J,)``."""
    return jnp.log(_product([row[-1] for row in factor])) if len(factor) <= 3 else sum(jnp.log(r[-1]) for r in factor)


def _product(values: Sequence[Array]) -> Array:
    result = values[0]
    for value in values[1:]:
        result = result * value
    return result


def half_solve(factor: Matrix, right: Sequence[Array]) -> list[Array]:
    """Return ``C^-1 B`` for the rows of B, each ``(..., J)``."""
    solved: list[Array] = []
    for i, row in enumerate(factor):
        solved.append(_less(right[i], inner(row[:i], solved)) / row[i])
    return solved


def _transposed_half_solve(factor: Matrix, right: Sequence[Array]) -> list[Array]:
    q = len(factor)
    solved: list[Array] = [0.0] * q
    for i in reversed(range(q)):
        known = inner([factor[k][i] for k in range(i + 1, q)], solved[i + 1 :])
        solved[i] = _less(right[i], known) / factor[i][i]
    return solved


def normal_draw(precision: Matrix, right: Sequence[Array], noise: Sequence[Array]) -> list[Array]:
    """Return draws of N(P^-1 b, P^-1) from standard normal ``noise``."""
    factor = cholesky(precision)
    half = half_solve(factor, right)
    return _transposed_half_solve(factor, [h + e for h, e in zip(half, noise, strict=True)])


def gaussian_integral(precision: Array, linear: Array) -> Array:
    """Return ``-1/2 log|P| + 1/2 b' P^-1 b`` for ``precision`` P ``(d, d)`` and ``linear`` b ``(d,)``.

    It is the log integral of ``exp(-x'Px/2 + b'x)``, without the factor ``(2 pi)^(d/2)``.
    """
    d = linear.shape[0]
    if not d:
        return jnp.zeros(())
    if d > LARGEST_UNROLLED:
        return _dense_integral(precision, linear)
    factor = cholesky([[precision[i, j] for j in range(i + 1)] for i in range(d)])
    half = half_solve(factor, [linear[i] for i in range(d)])
    return 0.5 * inner(half, half) - log_diagonal(factor)


def inverse_cholesky(matrix: Array) -> tuple[Array, Array]:
    """Return ``C^-1`` for the lower Cholesky factor C of one matrix ``(d, d)``, and half its log determinant.

    Recursive in halves. No LAPACK: its threads stall each other when chains run at the same time (measured: 8-50 ms
    for a triangular solve of 20 us), and a batch of calls waits within JAX's own pool of threads for that pool, for
    ever if two programs do so at once.
    """
    d = matrix.shape[0]
    if d <= LARGEST_BLOCK:
        return _inverse_cholesky_of_block(matrix)
    half = LARGEST_BLOCK * ((d // LARGEST_BLOCK + 1) // 2)
    first, log_first = inverse_cholesky(matrix[:half, :half])
    beside = matrix[half:, :half] @ first.T
    last, log_last = inverse_cholesky(matrix[half:, half:] - beside @ beside.T)
    below = -last @ (beside @ first)
    right = jnp.zeros((half, d - half), matrix.dtype)
    return jnp.block([[first, right], [below, last]]), log_first + log_last


def _inverse_cholesky_of_block(matrix: Array) -> tuple[Array, Array]:
    """Gaussian elimination of ``[A | I]``: the right half becomes D^1/2 C^-1 with the pivots D."""
    d = matrix.shape[0]
    place = jnp.arange(d)[:, None]

    def eliminate(k: Array, rows: Array) -> Array:
        pivot_row = jax.lax.dynamic_slice_in_dim(rows, k, 1, 0)
        column = jax.lax.dynamic_slice_in_dim(rows, k, 1, 1)
        return rows - jnp.where(place > k, column / pivot_row[0, k], 0.0) * pivot_row

    start = jnp.concatenate([matrix, jnp.eye(d, dtype=matrix.dtype)], axis=1)
    rows = jax.lax.fori_loop(0, d, eliminate, start)
    pivots = jnp.diagonal(rows[:, :d])
    return rows[:, d:] / jnp.sqrt(pivots)[:, None], 0.5 * jnp.sum(jnp.log(pivots))


@jax.custom_vjp
def _dense_integral(precision: Array, linear: Array) -> Array:
    return _dense_forward(precision, linear)[0]


def _dense_forward(precision: Array, linear: Array) -> tuple[Array, tuple[Array, Array]]:
    inverse, halves = inverse_cholesky(precision)
    half = inverse @ linear
    return 0.5 * half @ half - halves, (inverse, half)


def _dense_backward(saved: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    """With g = P^-1 b: d/db = g and d/dP = -(P^-1 + g g') / 2."""
    inverse, half = saved
    mode = inverse.T @ half
    slope = -0.5 * (inverse.T @ inverse + mode[:, None] * mode[None, :])
    return cotangent * slope, cotangent * mode


_dense_integral.defvjp(_dense_forward, _dense_backward)


@jax.custom_vjp
def gram(rows: Array) -> Array:
    """Return ``A A'`` for A ``(d, n)``; its gradient is one product where autodiff makes two."""
    return rows @ rows.T


gram.defvjp(lambda rows: (rows @ rows.T, rows), lambda rows, cotangent: ((cotangent + cotangent.T) @ rows,))


def sum_by_parent(values: Array, parent: Array, n_parents: int) -> Array:
    """Sum ``(..., J)`` over the children of each of ``n_parents``; the children of a parent are contiguous."""
    return _sum_by_parent(values, parent, n_parents)


def _sum(values: Array, parent: Array, n_parents: int) -> Array:
    empty = jnp.zeros((*values.shape[:-1], n_parents), values.dtype)
    return empty.at[..., parent].add(values, indices_are_sorted=True)


_sum_by_parent = jax.custom_vjp(_sum, nondiff_argnums=(2,))
_sum_by_parent.defvjp(
    lambda values, parent, n_parents: (_sum(values, parent, n_parents), parent),
    lambda n_parents, parent, cotangent: (jnp.take(cotangent, parent, axis=-1), None),
)
