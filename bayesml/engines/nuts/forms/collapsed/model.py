"""From a described model with data to the arrays of the collapsed form, and from sampled parameters to its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from bayesml import names
from bayesml.distributions import Flat, Normal
from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.collapsed.algebra import Matrix
from bayesml.engines.nuts.forms.collapsed.rows import GaussianRows, SlopePriors
from bayesml.keys import MU
from bayesml.linalg import GroupBlock
from bayesml.spec import ModelSpec, ParameterSpec
from bayesml.terms import AbstractGroupTerm, AbstractPopulationTerm, group_terms, known_addend, population_term

__all__ = ["Split", "covariance_factor", "gaussian_rows", "split_of"]

Array = Any


@final
@dataclass(frozen=True)
class Split:
    """Which parameters stay sampled.

    Attributes:
        population: the population-level term of mu, or None.
        groups: the group-level terms of mu.
        integrated: positions of the slopes that are integrated out.
        kept: positions of the slopes that are not.
        priors: prior of every slope.
        parameters: the sampled parameters, where the slopes are those of ``kept``.
    """

    population: AbstractPopulationTerm | None
    groups: tuple[AbstractGroupTerm, ...]
    integrated: tuple[int, ...]
    kept: tuple[int, ...]
    priors: tuple[Any, ...]
    parameters: tuple[ParameterSpec, ...]

    @property
    def has_intercept(self) -> bool:
        """Whether there is an Intercept, which stays sampled."""
        return self.population is not None and self.population.has_intercept


def split_of(problem: Problem, sampled: frozenset[str] = frozenset()) -> Split:
    """Tell what is integrated out; the effects of the groups named in ``sampled`` are not."""
    predictor = problem.design.schema.predictors[0]
    population = population_term(predictor.terms)
    groups = group_terms(predictor.terms)
    spec = problem.description.spec
    slopes = _slopes(spec)
    priors = slopes.priors * (len(slopes.coefs) // len(slopes.priors)) if slopes else ()
    integrated = tuple(i for i, d in enumerate(priors) if type(d) in (Normal, Flat))
    kept = tuple(i for i in range(len(priors)) if i not in integrated)
    eliminated = {names.standardised_variable(g.name, MU) for g in groups if g.name not in sampled}
    parameters = []
    for parameter in spec.parameters:
        if parameter is slopes and kept:
            parameters.append(_part(parameter, kept, priors))
        elif parameter is not slopes and parameter.name not in eliminated:
            parameters.append(parameter)
    return Split(population, groups, integrated, kept, priors, tuple(parameters))


def _slopes(spec: ModelSpec) -> ParameterSpec | None:
    name = names.slopes_variable(MU)
    return next((p for p in spec.parameters if p.name == name), None)


def _part(slopes: ParameterSpec, kept: tuple[int, ...], priors: tuple[Any, ...]) -> ParameterSpec:
    centers, scales = (np.broadcast_to(v, len(slopes.coefs)) for v in (slopes.centers, slopes.scales))
    return replace(
        slopes,
        shape=(len(kept),),
        coefs=tuple(slopes.coefs[i] for i in kept),
        priors=tuple(priors[i] for i in kept),
        centers=tuple(float(centers[i]) for i in kept),
        scales=tuple(float(scales[i]) for i in kept),
    )


def gaussian_rows(problem: Problem, split: Split) -> GaussianRows:
    """Return the arrays of the model, the response on the scale on which it is normal."""
    design, response = problem.design, problem.design.response.arrays
    arrays = design.arrays[MU]
    y = np.asarray(response["y"], float)
    weights = np.ones(len(y)) if design.weights is None else np.asarray(design.weights, float)
    on_log_scale = problem.likelihood.traits.response_on_log_scale
    normal = np.log(y) if on_log_scale else y
    constant = -0.5 * np.log(2.0 * np.pi) * weights.sum() - (weights @ normal if on_log_scale else 0.0)
    precision, count = weights, float(weights.sum())
    if "se" in response:
        se = np.asarray(response["se"], float)
        precision, count, constant = weights / se**2, 0.0, constant - weights @ np.log(se)
    offset = known_addend(problem.design.schema.predictors[0].terms, arrays)
    if offset is not None:
        normal = normal - offset
    columns = _centred(problem, split)
    ones = np.ones((len(y), int(split.has_intercept)))
    integrated = [split.priors[i] for i in split.integrated]
    slopes = SlopePriors(
        np.array([0.0 if type(d) is Flat else d.mu for d in integrated]),
        np.array([np.inf if type(d) is Flat else d.sigma for d in integrated]),
    )
    groups = tuple(_block(group, arrays[group.key]) for group in split.groups)
    kept = np.concatenate([ones, columns[:, split.kept]], axis=1)
    return GaussianRows(normal, precision, kept, columns[:, split.integrated], slopes, groups, count, float(constant))


def _centred(problem: Problem, split: Split) -> np.ndarray:
    """Return the slopes' columns as the model sees them: minus their means where there is an Intercept."""
    if split.population is None:
        return np.zeros((len(problem.design.response.arrays["y"]), 0))
    X = np.asarray(problem.design.arrays[MU][split.population.key]["X"], float)
    return (X[:, 1:] if split.has_intercept else X) - np.asarray(split.population.means, float)


def _block(group: AbstractGroupTerm, arrays: Mapping[str, np.ndarray]) -> GroupBlock:
    Z = np.asarray(arrays["Z"], float)
    return GroupBlock(group.name, np.asarray(arrays["index"]), len(group.levels), Z, group.blocks, group.coefs)


def covariance_factor(group: AbstractGroupTerm, values: Mapping[str, Array]) -> Matrix:
    """Return the lower triangle of diag(sd) L, block-diagonal in the correlated blocks of the term."""
    sd = values[names.group_sd_variable(group.name, MU)]
    rows: Matrix = []
    for i, block in enumerate(group.block_slices()):
        cholesky = values[names.cholesky_variable(group.name, MU, i)] if group.blocks[i] > 1 else None
        for a in range(block.start, block.stop):
            own = (
                [sd[a]]
                if cholesky is None
                else [sd[a] * cholesky[a - block.start, b] for b in range(a - block.start + 1)]
            )
            rows.append([0.0] * block.start + own)
    return rows
