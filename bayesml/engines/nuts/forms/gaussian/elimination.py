"""Integrate the group effects and slopes out of a Gaussian model, factor by factor, in JAX.

With Lambda_t = diag(sd_t) L_t / sigma and z standard normal, u_t = sigma Lambda_t z_t. Only ``I + (non-negative)``
matrices are factored, so that the density is smooth where a standard deviation is 0 (Bates et al. 2015, sections 2.2
and 3; Bates' blocked Cholesky with the largest factor first).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jax import numpy as jnp

from bayesml.engines.nuts.forms.gaussian.algebra import (
    cholesky,
    divided,
    explained,
    full,
    gaussian_integral,
    gaussian_point,
    gram,
    half_solve,
    identity_plus_gram,
    inner,
    log_diagonal,
    sandwich,
    scaled_root,
    scaled_rows,
)
from bayesml.engines.nuts.forms.gaussian.statistics import Arrangement, Stage, Statistics
from bayesml.linalg.tail import block_product
from bayesml.terms.gather import level_sums

if TYPE_CHECKING:
    from jaxtyping import Array, ArrayLike, Float

    from bayesml.engines.nuts.forms.gaussian.shapes import Column, Kept, Matrix, Rows, Square, Standardised, TailRows
    from bayesml.shapes import Elements, Numbers, Scalar

__all__ = ["Corner", "Face", "Parameters", "eliminate", "log_marginal", "log_standardised", "tail_product"]

SMALL_GRAM = 3
"""Most columns whose products with each other are written out."""
FEW = 2
"""Sums of up to so many columns are written out."""


class Parameters(NamedTuple):
    """What the Gaussian part depends on.

    Attributes:
        factors: for each grouping factor the lower triangle of diag(sd) L.
        sigma: residual standard deviation; None is 1.
        kept: ``(k,)`` coefficients that are not integrated out.
    """

    factors: tuple[Matrix, ...]
    sigma: Scalar | None
    kept: Kept


class Face(NamedTuple):
    """One stage just before it is eliminated: what earlier stages left of ``Z'[Z, upper, design, response]``.

    For a triangularised leaf these are the q rows of each level themselves. Lists run over the q rows.
    """

    diagonal: Float[ArrayLike, "q q levels"]
    upper: tuple[Float[ArrayLike, "q _ levels"], ...]
    design: Float[ArrayLike, "q width levels"]
    response: Rows


class Corner(NamedTuple):
    """The precision and linear term of ``[z_tail, v]`` and what the density has beside.

    Attributes:
        precision: ``(m + p, m + p)``.
        linear: ``(m + p,)``.
        value: sum of squares over -2, log determinants and the power of sigma.
        halves: half the log determinant of what was eliminated.
    """

    precision: Square
    linear: Column
    value: Scalar
    halves: Scalar


class Solved(NamedTuple):
    """One stage as its elimination leaves it: ``C^-1 Lambda' [upper, design, response]`` with ``C C' = K``.

    For a triangularised leaf ``C^-1 [upper, design, response]``, C the factor of the covariance of its rows.
    """

    factor: Matrix
    upper: tuple[Float[Array, "q _ levels"], ...]
    design: Rows
    response: Rows


class _Gram(NamedTuple):
    """Products of the columns [design, response], not yet scaled."""

    design: Float[ArrayLike, "width width"]
    cross: Float[ArrayLike, " width"]
    response: Scalar


def log_marginal(statistics: Statistics, arrangement: Arrangement, parameters: Parameters) -> Scalar:
    """Return ``log p(y | parameters)``, all group effects and slopes with a normal or flat prior integrated out."""
    _, _, corner = eliminate(statistics, arrangement, parameters)
    return corner.value + gaussian_integral(corner.precision, corner.linear) + statistics.center.constant


def log_standardised(
    statistics: Statistics, arrangement: Arrangement, parameters: Parameters, units: Standardised
) -> tuple[Standardised, Scalar]:
    """Return coefficients that stay sampled, and the log density of y and their units, given the other parameters.

    With their prior replaced by the normal one of ``center``, the last coefficients of the slopes are N(m, V) given y
    and all other parameters. They are sampled as ``m + V^(1/2) e``. The density of y and e is

        p(y | b) |db/de| = p(y) N(e; 0, I) / prior(b),

    p(y) with b integrated out. Where the other parameters hardly say how large b is, V follows them, so that no funnel
    is left; beside the true prior, which is not counted here, e is nearly standard normal.

    Args:
        statistics: the sums.
        arrangement: of the factors.
        parameters: the other parameters.
        units: e ``(k,)``.
    """
    _, _, corner = eliminate(statistics, arrangement, parameters)
    k, center = units.shape[0], statistics.center
    d = corner.linear.shape[0] - k
    columns = jnp.concatenate([corner.precision[:d, d:], corner.linear[:d, None]], axis=1)
    products, halves = explained(corner.precision[:d, :d], columns)
    precision, linear = corner.precision[d:, d:] - products[:k, :k], corner.linear[d:] - products[:k, k]
    point, half, last_halves = gaussian_point(precision, linear, units)
    value = corner.value - halves - last_halves + 0.5 * (products[k, k] + half @ half - units @ units)
    log_normal = jnp.sum(point * (center.shift[-k:] - 0.5 * center.precision[-k:] * point))
    return center.base[-k:] + center.scale[-k:] * point, value - log_normal + center.constant


def eliminate(
    statistics: Statistics, arrangement: Arrangement, parameters: Parameters
) -> tuple[tuple[Face, ...], tuple[Solved, ...], Corner]:
    """Eliminate the chain; return each stage as it was met and as it was left, and what is left of tail and slopes."""
    offset = parameters.kept - statistics.center.kept
    faces = [_face(stage, offset) for stage in statistics.stages]
    total = _start(statistics, offset)
    halves: Scalar = 0.0
    left: list[Solved] = []
    for place, stage in enumerate(statistics.stages):
        face = faces[place]
        scale = divided(parameters.factors[arrangement.chain[place]], parameters.sigma)
        is_root = place == 0 and arrangement.triangular
        matrix = identity_plus_gram(scaled_root(face.diagonal, scale)) if is_root else sandwich(face.diagonal, scale)
        factor = cholesky(matrix)
        halves = halves + (
            jnp.sum(stage.multiplicity * log_diagonal(factor)) if arrangement.triangular else _half_log(factor)
        )
        solved = _half(face, factor, None if is_root else scale)
        left.append(solved)
        sign = 1.0 if is_root else -1.0
        faces[place + 1 :] = [_passed_on(later, solved, stage, sign, i) for i, later in enumerate(faces[place + 1 :])]
        total = _added(total, solved, sign)
    return tuple(faces), tuple(left), _corner(statistics, arrangement, parameters, total, halves)


def _half_log(factor: Matrix) -> Scalar:
    """Return half the log determinant of all levels; a logarithm of products takes twice as long with its gradient."""
    return sum(jnp.sum(jnp.log(row[-1])) for row in factor)


def _face(stage: Stage, offset: Kept) -> Face:
    response, k = list(stage.response), offset.shape[0]
    if 0 < k <= FEW:  # written out, which XLA fuses with what comes next
        known = [inner(list(offset), list(kept)) for kept in stage.kept]
        response = [row - each for row, each in zip(response, known, strict=True)]
    elif k:
        response = [row - offset @ kept for row, kept in zip(stage.response, stage.kept, strict=True)]
    return Face(stage.diagonal, stage.upper, stage.design, response)


def _start(statistics: Statistics, offset: Kept) -> _Gram:
    k = offset.shape[0]
    corner, d = statistics.corner, statistics.corner.shape[0] - k - 1
    design, cross, response = corner[:d, :d], corner[:d, -1], corner[-1, -1]
    if k:
        cross = cross - corner[:d, d:-1] @ offset
        response = response - 2.0 * (corner[-1, d:-1] @ offset) + offset @ corner[d:-1, d:-1] @ offset
    return _Gram(design, cross, response)


def _half(face: Face, factor: Matrix, scale: Matrix | None) -> Solved:
    """Return ``C^-1 [upper, design, response]``, for later stages ``C^-1 Lambda' [...]``."""

    def rows(block: Iterable[Numbers]) -> Rows:
        return list(block) if scale is None else scaled_rows(scale, block)

    upper = tuple(jnp.stack(half_solve(factor, rows(block))) for block in face.upper)
    response = half_solve(factor, rows(face.response))
    design = half_solve(factor, rows(face.design)) if face.design.shape[1] else rows(face.design)
    return Solved(factor, upper, design, response)


def _passed_on(later: Face, solved: Solved, stage: Stage, sign: float, i: int) -> Face:
    """Add to a later stage what the eliminated one says about it."""
    of_later, parents = solved.upper[i], stage.parents[i]

    def added(block: Float[Array, "_ columns _"], other: Iterable[Numbers]) -> Float[Array, "_ columns _"]:
        # written out and not as a product of many small matrices, which XLA does not fuse
        products = inner([row[:, None] for row in of_later], [row[None, :] for row in other])
        return block + sign * level_sums(products, parents)

    upper = tuple(added(block, other) for block, other in zip(later.upper, solved.upper[i + 1 :], strict=True))
    design = added(later.design, solved.design) if later.design.shape[1] else later.design
    away = [inner(column, solved.response) for column in zip(*of_later, strict=True)]
    response = [row + sign * level_sums(each, parents) for row, each in zip(later.response, away, strict=True)]
    return Face(added(later.diagonal, of_later), upper, design, response)


def _added(total: _Gram, solved: Solved, sign: float) -> _Gram:
    add = operator.add if sign > 0 else operator.sub
    response = add(total.response, jnp.sum(inner(solved.response, solved.response)))
    d = total.design.shape[0]
    if not d:
        return _Gram(total.design, total.cross, response)
    if d > SMALL_GRAM:
        flat = jnp.concatenate(solved.design, axis=-1)
        cross = flat @ jnp.concatenate(solved.response)
        return _Gram(add(total.design, gram(flat)), add(total.cross, cross), response)
    products = inner([row[:, None] for row in solved.design], [row[None, :] for row in solved.design])
    cross = inner(solved.design, solved.response)
    return _Gram(add(total.design, jnp.sum(products, -1)), add(total.cross, jnp.sum(cross, -1)), response)


def _corner(
    statistics: Statistics, arrangement: Arrangement, parameters: Parameters, total: _Gram, halves: Scalar
) -> Corner:
    """Scale the products: tail columns by Lambda of their factor, slopes and response by 1 / sigma."""
    center, sigma = statistics.center, parameters.sigma
    m = total.design.shape[0] - center.base.shape[0]
    value = -halves - 0.5 * _over(total.response, sigma, 2)
    if sigma is not None:
        value = value - center.count * jnp.log(sigma)
    if not m:
        precision = _diagonal(center.precision) + _over(total.design, sigma, 2)
        return Corner(precision, center.shift + _over(total.cross, sigma, 2), value, halves)
    product = partial(tail_product, arrangement, parameters, slopes=center.base.shape[0], transpose=True)
    scaled = _over(product(product(total.design).T), sigma, 2)
    prior = jnp.concatenate([jnp.ones(m), center.precision])
    cross = _over(product(total.cross), sigma, 2)
    linear = jnp.concatenate([jnp.zeros(m), center.shift]) + cross
    return Corner(_diagonal(prior) + scaled, linear, value, halves)


def _over(value: Elements, sigma: Scalar | None, power: int = 1) -> Elements:
    return value if sigma is None else value / (sigma if power == 1 else sigma * sigma)


def _diagonal(numbers: Column) -> Square:
    """Return a diagonal matrix; ``jnp.diag`` is some ten operations."""
    return numbers * np.eye(numbers.shape[0])


def tail_product(
    arrangement: Arrangement,
    parameters: Parameters,
    rows: TailRows,
    slopes: int,
    transpose: bool = False,
) -> TailRows:
    """Return the rows of tail and slopes, times the covariance factors of the tail, or these transposed."""
    widths = [arrangement.levels[i] * arrangement.sizes[i] for i in arrangement.tail]

    def whole(factor: Matrix) -> Square | Matrix:
        if len(factor) == 1:
            is_matrix = transpose and jnp.ndim(factor[0][0]) == 2
            return [[factor[0][0].T]] if is_matrix else factor
        return full(factor).T if transpose else full(factor)

    factors = [whole(parameters.factors[i]) for i in arrangement.tail]
    return block_product([*widths, slopes], [*factors, [[1.0]]], rows)
