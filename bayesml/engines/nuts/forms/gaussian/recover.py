"""Draw what was integrated out, exactly, from its Gaussian distribution given the sampled parameters and the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jax import numpy as jnp

from bayesml.engines.nuts.forms.gaussian.algebra import (
    divided,
    identity_plus_gram,
    inner,
    inverse_cholesky,
    lower_times,
    normal_draw,
    scaled_root,
)
from bayesml.engines.nuts.forms.gaussian.elimination import Corner, Face, Parameters, eliminate, tail_product
from bayesml.engines.nuts.forms.gaussian.statistics import Arrangement, Stage, Statistics
from bayesml.engines.nuts.forms.gaussian.substitution import stage_point
from bayesml.terms.gather import at_rows

if TYPE_CHECKING:
    from bayesml.engines.nuts.forms.gaussian.shapes import (
        Effects,
        EffectsByFactor,
        Matrix,
        Noise,
        Rows,
        Slopes,
        Standardised,
        Tail,
    )
    from bayesml.shapes import Scalar

__all__ = ["noise_sizes", "recover"]


def noise_sizes(arrangement: Arrangement, slopes: int) -> tuple[int, int]:
    """Return how many standard normal numbers tail and slopes take, and how many the effects of the chain."""
    tail, chain = (
        sum(arrangement.levels[i] * arrangement.sizes[i] for i in factors)
        for factors in (arrangement.tail, arrangement.chain)
    )
    return slopes + tail, chain


def recover(
    noise: Noise,
    statistics: Statistics,
    arrangement: Arrangement,
    parameters: Parameters,
    standardised: Standardised,
) -> tuple[Slopes, EffectsByFactor]:
    """Draw slopes and group effects, in the reverse order of their elimination.

    Args:
        noise: standard normal numbers, as many as `noise_sizes` says: of tail and slopes, then of the chain. Effects
            for which there are none are the means of their distribution.
        statistics: with all levels of the leaf, not compressed.
        arrangement: of the factors.
        parameters: the sampled ones.
        standardised: ``(k,)`` sampled coefficients, the last of the slopes.

    Returns:
        slopes ``(p,)``, the sampled ones among them, and for each integrated factor the standard normal variables z
        ``(q, levels)``; those of a level without rows come from their prior.
    """
    faces, solved, corner = eliminate(statistics, arrangement, parameters)
    used = corner.linear.shape[0] - standardised.shape[0]
    scaled = _scaled(standardised, statistics)
    drawn = jnp.concatenate([_corner_draw(noise[:used], _given(corner, scaled)), scaled])
    m = drawn.shape[0] - statistics.center.base.shape[0]
    slopes = statistics.center.base + statistics.center.scale * drawn[m:]
    effects: EffectsByFactor = _tail_effects(arrangement, drawn)
    beside = tail_product(arrangement, parameters, drawn, slopes.shape[0]) / parameters.sigma
    above: list[Rows] = []
    for place in reversed(range(len(faces))):
        i, stage = arrangement.chain[place], statistics.stages[place]
        scale = divided(parameters.factors[i], parameters.sigma)
        noise_of_factor = _part(noise, used, (arrangement.sizes[i], arrangement.levels[i]))
        used += noise_of_factor.size
        if place == 0 and arrangement.triangular:
            known = above, beside, parameters.sigma
            z = jnp.stack(_leaf_draw(noise_of_factor[:, stage.levels], faces[place], stage, scale, known))
        else:
            away = noise_of_factor[:, stage.levels]
            z = jnp.stack(stage_point(away, solved[place], stage, above, beside, parameters.sigma))
        above.insert(0, lower_times(scale, list(z)))
        # Back in the order of the levels; those without rows keep their noise, which is a draw from their prior.
        effects[i] = noise_of_factor.at[:, stage.levels].set(z, unique_indices=True)
    return slopes, effects


def _scaled(coefficients: Standardised, statistics: Statistics) -> Standardised:
    k, center = coefficients.shape[0], statistics.center
    return (coefficients - center.base[-k:]) / center.scale[-k:] if k else coefficients


def _given(corner: Corner, known: Standardised) -> Corner:
    """Return the distribution of what comes before the last entries, given these."""
    d = corner.linear.shape[0] - known.shape[0]
    linear = corner.linear[:d] - corner.precision[:d, d:] @ known
    return corner._replace(precision=corner.precision[:d, :d], linear=linear)


def _part(noise: Noise, first: int, shape: tuple[int, int]) -> Effects:
    """Return the numbers of one factor, which begin at ``first``; zeros where there are none."""
    part = noise[first : first + shape[0] * shape[1]]
    return part.reshape(shape) if part.shape[0] == shape[0] * shape[1] else jnp.zeros(shape)


def _corner_draw(noise: Tail, corner: Corner) -> Tail:
    d = corner.linear.shape[0]
    if not d:
        return corner.linear
    inverse, _ = inverse_cholesky(corner.precision)
    return inverse.T @ (inverse @ corner.linear + noise)


def _tail_effects(arrangement: Arrangement, drawn: Tail) -> EffectsByFactor:
    effects, first = {}, 0
    for i in arrangement.tail:
        shape = arrangement.sizes[i], arrangement.levels[i]
        effects[i] = drawn[first : first + shape[0] * shape[1]].reshape(shape)
        first += shape[0] * shape[1]
    return effects


def _leaf_draw(
    noise: Effects, face: Face, stage: Stage, scale: Matrix, known: tuple[Sequence[Rows], Tail, Scalar]
) -> Rows:
    """Draw z of a triangular leaf, with precision ``I + Lambda' R' R Lambda`` given all else.

    Its elimination factored the covariance of its rows, ``I + R Lambda Lambda' R'``.

    Args:
        noise: standard normal numbers.
        face: the leaf as it was met.
        stage: its sums.
        scale: Lambda.
        known: u of each later factor of the chain and the coefficients of tail and slopes, both over sigma, and sigma.
    """
    above, beside, sigma = known
    rest = jnp.stack(face.response) / sigma - jnp.einsum("kdj,d->kj", face.design, beside)
    for block, parent, effect in zip(face.upper, stage.parents, above, strict=True):
        rest = rest - jnp.einsum("kaj,aj->kj", block, at_rows(jnp.stack(effect), parent))
    columns = [list(column) for column in zip(*scaled_root(face.diagonal, scale), strict=True)]
    return normal_draw(identity_plus_gram(columns), [inner(column, rest) for column in columns], noise)
