"""Which group terms are scaled together, in which order they are eliminated, and the sums over rows for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesml import names
from bayesml.design import PredictorDesign
from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.gaussian.coefficients import has_few_levels, is_unbounded
from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows, SlopePriors
from bayesml.engines.nuts.forms.gaussian.statistics import Arrangement, Statistics, statistics
from bayesml.engines.nuts.forms.preconditioned.blocks import nested_factors
from bayesml.engines.nuts.forms.preconditioned.pilot import Pilot, WorkingRows
from bayesml.engines.nuts.forms.preconditioned.scaled import ScaledTerms
from bayesml.keys import PredictorKey
from bayesml.linalg import GroupBlock
from bayesml.linalg.nesting import elimination_chain, parents
from bayesml.spec import ModelSpec, ParameterSpec
from bayesml.terms import AbstractGroupTerm, AbstractPopulationTerm, population_terms

__all__ = ["scaled_alone", "scaled_terms", "sums_of"]

Array = Any
MOST_FOLLOWED = 30
"""Most population-level coefficients that effects follow: each adds a multiplication for each effect."""
LARGEST_TAIL = 100
"""Most effects of crossed factors beside the chain that are factored densely at each gradient."""
MOST_OPERATIONS = 3e5
"""Most multiplications for them at each gradient."""


def scaled_terms(problem: Problem) -> tuple[ScaledTerms, ...]:
    """Return the group terms of all predictors, those that are scaled together in one.

    All terms of a predictor are, unless factors that cross have so many levels that a gradient would pay too much: then
    the chain of nested factors is, and each of the others for itself.
    """
    found: list[ScaledTerms] = []
    largest = {factor.groups[0].name for factor in nested_factors(problem)}
    for predictor in problem.design.schema.predictors:
        groups = predictor.independent_groups()
        if not groups:
            continue
        blocks = [_block(g, problem.design.arrays[predictor.key][g.key]) for g in groups]
        chain = _chain(blocks, largest)
        tail = tuple(i for i in range(len(groups)) if i not in chain)
        standardised, followed = _coefficients(problem.description.spec, predictor)
        size = sum(blocks[i].n_levels * blocks[i].q for i in tail)
        leaf = blocks[chain[0]].n_levels * blocks[chain[0]].q
        if size > LARGEST_TAIL or leaf * size**2 > MOST_OPERATIONS:
            within = [groups[i] for i in chain]
            found.append(_terms(within, tuple(range(len(chain))), (), standardised, followed))
            # after the chain, which puts the coefficients in the place of their units
            found += [_terms([groups[i]], (0,), (), (), standardised + followed) for i in tail]
        else:
            found.append(_terms(groups, chain, tail, standardised, followed))
    return tuple(found)


def scaled_alone(group: AbstractGroupTerm) -> ScaledTerms:
    """Return one term that no coefficient changes."""
    return _terms([group], (0,), (), (), ())


def _terms(
    groups: Sequence[AbstractGroupTerm],
    chain: tuple[int, ...],
    tail: tuple[int, ...],
    standardised: tuple[ParameterSpec, ...],
    followed: tuple[ParameterSpec, ...],
) -> ScaledTerms:
    levels, sizes = tuple(len(g.levels) for g in groups), tuple(len(g.coefs) for g in groups)
    arrangement = Arrangement(chain, tail, (), levels, sizes, triangular=False, ordered=False)
    return ScaledTerms(tuple(groups), arrangement, standardised, followed)


def _chain(blocks: Sequence[GroupBlock], largest: set[str]) -> tuple[int, ...]:
    """Return the chain of nested factors: those that the whitening eliminates, and what they are nested in.

    Once a factor that the whitening eliminates stood in the tail, its levels would no longer be independent.
    """
    first = sorted((i for i, b in enumerate(blocks) if b.name in largest), key=lambda i: -blocks[i].n_levels)
    if not first:
        return elimination_chain(blocks)
    last = blocks[first[-1]]
    above = [
        i
        for i, block in enumerate(blocks)
        if i not in first and parents(last.codes, block.codes, last.n_levels) is not None
    ]
    return (*first, *(above[i] for i in elimination_chain([blocks[i] for i in above]))) if above else tuple(first)


def _block(group: AbstractGroupTerm, arrays: Mapping[str, np.ndarray]) -> GroupBlock:
    Z = np.asarray(arrays["Z"], float)
    return GroupBlock(group.name, np.asarray(arrays["index"]), len(group.levels), Z, group.blocks, group.coefs)


def _coefficients(
    spec: ModelSpec, predictor: PredictorDesign
) -> tuple[tuple[ParameterSpec, ...], tuple[ParameterSpec, ...]]:
    """Return which coefficients are standardised with the effects, and which the effects only follow.

    With few levels the Intercept is as uncertain as their standard deviation allows, which no fixed scale serves.
    """
    found: list[ParameterSpec] = []
    for term in population_terms(predictor.terms):
        found += _parameters(spec, term)
    found = [p for p in found if p.is_single_site]
    if sum(_size(p) for p in found) > MOST_FOLLOWED:
        found = [p for p in found if not p.coefs]
    intercept = tuple(p for p in found if not p.coefs)
    if has_few_levels(predictor.independent_groups()) and all(is_unbounded(p) for p in intercept):
        return intercept, tuple(p for p in found if p.coefs)
    return (), tuple(found)


def _parameters(spec: ModelSpec, term: AbstractPopulationTerm) -> list[ParameterSpec]:
    found = [spec.parameter(names.intercept_variable(term.predictor))] if term.has_intercept else []
    return found + ([spec.parameter(names.slopes_variable(term.predictor))] if term.slopes else [])


def _size(parameter: ParameterSpec) -> int:
    return int(np.prod(parameter.shape))


def sums_of(problem: Problem, pilot: Pilot, together: ScaledTerms) -> Statistics:
    """Return the sums of the working responses of a pilot that some terms need."""
    key = together.terms[0].predictor
    working, arrays = pilot.predictors[key], problem.design.arrays[key]
    blocks = tuple(_block(term, arrays[term.key]) for term in together.terms)
    places = _places(problem, key)
    design, kept = (_columns(places, parameters) for parameters in (together.standardised, together.followed))
    start = np.concatenate([working.coefficients[kept], working.coefficients[design]])
    rows = GaussianRows(
        _response(working, blocks, together.terms, [*kept, *design]),
        working.weights,
        working.population[:, kept],
        working.population[:, design],
        _priors(together.standardised),
        blocks,
        0.0,
        0.0,
        len(design),
    )
    return statistics(rows, together.arrangement, start)


def _places(problem: Problem, key: PredictorKey) -> dict[str, list[int]]:
    """Return the columns of each population-level parameter."""
    found, first = {}, 0
    predictor = problem.design.schema.predictor(key)
    assert predictor is not None
    for term in population_terms(predictor.terms):
        for parameter in _parameters(problem.description.spec, term):
            found[parameter.name] = list(range(first, first + _size(parameter)))
            first += _size(parameter)
    return found


def _columns(places: Mapping[str, list[int]], parameters: Sequence[ParameterSpec]) -> list[int]:
    return [column for parameter in parameters for column in places[parameter.name]]


def _response(
    working: WorkingRows, blocks: Sequence[GroupBlock], terms: Sequence[AbstractGroupTerm], columns: list[int]
) -> np.ndarray:
    """Return the working response of these terms and columns, everything else held at the pilot."""
    response = working.residuals + working.population[:, columns] @ working.coefficients[columns]
    for block, term in zip(blocks, terms, strict=True):
        response = response + np.einsum("nq,nq->n", block.Z, working.effects[term.key][block.codes])
    return response


def _priors(parameters: Sequence[ParameterSpec]) -> SlopePriors:
    priors = [d for p in parameters for d in np.broadcast_to(np.array(p.priors, object), _size(p))]
    return SlopePriors(
        np.array([d.location if d.is_proper else 0.0 for d in priors]),
        np.array([d.scale if d.is_proper else np.inf for d in priors]),
    )
