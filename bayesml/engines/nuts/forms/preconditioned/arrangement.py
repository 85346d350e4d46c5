"""Which effects are scaled together, in which order they are eliminated, and the sums over rows for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.gaussian.coefficients import FEW_LEVELS, is_unbounded
from bayesml.engines.nuts.forms.gaussian.rotation import rotated
from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows, SlopePriors
from bayesml.engines.nuts.forms.gaussian.statistics import Arrangement, Statistics, statistics
from bayesml.engines.nuts.forms.preconditioned.blocks import apart_blocks, nested_factors, turned_block
from bayesml.engines.nuts.forms.preconditioned.linked import (
    LinkedPredictors,
    linked_predictors,
    stacked_block,
)
from bayesml.engines.nuts.forms.preconditioned.pilot import Pilot
from bayesml.engines.nuts.forms.preconditioned.scaled import ScaledBlocks
from bayesml.keys import PredictorKey
from bayesml.linalg import AbstractBlock
from bayesml.linalg.nesting import elimination_chain, parents
from bayesml.spec import ModelSpec, ParameterSpec
from bayesml.terms import AbstractTerm, SampledBlock

__all__ = ["has_few_levels", "scaled_alone", "scaled_blocks", "scaled_for_itself", "sums_of"]

MOST_FOLLOWED = 30
"""Most population-level coefficients that effects follow: each adds a multiplication for each effect."""
LARGEST_JOINT = 300
"""Most effects beside the chain that are factored together; blocks of as many cost a dense matrix each in any case."""
MOST_OPERATIONS = 3e5
"""Most multiplications for them at each gradient."""


def scaled_blocks(problem: Problem) -> tuple[ScaledBlocks, ...]:
    """Return the blocks of effects of all predictors, those that are scaled together in one.

    All blocks of a predictor are, and of predictors that share effects, unless so many effects are outside the chain of
    nested factors that a gradient would pay too much: then the chain is, and each of the others for itself.
    """
    together: list[ScaledBlocks] = []
    spec = problem.description.spec
    largest = {factor.name for factor in nested_factors(problem) if not factor.is_apart}
    for linked in linked_predictors(problem):
        # of those outside the chain, the columns of a smooth come after the levels of factors
        own = [block for block in linked.blocks if block.field is None and block.series is None]
        apart = [own[i] for i in apart_blocks(own)]
        blocks = sorted((block for block in own if block not in apart), key=lambda block: not block.is_factor)
        if blocks:
            together += _beside_each_other(problem, linked, blocks, largest)
        # after all others, which put the coefficients in the place of their units
        together += [_rotated(spec, block, linked) for block in apart]
    return tuple(together)


def _beside_each_other(
    problem: Problem, linked: LinkedPredictors, blocks: Sequence[SampledBlock], largest: set[str]
) -> list[ScaledBlocks]:
    """Return the scaled blocks of predictors that share effects, those without rotated ones beside factors."""
    spec = problem.description.spec
    factors = [stacked_block(b, linked.predictors, problem) for b in blocks if b.is_factor]
    chain = _chain(factors, largest)
    tail = tuple(i for i in range(len(blocks)) if i not in chain)
    standardised, followed = _coefficients(spec, linked)
    turned = turned_block(blocks)
    if turned is not None:
        tail = tuple(i for i in tail if i != turned)
        return [_scaled(spec, blocks, (turned,), tail, standardised, followed, turned)]
    size = sum(blocks[i].size for i in tail)
    leaf = blocks[chain[0]].size if chain else 0
    if size <= LARGEST_JOINT and leaf * size**2 <= MOST_OPERATIONS:
        return [_scaled(spec, blocks, chain, tail, standardised, followed)]
    together = []
    if chain:
        within = [blocks[i] for i in chain]
        together.append(_scaled(spec, within, tuple(range(len(chain))), (), standardised, followed))
    # after the chain, which puts the coefficients in the place of their units
    return together + [_alone(spec, blocks[i], standardised + followed) for i in tail]


def scaled_alone(spec: ModelSpec, term: AbstractTerm) -> ScaledBlocks:
    """Return the block of one group-level term, which no coefficient changes."""
    (block,) = term.sampled_blocks()
    return _alone(spec, block, ())


def scaled_for_itself(spec: ModelSpec, block: SampledBlock, followed: tuple[ParameterSpec, ...]) -> ScaledBlocks:
    """Return a block of levels that is scaled for itself and follows some coefficients."""
    return _scaled(spec, [block], (0,), (), (), followed)


def has_few_levels(blocks: Sequence[SampledBlock]) -> bool:
    """Whether a factor has so few levels that coefficients are to follow its standard deviation.

    The values of a process that hardly changes over the data are as good as one level.
    """
    return any(block.vectors < FEW_LEVELS if block.is_factor else block.shape is not None for block in blocks)


def _alone(spec: ModelSpec, block: SampledBlock, followed: tuple[ParameterSpec, ...]) -> ScaledBlocks:
    entering = tuple(each for each in followed if each.predictor in block.predictors)
    chain, tail = ((0,), ()) if block.is_factor else ((), (0,))
    return _scaled(spec, [block], chain, tail, (), entering)


def _rotated(spec: ModelSpec, block: SampledBlock, linked: LinkedPredictors) -> ScaledBlocks:
    standardised, followed = _coefficients(spec, linked)
    entering = tuple(each for each in standardised + followed if each.predictor in block.predictors)
    return _scaled(spec, [block], (0,), (), (), entering, 0)


def _scaled(
    spec: ModelSpec,
    blocks: Sequence[SampledBlock],
    chain: tuple[int, ...],
    tail: tuple[int, ...],
    standardised: tuple[ParameterSpec, ...],
    followed: tuple[ParameterSpec, ...],
    turned: int | None = None,
) -> ScaledBlocks:
    levels, sizes = tuple(b.vectors for b in blocks), tuple(b.q for b in blocks)
    arrangement = Arrangement(chain, tail, (), levels, sizes, triangular=False, ordered=False)
    scales = tuple(spec.parameter(name) for name in dict.fromkeys(name for b in blocks for name in b.hyperparameters))
    return ScaledBlocks(tuple(blocks), arrangement, scales, turned, standardised, followed)


def _chain(factors: Sequence[AbstractBlock], largest: set[str]) -> tuple[int, ...]:
    """Return the chain of nested factors: those that the whitening eliminates, and what they are nested in.

    Once a factor that the whitening eliminates stood in the tail, its levels would no longer be independent.
    """
    first = sorted((i for i, b in enumerate(factors) if b.name in largest), key=lambda i: -factors[i].n_levels)
    if not first:
        return elimination_chain(factors)
    last = factors[first[-1]]
    above = [
        i
        for i, factor in enumerate(factors)
        if i not in first and parents(last.codes, factor.codes, last.n_levels) is not None
    ]
    return (*first, *(above[i] for i in elimination_chain([factors[i] for i in above]))) if above else tuple(first)


def _coefficients(
    spec: ModelSpec, linked: LinkedPredictors
) -> tuple[tuple[ParameterSpec, ...], tuple[ParameterSpec, ...]]:
    """Return which coefficients are standardised with the effects, and which the effects only follow.

    With few levels the Intercept is as uncertain as their standard deviation allows, which no fixed scale serves.
    """
    sampled = {p.name for p in spec.parameters}
    slopes = (spec.parameter(part.name) for part in linked.slopes if part.name in sampled)
    coefficients = tuple(p for p in slopes if p.is_single_site)
    if sum(_size(p) for p in coefficients) > MOST_FOLLOWED:
        coefficients = tuple(p for p in coefficients if not p.coefs)
    intercepts = tuple(p for p in coefficients if not p.coefs)
    if has_few_levels(linked.blocks) and all(is_unbounded(p) for p in intercepts):
        return intercepts, tuple(p for p in coefficients if p.coefs)
    return (), coefficients


def _size(parameter: ParameterSpec) -> int:
    return int(np.prod(parameter.shape))


def sums_of(problem: Problem, pilot: Pilot, together: ScaledBlocks) -> tuple[Statistics, np.ndarray | None]:
    """Return the sums of the working responses of a pilot that some effects need, and U of the rotated block.

    The working rows of one predictor stand after those of another: near the pilot the likelihood is that of so many
    independent normal responses, as far as its second derivatives between two predictors are small.
    """
    keys = together.predictors
    kept = _stacked_slopes(problem, keys, together.followed)
    design = _stacked_slopes(problem, keys, together.standardised)
    start = _values(pilot, together.followed + together.standardised)
    rows = GaussianRows(
        _response(problem, pilot, together) + np.concatenate([kept, design], axis=1) @ start,
        np.concatenate([pilot.predictors[key].weights for key in keys]),
        kept,
        design,
        _priors(together.standardised),
        tuple(stacked_block(block, keys, problem) for block in together.blocks),
        0.0,
        0.0,
        design.shape[1],
    )
    if together.turned is None:
        return statistics(rows, together.arrangement, start), None
    turned, basis = rotated(rows, together.turned)
    return statistics(turned, together.arrangement, start), basis


def _stacked_slopes(problem: Problem, keys: Sequence[PredictorKey], parameters: Sequence[ParameterSpec]) -> np.ndarray:
    """Return the columns of coefficients, zero in the rows of predictors that these do not enter."""
    slopes = {part.name: part for linked in linked_predictors(problem) for part in linked.slopes}
    n = problem.design.n_rows
    columns = np.zeros((n * len(keys), sum(_size(p) for p in parameters)))
    first = 0
    for parameter in parameters:
        part, stop = slopes[parameter.name], first + _size(parameter)
        place = keys.index(part.predictor)
        columns[place * n : (place + 1) * n, first:stop] = part.design(problem.design.arrays)
        first = stop
    return columns


def _values(pilot: Pilot, parameters: Sequence[ParameterSpec]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(np.reshape(pilot.values[p.name], -1) for p in parameters)])


def _response(problem: Problem, pilot: Pilot, together: ScaledBlocks) -> np.ndarray:
    """Return the working responses with the effects of the blocks in them, everything else held at the pilot."""
    responses = []
    for key in together.predictors:
        response = pilot.predictors[key].residuals
        for block in together.blocks:
            if key in block.predictors:
                response = response + block.contribution(key, problem.design.arrays, pilot.effects[block.site])
        responses.append(response)
    return np.concatenate(responses)


def _priors(parameters: Sequence[ParameterSpec]) -> SlopePriors:
    priors = [d for p in parameters for d in np.broadcast_to(np.array(p.priors, object), _size(p))]
    return SlopePriors(
        np.array([d.location if d.is_proper else 0.0 for d in priors]),
        np.array([d.scale if d.is_proper else np.inf for d in priors]),
    )
