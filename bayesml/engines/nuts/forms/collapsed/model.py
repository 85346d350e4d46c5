"""From a described model with data to the arrays of the collapsed form, and from sampled parameters to its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from bayesml import names
from bayesml.distributions import Flat, Normal
from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.gaussian.coefficients import is_unbounded
from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows, SlopePriors
from bayesml.keys import MU
from bayesml.linalg import GroupBlock
from bayesml.spec import ModelSpec, ParameterSpec
from bayesml.terms import AbstractGroupTerm, AbstractPopulationTerm, group_terms, known_addend, population_term

__all__ = ["Split", "gaussian_rows", "split_of"]

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
        standardised: the sampled coefficients of mu that are sampled in units of their conditional distribution: the
            Intercept, the slopes of ``kept``, both or none.
    """

    population: AbstractPopulationTerm | None
    groups: tuple[AbstractGroupTerm, ...]
    integrated: tuple[int, ...]
    kept: tuple[int, ...]
    priors: tuple[Any, ...]
    parameters: tuple[ParameterSpec, ...]
    standardised: tuple[ParameterSpec, ...] = ()

    @property
    def has_intercept(self) -> bool:
        """Whether there is an Intercept, which stays sampled."""
        return self.population is not None and self.population.has_intercept

    @property
    def standardised_slopes(self) -> tuple[int, ...]:
        """Positions of the slopes of ``standardised``."""
        return self.kept if any(p.coefs for p in self.standardised) else ()


def split_of(problem: Problem, sampled: frozenset[str] = frozenset(), standardise: bool = False) -> Split:
    """Tell what is integrated out.

    Args:
        problem: the model.
        sampled: names of the groups whose effects are not.
        standardise: whether coefficients of mu that stay sampled are standardised, where their priors allow it.
    """
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
    linear = (names.intercept_variable(MU), names.slopes_variable(MU))
    standardised = tuple(p for p in parameters if standardise and p.name in linear and is_unbounded(p))
    return Split(population, groups, integrated, kept, priors, tuple(parameters), standardised)


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
    columns, ones = _centred(problem, split), np.ones((len(y), int(split.has_intercept)))
    slopes_kept = tuple(i for i in split.kept if i not in split.standardised_slopes)
    has_units = len(split.standardised) > bool(split.standardised_slopes)
    designs = [columns[:, split.integrated], ones if has_units else ones[:, :0], columns[:, split.standardised_slopes]]
    priors = [*(split.priors[i] for i in split.integrated), *(d for p in split.standardised for d in p.priors)]
    slopes = SlopePriors(
        np.array([d.location if d.is_proper else 0.0 for d in priors]),
        np.array([d.scale if d.is_proper else np.inf for d in priors]),
    )
    groups = tuple(_block(group, arrays[group.key]) for group in split.groups)
    kept = np.concatenate([ones[:, :0] if has_units else ones, columns[:, slopes_kept]], axis=1)
    design_columns = np.concatenate(designs, axis=1)
    standardised = design_columns.shape[1] - len(split.integrated)
    return GaussianRows(normal, precision, kept, design_columns, slopes, groups, count, float(constant), standardised)


def _centred(problem: Problem, split: Split) -> np.ndarray:
    """Return the slopes' columns as the model sees them: minus their means where there is an Intercept."""
    if split.population is None:
        return np.zeros((len(problem.design.response.arrays["y"]), 0))
    X = np.asarray(problem.design.arrays[MU][split.population.key]["X"], float)
    return (X[:, 1:] if split.has_intercept else X) - np.asarray(split.population.means, float)


def _block(group: AbstractGroupTerm, arrays: Mapping[str, np.ndarray]) -> GroupBlock:
    Z = np.asarray(arrays["Z"], float)
    return GroupBlock(group.name, np.asarray(arrays["index"]), len(group.levels), Z, group.blocks, group.coefs)
