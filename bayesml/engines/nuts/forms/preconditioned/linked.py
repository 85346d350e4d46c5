"""Which predictors share effects, with the coefficients and the effects of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.engines.base import Problem
from bayesml.keys import PredictorKey
from bayesml.linalg import AbstractBlock, DenseBlock, GroupBlock, SpreadBlock
from bayesml.terms import AbstractTerm, SampledBlock, SampledSlopes

__all__ = ["LinkedPredictors", "linear_parameters", "linked_predictors", "sampled_blocks", "stacked_block"]


@final
@dataclass(frozen=True)
class LinkedPredictors:
    """One predictor, or several of which effects are correlated, such as those of ``(1 | p | g)`` in mu and sigma.

    Attributes:
        predictors: the predictors.
        slopes: their coefficients.
        blocks: their effects.
    """

    predictors: tuple[PredictorKey, ...]
    slopes: tuple[SampledSlopes, ...]
    blocks: tuple[SampledBlock, ...]


def sampled_blocks(problem: Problem) -> tuple[SampledBlock, ...]:
    """Return the effects of all predictors; terms of several predictors may share a block."""
    terms = _terms(problem)
    return tuple(dict.fromkeys(block for term in terms for block in term.sampled_blocks()))


def linked_predictors(problem: Problem) -> tuple[LinkedPredictors, ...]:
    """Return the sets of predictors that share effects."""
    blocks = sampled_blocks(problem)
    sets: list[tuple[PredictorKey, ...]] = [(p.key,) for p in problem.design.schema.predictors]
    for block in blocks:
        touched = [keys for keys in sets if set(keys) & set(block.predictors)]
        if len(touched) > 1:
            union = tuple(key for keys in touched for key in keys)
            sets = [union if keys is touched[0] else keys for keys in sets if keys not in touched[1:]]
    slopes = [part for term in _terms(problem) for part in term.sampled_slopes()]
    return tuple(
        LinkedPredictors(
            keys,
            tuple(part for part in slopes if part.predictor in keys),
            tuple(block for block in blocks if block.predictors[0] in keys),
        )
        for keys in sets
    )


def linear_parameters(problem: Problem) -> set[str]:
    """Return the names of all parameters of slopes and blocks: coefficients, effects, and what scales these.

    A length-scale is not among them: the pilot holds it.
    """
    names = {part.name for term in _terms(problem) for part in term.sampled_slopes()}
    for block in sampled_blocks(problem):
        names |= {block.site, *block.scales}
    return names


def stacked_block(block: SampledBlock, predictors: Sequence[PredictorKey], problem: Problem) -> AbstractBlock:
    """Return a block with the rows of one predictor after the other."""
    arrays = problem.design.arrays
    Z = np.concatenate([block.design(key, arrays) for key in predictors])
    if block.spread is not None:
        return SpreadBlock.of(block.factor, Z, block.vectors, block.sizes)
    if not block.is_factor:
        return DenseBlock.of(block.factor, Z)
    codes = np.concatenate([block.codes(key, arrays) for key in predictors])
    return GroupBlock(block.factor, codes, block.vectors, Z, block.sizes)


def _terms(problem: Problem) -> list[AbstractTerm]:
    return [term for predictor in problem.design.schema.predictors for term in predictor.terms]
