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
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import numpy as jnp

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int

    from bayesml.engines.nuts.forms.gaussian.shapes import Column, Matrix, Rows, Square
    from bayesml.shapes import Broadcast, Scalar

__all__ = [
    "LARGEST_UNROLLED",
    "cholesky",
    "divided",
    "explained",
    "full",
    "gaussian_integral",
    "gaussian_point",
    "gram",
    "half_solve",
    "identity_plus_gram",
    "inner",
    "inverse_cholesky",
    "log_diagonal",
    "lower_times",
    "normal_draw",
    "sandwich",
    "scaled_root",
    "scaled_rows",
    "transposed_half_solve",
]

LARGEST_UNROLLED = 4
"""Most rows of a matrix whose operations are written out entry by entry."""
LARGEST_BLOCK = 24
"""Most rows of a matrix whose Cholesky factor is inverted by elimination, without cutting it in halves."""


def inner(left: Iterable[Broadcast], right: Iterable[Broadcast]) -> Broadcast:
    """Return the sum of the products of entries; 0.0 where there are none."""
    pairs = zip(left, right, strict=True)
    products = [x * y for x, y in pairs if not (_is_zero(x) or _is_zero(y))]
    return reduce(operator.add, products) if products else 0.0


def _is_zero(entry: Broadcast) -> bool:
    return isinstance(entry, float) and entry == 0.0


def _less(value: Broadcast, known: Broadcast) -> Broadcast:
    return value if _is_zero(known) else value - known


def identity_plus_gram(rows: Sequence[Sequence[Broadcast]]) -> Matrix:
    """Return the lower triangle of ``I + A A'`` for the rows of A."""
    return [[inner(rows[i], rows[j]) for j in range(i)] + [inner(rows[i], rows[i]) + 1.0] for i in range(len(rows))]


def sandwich(matrix: Float[Array, "q q levels"], scale: Matrix) -> Matrix:
    """Return the lower triangle of ``I + S' A S`` for symmetric A ``(q, q, J)`` and lower triangular S."""
    q = len(scale)
    columns = [[scale[k][j] for k in range(j, q)] for j in range(q)]
    half = [[inner([matrix[i, k] for k in range(j, q)], columns[j]) for i in range(q)] for j in range(q)]
    products = [[inner(columns[i], half[j][i:]) for j in range(i + 1)] for i in range(q)]
    return [[*row[:-1], row[-1] + 1.0] for row in products]


def scaled_root(root: Float[Array, "q q levels"], scale: Matrix) -> Matrix:
    """Return the rows of ``R S`` for upper triangular R ``(q, q, J)`` and lower triangular S."""
    q = len(scale)
    rows = [[root[a, c] for c in range(a, q)] for a in range(q)]
    return [
        [inner(rows[a][max(b - a, 0) :], [scale[c][b] for c in range(max(a, b), q)]) for b in range(q)]
        for a in range(q)
    ]


def scaled_rows(scale: Matrix, block: Iterable[Broadcast]) -> Rows:
    """Return the rows of ``S' B`` for lower triangular S and ``block`` B ``(q, ..., J)``."""
    q = len(scale)
    rows = list(block)
    return [inner([scale[b][a] for b in range(a, q)], rows[a:]) for a in range(q)]


def divided(scale: Matrix, sigma: Scalar | None) -> Matrix:
    """Return a lower triangular matrix over ``sigma``; None is 1."""
    if sigma is None:
        return scale
    return [[entry if _is_zero(entry) else entry / sigma for entry in row] for row in scale]


def full(scale: Matrix) -> Square:
    """Return a lower triangular matrix as one array ``(q, q)``."""
    q = len(scale)
    return jnp.stack([jnp.stack([jnp.asarray(x) for x in row] + [jnp.zeros(())] * (q - len(row))) for row in scale])


def lower_times(matrix: Matrix, columns: Sequence[Broadcast]) -> Rows:
    """Return ``L x`` for lower triangular L and the rows of x."""
    return [inner(row, columns[: len(row)]) for row in matrix]


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


def log_diagonal(factor: Matrix) -> Broadcast:
    """Return half the log determinant: the sum of the logarithms of the diagonal, ``(J,)``."""
    return jnp.log(_product([row[-1] for row in factor])) if len(factor) <= 3 else sum(jnp.log(r[-1]) for r in factor)


def _product(values: Sequence[Broadcast]) -> Broadcast:
    result = values[0]
    for value in values[1:]:
        result = result * value
    return result


def half_solve(factor: Matrix, right: Sequence[Broadcast]) -> Rows:
    """Return ``C^-1 B`` for the rows of B, each ``(..., J)``."""
    solved: Rows = []
    for i, row in enumerate(factor):
        solved.append(_less(right[i], inner(row[:i], solved)) / row[i])
    return solved


def transposed_half_solve(factor: Matrix, right: Sequence[Broadcast]) -> Rows:
    """Return ``C^-T b`` for the rows of b."""
    q = len(factor)
    solved: Rows = [0.0] * q
    for i in reversed(range(q)):
        known = inner([factor[k][i] for k in range(i + 1, q)], solved[i + 1 :])
        solved[i] = _less(right[i], known) / factor[i][i]
    return solved


def normal_draw(precision: Matrix, right: Sequence[Broadcast], noise: Sequence[Broadcast]) -> Rows:
    """Return draws of N(P^-1 b, P^-1) from standard normal ``noise``."""
    factor = cholesky(precision)
    half = half_solve(factor, right)
    return transposed_half_solve(factor, [h + e for h, e in zip(half, noise, strict=True)])


def gaussian_integral(precision: Square, linear: Column) -> Scalar:
    """Return ``-1/2 log|P| + 1/2 b' P^-1 b`` for ``precision`` P ``(d, d)`` and ``linear`` b ``(d,)``.

    It is the log integral of ``exp(-x'Px/2 + b'x)``, without the factor ``(2 pi)^(d/2)``.
    """
    if not linear.shape[0]:
        return jnp.zeros(())
    products, halves = explained(precision, linear[:, None])
    return 0.5 * products[0, 0] - halves


def explained(precision: Square, columns: Float[Array, "d r"]) -> tuple[Float[Array, "r r"], Scalar]:
    """Return ``B' P^-1 B`` for ``columns`` B ``(d, r)``, and half the log determinant of ``precision`` P ``(d, d)``."""
    d, r = columns.shape
    if not d:
        return jnp.zeros((r, r)), jnp.zeros(())
    if d > LARGEST_UNROLLED:
        return _dense_explained(precision, columns)
    factor = cholesky([[precision[i, j] for j in range(i + 1)] for i in range(d)])
    half = half_solve(factor, [columns[i] for i in range(d)])
    return inner([row[:, None] for row in half], half), log_diagonal(factor)


def inverse_cholesky(matrix: Square) -> tuple[Square, Scalar]:
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


def _inverse_cholesky_of_block(matrix: Square) -> tuple[Square, Scalar]:
    """Gaussian elimination of ``[A | I]``: the right half becomes D^1/2 C^-1 with the pivots D."""
    d = matrix.shape[0]
    place = jnp.arange(d)[:, None]

    def eliminate(k: Int[Array, ""], rows: Float[Array, "d twice_d"]) -> Float[Array, "d twice_d"]:
        pivot_row = jax.lax.dynamic_slice_in_dim(rows, k, 1, 0)
        column = jax.lax.dynamic_slice_in_dim(rows, k, 1, 1)
        return rows - jnp.where(place > k, column / pivot_row[0, k], 0.0) * pivot_row

    start = jnp.concatenate([matrix, jnp.eye(d, dtype=matrix.dtype)], axis=1)
    rows = jax.lax.fori_loop(0, d, eliminate, start)
    pivots = jnp.diagonal(rows[:, :d])
    return rows[:, d:] / jnp.sqrt(pivots)[:, None], 0.5 * jnp.sum(jnp.log(pivots))


@jax.custom_vjp
def _dense_explained(precision: Square, columns: Float[Array, "d r"]) -> tuple[Float[Array, "r r"], Scalar]:
    return _dense_forward(precision, columns)[0]


def _dense_forward(precision: Square, columns: Float[Array, "d r"]) -> tuple[Any, Any]:
    inverse, halves = inverse_cholesky(precision)
    half = inverse @ columns
    return (half.T @ half, halves), (inverse, half)


def _dense_backward(saved: Any, cotangents: Any) -> tuple[Square, Float[Array, "d r"]]:
    """With G = P^-1 B: d(tr A'B'P^-1 B) is G (A + A') in B and -G A G' in P; d(log|P| / 2) is P^-1 / 2."""
    (inverse, half), (of_products, of_halves) = saved, cotangents
    solved = inverse.T @ half
    twice = solved @ (of_products + of_products.T)
    return 0.5 * (of_halves * (inverse.T @ inverse) - twice @ solved.T), twice


_dense_explained.defvjp(_dense_forward, _dense_backward)


def gaussian_point(precision: Square, linear: Column, away: Column) -> tuple[Column, Column, Scalar]:
    """Return the point ``x = P^-1 b + C^-T e`` of N(P^-1 b, P^-1), with ``C^-1 b`` and half the log determinant of P.

    Args:
        precision: P ``(d, d)`` with the lower Cholesky factor C.
        linear: b ``(d,)``.
        away: e ``(d,)``, how far x lies from the mean, in units in which the distribution is standard normal.
    """
    d = linear.shape[0]
    if d > LARGEST_UNROLLED:
        return _dense_point(precision, linear, away)
    factor = cholesky([[precision[i, j] for j in range(i + 1)] for i in range(d)])
    half = half_solve(factor, [linear[i] for i in range(d)])
    point = transposed_half_solve(factor, [h + away[i] for i, h in enumerate(half)])
    return jnp.stack(point), jnp.stack(half), log_diagonal(factor)


@jax.custom_vjp
def _dense_point(precision: Square, linear: Column, away: Column) -> tuple[Column, Column, Scalar]:
    return _dense_point_forward(precision, linear, away)[0]


def _dense_point_forward(precision: Square, linear: Column, away: Column) -> tuple[Any, Any]:
    inverse, halves = inverse_cholesky(precision)
    half = inverse @ linear
    return (inverse.T @ (half + away), half, halves), (inverse, half, away)


def _dense_point_backward(saved: Any, cotangents: Any) -> tuple[Square, Column, Column]:
    """Differentiate through J = C^-1, where x = J'h and h = J b + e, given the cotangents x', half' and halves'.

    With h' = J x' and g = h' + half' the cotangents of b and e are J'g and h', and that of J is g b' + h x''. From
    dC = C F(J dP J'), F taking the lower triangle with half the diagonal (Murray 2016, "Differentiation of the Cholesky
    decomposition"), and dJ = -J dC J follows J' (halves' I - M - M') J / 2 for P, M = F(g (J b)' + h h'').
    """
    (inverse, half, away), (of_point, of_half, of_halves) = saved, cotangents
    of_away = inverse @ of_point
    of_sum = of_away + of_half
    lower = _half_lower(of_sum[:, None] * half + (half + away)[:, None] * of_away)
    inside = of_halves * np.eye(len(half)) - lower - lower.T
    return 0.5 * (inverse.T @ inside @ inverse), inverse.T @ of_sum, of_away


def _half_lower(matrix: Square) -> Square:
    return matrix * (np.tril(np.ones(matrix.shape), -1) + 0.5 * np.eye(len(matrix)))


_dense_point.defvjp(_dense_point_forward, _dense_point_backward)


@jax.custom_vjp
def gram(rows: Float[Array, "d n"]) -> Square:
    """Return ``A A'`` for A ``(d, n)``; its gradient is one product where autodiff makes two."""
    return rows @ rows.T


gram.defvjp(lambda rows: (rows @ rows.T, rows), lambda rows, cotangent: ((cotangent + cotangent.T) @ rows,))
