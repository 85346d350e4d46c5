"""Posterior-scaled coordinates of group-level effects that differ between the thresholds of a row, ``(cs(x) | g)``.

A row has as many working responses as thresholds, each with a precision of its own; the predictor of mu moves all of
them alike. Effects of other terms are held at the pilot.
"""

from __future__ import annotations

import numpy as np

from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows, SlopePriors
from bayesml.engines.nuts.forms.gaussian.statistics import Statistics, statistics
from bayesml.engines.nuts.forms.preconditioned.arrangement import scaled_for_itself
from bayesml.engines.nuts.forms.preconditioned.linked import linked_predictors
from bayesml.engines.nuts.forms.preconditioned.pilot import Pilot
from bayesml.engines.nuts.forms.preconditioned.scaled import ScaledBlocks
from bayesml.linalg import GroupBlock
from bayesml.terms import SampledSlopes
from bayesml.terms.sampled import ThresholdBlock

__all__ = ["scaled_thresholds", "threshold_sums"]


def scaled_thresholds(problem: Problem) -> tuple[ScaledBlocks, ...]:
    """Return the effects of each term that differ between thresholds."""
    spec = problem.description.spec
    found = []
    for own in _blocks(problem):
        followed = tuple(p for part in _slopes(problem, own) if (p := spec.parameter(part.name)).is_single_site)
        found.append(scaled_for_itself(spec, own.block, followed))
    return tuple(found)


def _blocks(problem: Problem) -> list[ThresholdBlock]:
    terms = (term for predictor in problem.design.schema.predictors for term in predictor.terms)
    return [block for term in terms if (block := term.threshold_block()) is not None]


def _slopes(problem: Problem, own: ThresholdBlock) -> list[SampledSlopes]:
    """Return the coefficients of the predictor that moves all thresholds."""
    return [part for linked in linked_predictors(problem) for part in linked.slopes if part.predictor == own.beside]


def threshold_sums(problem: Problem, pilot: Pilot, together: ScaledBlocks) -> Statistics:
    """Return the sums of the working responses of all thresholds of all rows, those of one threshold after another."""
    (block,) = together.blocks
    own = next(each for each in _blocks(problem) if each.block == block)
    (key,), arrays = block.predictors, problem.design.arrays
    working = pilot.predictors[key]
    weights, residuals = working.weights.T, working.residuals.T
    count = len(weights)
    by_name = {part.name: part for part in _slopes(problem, own)}
    columns = [by_name[parameter.name].design(arrays) for parameter in together.followed]
    kept = np.concatenate([np.zeros((weights.shape[1], 0)), *columns], axis=1)
    start = np.concatenate([np.zeros(0), *(np.reshape(pilot.values[p.name], -1) for p in together.followed)])
    Z = block.design(key, arrays)
    moved = np.asarray(own.places)
    by_threshold = [np.where((moved == k) | (moved < 0), Z, 0.0) for k in range(count)]
    codes = np.tile(block.codes(key, arrays), count)
    kept = np.tile(kept, (count, 1))
    rows = GaussianRows(
        residuals.ravel() + kept @ start,
        weights.ravel(),
        kept,
        np.zeros((len(codes), 0)),
        SlopePriors(np.zeros(0), np.zeros(0)),
        (GroupBlock(block.factor, codes, block.vectors, np.concatenate(by_threshold), block.sizes),),
        0.0,
        0.0,
        0,
    )
    return statistics(rows, together.arrangement, start)
