"""From a described model with data to the arrays of the collapsed form, and from sampled parameters to its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from bayesml import names
from bayesml.distributions import Flat, Normal
from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.collapsed.shrunken import blocks_of_model, centred_columns, is_shrunken, with_slopes
from bayesml.engines.nuts.forms.gaussian.coefficients import is_unbounded
from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows, SlopePriors
from bayesml.keys import MU
from bayesml.spec import ModelSpec, ParameterSpec
from bayesml.terms import (
    AbstractGroupTerm,
    AbstractPopulationTerm,
    AbstractTerm,
    EffectBlock,
    group_terms,
    known_addend,
    population_term,
)

__all__ = ["Split", "gaussian_rows", "split_of"]


@final
@dataclass(frozen=True)
class Split:
    """Which parameters stay sampled.

    Slopes are numbered through: those of the population-level term, then those of each smooth.

    Attributes:
        population: the population-level term of mu, or None.
        blocks: the blocks of coefficients of mu that are normal given their covariance, each with its term; those of
            grouping factors first.
        slopes: the parameters that hold slopes.
        integrated: numbers of the slopes that are integrated out.
        kept: numbers of the slopes that are not.
        priors: prior of every slope.
        parameters: the sampled parameters, where the slopes are those of ``kept``.
        standardised: the sampled coefficients of mu that are sampled in units of their conditional distribution: the
            Intercept, the slopes of ``kept``, both or none.
    """

    population: AbstractPopulationTerm | None
    blocks: tuple[tuple[AbstractTerm, EffectBlock], ...]
    slopes: tuple[ParameterSpec, ...]
    integrated: tuple[int, ...]
    kept: tuple[int, ...]
    priors: tuple[Any, ...]
    parameters: tuple[ParameterSpec, ...]
    standardised: tuple[ParameterSpec, ...] = ()

    @property
    def groups(self) -> tuple[AbstractGroupTerm, ...]:
        """The group-level terms of mu, whose blocks come first and in this order."""
        return group_terms(term for term, _ in self.blocks)

    @property
    def alike(self) -> tuple[bool, ...]:
        """Whether the coefficients of each block have one covariance matrix, that of standard deviations alone."""
        return tuple(block.shape is None for _, block in self.blocks)

    @property
    def has_intercept(self) -> bool:
        """Whether there is an Intercept, which stays sampled."""
        return self.population is not None and self.population.has_intercept

    @property
    def standardised_slopes(self) -> tuple[int, ...]:
        """Numbers of the slopes of ``standardised``."""
        standardised = {parameter.name for parameter in self.standardised}
        places = (p for slopes, p in zip(self.slopes, self.places, strict=True) if slopes.name in standardised)
        places_of_block = {i for place in places for i in place}
        return tuple(i for i in self.kept if i in places_of_block)

    @property
    def places(self) -> tuple[range, ...]:
        """The numbers of the slopes of each parameter."""
        return _places(self.slopes)


def _places(slopes: Sequence[ParameterSpec]) -> tuple[range, ...]:
    ends = np.cumsum([0, *(len(parameter.coefs) for parameter in slopes)]).tolist()
    return tuple(range(start, stop) for start, stop in zip(ends, ends[1:], strict=False))


def split_of(problem: Problem, sampled: frozenset[str] = frozenset(), standardise: bool = False) -> Split:
    """Tell what is integrated out.

    Args:
        problem: the model.
        sampled: names of the groups whose effects are not.
        standardise: whether coefficients of mu that stay sampled are standardised, where their priors allow it.
    """
    terms, spec = problem.design.schema.predictors[0].terms, problem.description.spec
    blocks, slopes = blocks_of_model(problem), tuple(_slopes(spec, terms))
    priors = tuple(prior for parameter in slopes for prior in _priors(parameter))
    integrated = tuple(i for i, d in enumerate(priors) if type(d) in (Normal, Flat))
    kept = tuple(i for i in range(len(priors)) if i not in integrated)
    of_slopes = dict(zip((parameter.name for parameter in slopes), _places(slopes), strict=True))
    eliminated = {block.standardised for _, block in blocks if not (block.index and block.name in sampled)}
    parameters = []
    for parameter in spec.parameters:
        if parameter.name in of_slopes:
            positions = [i - of_slopes[parameter.name].start for i in of_slopes[parameter.name] if i in kept]
            parameters += [_part(parameter, positions)] if positions else []
        elif parameter.name not in eliminated:
            parameters.append(parameter)
    linear = (names.intercept_variable(MU), *of_slopes)
    standardised = tuple(p for p in parameters if standardise and p.name in linear and is_unbounded(p))
    population = population_term(terms)
    return Split(population, blocks, slopes, integrated, kept, priors, tuple(parameters), standardised)


def _slopes(spec: ModelSpec, terms: Sequence[AbstractTerm]) -> Iterator[ParameterSpec]:
    """Yield the parameters that hold slopes, the population-level ones first."""
    population = population_term(terms)
    if population is not None and population.slopes and not is_shrunken(spec):
        yield spec.parameter(names.slopes_variable(MU))
    for term in terms:
        columns = term.slope_columns()
        if term is not population and columns is not None:
            yield spec.parameter(columns.variable)


def _priors(slopes: ParameterSpec) -> tuple[Any, ...]:
    return slopes.priors * (len(slopes.coefs) // len(slopes.priors))


def _part(slopes: ParameterSpec, kept: Sequence[int]) -> ParameterSpec:
    centers, scales = (np.broadcast_to(v, len(slopes.coefs)) for v in (slopes.centers, slopes.scales))
    return replace(
        slopes,
        shape=(len(kept),),
        coefs=tuple(slopes.coefs[i] for i in kept),
        priors=tuple(_priors(slopes)[i] for i in kept),
        centers=tuple(float(centers[i]) for i in kept),
        scales=tuple(float(scales[i]) for i in kept),
    )


def gaussian_rows(problem: Problem, split: Split) -> GaussianRows:
    """Return the arrays of the model, the response on the scale on which it is normal."""
    design, response = problem.design, problem.design.response.arrays
    terms = design.schema.predictors[0].terms
    arrays = with_slopes(problem, design.arrays[MU])
    y = np.asarray(response["y"], float)
    weights = np.ones(len(y)) if design.weights is None else np.asarray(design.weights, float)
    on_log_scale = problem.likelihood.traits.response_on_log_scale
    normal = np.log(y) if on_log_scale else y
    constant = -0.5 * np.log(2.0 * np.pi) * weights.sum() - (weights @ normal if on_log_scale else 0.0)
    precision, count = weights, float(weights.sum())
    if "se" in response:
        se = np.asarray(response["se"], float)
        precision, count, constant = weights / se**2, 0.0, constant - weights @ np.log(se)
    offset = known_addend(terms, arrays)
    if offset is not None:
        normal = normal - offset
    columns, ones = _slope_columns(problem, split), np.ones((len(y), int(split.has_intercept)))
    slopes_kept = tuple(i for i in split.kept if i not in split.standardised_slopes)
    has_units = any(not parameter.coefs for parameter in split.standardised)
    designs = [columns[:, split.integrated], ones if has_units else ones[:, :0], columns[:, split.standardised_slopes]]
    priors = [*(split.priors[i] for i in split.integrated), *(d for p in split.standardised for d in p.priors)]
    slopes = SlopePriors(
        np.array([d.location if d.is_proper else 0.0 for d in priors]),
        np.array([d.scale if d.is_proper else np.inf for d in priors]),
    )
    blocks = tuple(block.design(arrays[term.key]) for term, block in split.blocks)
    kept = np.concatenate([ones[:, :0] if has_units else ones, columns[:, slopes_kept]], axis=1)
    design_columns = np.concatenate(designs, axis=1)
    standardised = design_columns.shape[1] - len(split.integrated)
    return GaussianRows(normal, precision, kept, design_columns, slopes, blocks, count, float(constant), standardised)


def _slope_columns(problem: Problem, split: Split) -> np.ndarray:
    """Return the columns of all slopes as in the model: population-level ones centred beside an Intercept."""
    parts: list[np.ndarray] = [np.zeros((problem.design.n_rows, 0))]
    arrays: Mapping[str, Mapping[str, np.ndarray]] = problem.design.arrays[MU]
    if split.population is not None and not is_shrunken(problem.description.spec):
        parts.append(centred_columns(split.population, arrays[split.population.key]))
    for term in problem.design.schema.predictors[0].terms:
        columns = term.slope_columns()
        if term is not split.population and columns is not None:
            parts.append(np.asarray(arrays[term.key][columns.array], float))
    return np.concatenate(parts, axis=1)
