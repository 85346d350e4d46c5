"""Integrate the group effects and slopes out of a Gaussian model, factor by factor, in JAX.

With Lambda_t = diag(sd_t) L_t / sigma and z standard normal, u_t = sigma Lambda_t z_t. Only ``I + (non-negative)``
matrices are factored, so that the density is smooth where a standard deviation is 0 (Bates et al. 2015, sections 2.2
and 3; Bates' blocked Cholesky with the largest factor first).
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np
from jax import numpy as jnp

from bayesml.engines.nuts.forms.collapsed.algebra import (
    Matrix,
    cholesky,
    divided,
    full,
    gaussian_integral,
    gram,
    half_solve,
    identity_plus_gram,
    inner,
    log_diagonal,
    sandwich,
    scaled_root,
    scaled_rows,
    sum_by_parent,
)
from bayesml.engines.nuts.forms.collapsed.statistics import Arrangement, Stage, Statistics

__all__ = ["Corner", "Face", "Parameters", "eliminate", "log_marginal"]

Array = Any
SMALL_GRAM = 3


class Parameters(NamedTuple):
    """What the Gaussian part depends on.

    Attributes:
        factors: for each grouping factor the lower triangle of diag(sd) L.
        sigma: residual standard deviation.
        kept: ``(k,)`` coefficients that are not integrated out.
    """

    factors: tuple[Matrix, ...]
    sigma: Array
    kept: Array


class Face(NamedTuple):
    """One stage just before its own elimination: what earlier stages left of ``Z'[Z, upper, design, response]``.

    For the leaf these are the q rows of each level themselves. Lists run over the q rows.
    """

    own: Array
    upper: tuple[Array, ...]
    design: Array
    response: Array


class Corner(NamedTuple):
    """The precision and linear term of ``[z_tail, v]`` and what the density has beside.

    Attributes:
        precision: ``(m + p, m + p)``.
        linear: ``(m + p,)``.
        value: sum of squares over -2, log determinants and the power of sigma.
    """

    precision: Array
    linear: Array
    value: Array


class _Gram(NamedTuple):
    """Products of the columns [design, response], not yet scaled."""

    design: Array
    cross: Array
    response: Array


def log_marginal(statistics: Statistics, arrangement: Arrangement, parameters: Parameters) -> Array:
    """Return ``log p(y | parameters)``, all group effects and slopes with a normal or flat prior integrated out."""
    _, corner = eliminate(statistics, arrangement, parameters)
    return corner.value + gaussian_integral(corner.precision, corner.linear) + statistics.center.constant


def eliminate(
    statistics: Statistics, arrangement: Arrangement, parameters: Parameters
) -> tuple[tuple[Face, ...], Corner]:
    """Eliminate the chain; return each stage as it was met, and what is left of tail and slopes."""
    offset = parameters.kept - statistics.center.kept
    faces = [_face(stage, offset) for stage in statistics.stages]
    total = _start(statistics, offset)
    halves = 0.0
    for place, stage in enumerate(statistics.stages):
        face = faces[place]
        scale = divided(parameters.factors[arrangement.chain[place]], parameters.sigma)
        is_root = place == 0 and arrangement.triangular
        matrix = identity_plus_gram(scaled_root(face.own, scale)) if is_root else sandwich(face.own, scale)
        factor = cholesky(matrix)
        halves = halves + jnp.sum(stage.multiplicity * log_diagonal(factor))
        solved = _half(face, factor, None if is_root else scale)
        sign = 1.0 if is_root else -1.0
        faces[place + 1 :] = [_passed_on(later, solved, stage, sign, i) for i, later in enumerate(faces[place + 1 :])]
        total = _added(total, solved, sign)
    return tuple(faces), _corner(statistics, arrangement, parameters, total, halves)


def _face(stage: Stage, offset: Array) -> Face:
    response = stage.response
    if offset.shape[0]:
        response = (
            response - jnp.einsum("akj,k->aj", stage.kept, offset)
            if offset.shape[0] > 1
            else (response - stage.kept[:, 0] * offset[0])
        )
    return Face(stage.own, stage.upper, stage.design, response)


def _start(statistics: Statistics, offset: Array) -> _Gram:
    k = offset.shape[0]
    corner, d = statistics.corner, statistics.corner.shape[0] - k - 1
    design, cross, response = corner[:d, :d], corner[:d, -1], corner[-1, -1]
    if k:
        cross = cross - corner[:d, d:-1] @ offset
        response = response - 2.0 * (corner[-1, d:-1] @ offset) + offset @ corner[d:-1, d:-1] @ offset
    return _Gram(design, cross, response)


def _half(face: Face, factor: Matrix, scale: Matrix | None) -> Face:
    """Return ``C^-1 [upper, design, response]``, for later stages ``C^-1 Lambda' [...]``."""

    def rows(block: Array) -> list[Array]:
        return [block[a] for a in range(block.shape[0])] if scale is None else scaled_rows(scale, block)

    upper = tuple(jnp.stack(half_solve(factor, rows(block))) for block in face.upper)
    response = half_solve(factor, rows(face.response))
    design = half_solve(factor, rows(face.design)) if face.design.shape[1] else rows(face.design)
    return Face(factor, upper, design, response)  # type: ignore[arg-type]


def _passed_on(later: Face, solved: Face, stage: Stage, sign: float, i: int) -> Face:
    """Add to a later stage what the eliminated one says about it."""
    mine, parent, size = solved.upper[i], stage.parents[i], later.response.shape[-1]

    def added(block: Array, other: Array) -> Array:
        return block + sign * sum_by_parent(jnp.einsum("kaj,kcj->acj", mine, other), parent, size)

    upper = tuple(added(block, other) for block, other in zip(later.upper, solved.upper[i + 1 :], strict=True))
    design = added(later.design, jnp.stack(solved.design)) if later.design.shape[1] else later.design
    response = added(later.response[:, None], jnp.stack(solved.response)[:, None])[:, 0]
    return Face(added(later.own, mine), upper, design, response)


def _added(total: _Gram, solved: Face, sign: float) -> _Gram:
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
    statistics: Statistics, arrangement: Arrangement, parameters: Parameters, total: _Gram, halves: Array
) -> Corner:
    """Scale the products: tail columns by Lambda of their factor, slopes and response by 1 / sigma."""
    center, sigma = statistics.center, parameters.sigma
    m = total.design.shape[0] - center.base.shape[0]
    variance = sigma * sigma
    value = -halves - center.count * jnp.log(sigma) - 0.5 * total.response / variance
    if not m:
        precision = _diagonal(center.precision) + total.design / variance
        return Corner(precision, center.shift + total.cross / variance, value)
    scaled = scale_tail(arrangement, parameters, scale_tail(arrangement, parameters, total.design).T)
    prior = jnp.concatenate([jnp.ones(m), center.precision])
    linear = jnp.concatenate([jnp.zeros(m), center.shift]) + scale_tail(arrangement, parameters, total.cross) / sigma
    return Corner(_diagonal(prior) + scaled, linear, value)


def _diagonal(numbers: Array) -> Array:
    """Return a diagonal matrix; ``jnp.diag`` is some ten operations."""
    return numbers * np.eye(numbers.shape[0])


def scale_tail(arrangement: Arrangement, parameters: Parameters, rows: Array) -> Array:
    """Return ``B' rows`` with B the block-diagonal matrix of the Lambda of the tail and 1 / sigma for the slopes."""
    parts, first = [], 0
    for i in arrangement.tail:
        q, levels = arrangement.sizes[i], arrangement.levels[i]
        block = rows[first : first + q * levels].reshape(q, levels, -1)
        scale = full(parameters.factors[i]) / parameters.sigma
        parts.append(jnp.einsum("ba,bjc->ajc", scale, block).reshape(q * levels, *rows.shape[1:]))
        first += q * levels
    return jnp.concatenate([*parts, rows[first:] / parameters.sigma])
